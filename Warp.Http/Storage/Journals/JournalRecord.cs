using System.Buffers.Binary;
using Warp.Http.Events;

namespace Warp.Http.Storage;

internal enum RecordKind : byte
{
    /// <summary>Events of one append.</summary>
    Append = 1,

    /// <summary>An erasure's fence: what stands after it for this entity does not exist.</summary>
    Fence = 2,

    /// <summary>A folded state, which takes no position: a shortcut that may be dropped at any time.</summary>
    State = 3,
}

/// <summary>
/// One record of a journal row, little endian: <c>kind and flags u8 | length varint, of what follows | crc32c u32 | entity varint | firstSeq varint |
/// count varint | [tag 16 bytes, name] [idempotency key] | body</c>, texts with a varint length; its version is the row's. The crc covers the body
/// alone: the request thread computes it before entity and seq are known; those are under the row's checksum.
/// </summary>
/// <remarks>An append of one event has 12 bytes around it: each of them is written for every event, and again when it is sealed.</remarks>
internal readonly ref struct JournalRecord
{
    private const int KindMask = 0x0f;
    private const int HasName = 0x10;
    private const int HasKey = 0x20;

    public RecordKind Kind { get; private init; }

    public long Entity { get; private init; }

    public long FirstSeq { get; private init; }

    public int Count { get; private init; }

    /// <summary>What the entity is looked up by, where this is its first record.</summary>
    public NameTag Tag { get; private init; }

    /// <summary>The entity's name where this is its first record; else empty.</summary>
    public ReadOnlySpan<byte> Name { get; private init; }

    public ReadOnlySpan<byte> Key { get; private init; }

    public uint BodyCrc { get; private init; }

    /// <summary>Encoded events, a <see cref="FenceBody"/> or a <see cref="StateBody"/>.</summary>
    public ReadOnlySpan<byte> Body { get; private init; }

    /// <summary>Bytes of the whole record.</summary>
    public int Length { get; private init; }

    /// <summary>Where the name begins, from the start of the record; 0 if it has none.</summary>
    public int NameOffset { get; private init; }

    /// <summary>Positions the record takes: one an event, one for a fence, none for a state.</summary>
    public int Positions => Kind == RecordKind.Fence ? 1 : Count;

    public static int Size(long entity, long firstSeq, int count, ReadOnlySpan<byte> name, ReadOnlySpan<byte> key, int bodyLength)
    {
        var content = ContentSize(entity, firstSeq, count, name, key, bodyLength);
        return 1 + Varint.SizeOf((ulong)content) + content;
    }

    /// <summary>Writes the record at the start of <paramref name="destination"/> and answers its length.</summary>
    public static int Write(
        Span<byte> destination, RecordKind kind, long entity, long firstSeq, int count, NameTag tag, ReadOnlySpan<byte> name, ReadOnlySpan<byte> key, ReadOnlySpan<byte> body, uint bodyCrc)
    {
        destination[0] = (byte)((int)kind | (name.IsEmpty ? 0 : HasName) | (key.IsEmpty ? 0 : HasKey));
        var at = 1 + Varint.Write(destination[1..], (ulong)ContentSize(entity, firstSeq, count, name, key, body.Length));
        BinaryPrimitives.WriteUInt32LittleEndian(destination[at..], bodyCrc);
        at += sizeof(uint);
        at += Varint.Write(destination[at..], (ulong)entity);
        at += Varint.Write(destination[at..], (ulong)firstSeq);
        at += Varint.Write(destination[at..], (ulong)count);
        if (!name.IsEmpty)
        {
            tag.Write(destination[at..]);
            at += NameTag.Bytes;
            at += WriteText(destination[at..], name);
        }

        at += WriteText(destination[at..], key);
        body.CopyTo(destination[at..]);
        return at + body.Length;
    }

    /// <summary>Reads the first record of <paramref name="source"/> and moves it past.</summary>
    /// <exception cref="DamagedDataException">The bytes are not a record, or the body's checksum does not match.</exception>
    public static JournalRecord Read(scoped ref ReadOnlySpan<byte> source)
    {
        var record = ReadUnchecked(ref source);
        if (record.BodyCrc != Crc32C.Compute(record.Body)) throw new DamagedDataException("A journal record's checksum does not match its events.");
        return record;
    }

    /// <summary>The same for bytes that this process has just written or checked: the body's checksum is not computed again.</summary>
    public static JournalRecord ReadUnchecked(scoped ref ReadOnlySpan<byte> source)
    {
        if (source.IsEmpty) throw new DamagedDataException("A journal record is cut off.");
        var whole = source;
        var kind = (RecordKind)(source[0] & KindMask);
        var flags = source[0] & ~KindMask;
        if (kind is < RecordKind.Append or > RecordKind.State || (flags & ~(HasName | HasKey)) != 0)
            throw new DamagedDataException($"A journal record begins with {source[0]}, which is no kind of record.");
        var rest = source[1..];
        var content = ReadNumber(ref rest);
        if (content > (ulong)rest.Length || content < sizeof(uint)) throw new DamagedDataException($"A journal record says it is {content} bytes long; {rest.Length} are there.");
        source = rest[(int)content..];
        rest = rest[..(int)content];
        var length = whole.Length - source.Length;
        var crc = BinaryPrimitives.ReadUInt32LittleEndian(rest);
        rest = rest[sizeof(uint)..];
        var entity = ReadNumber(ref rest);
        var firstSeq = ReadNumber(ref rest);
        var count = ReadNumber(ref rest);
        NameTag tag = default;
        ReadOnlySpan<byte> name = default;
        var nameOffset = 0;
        if ((flags & HasName) != 0)
        {
            if (rest.Length < NameTag.Bytes) throw new DamagedDataException("A journal record's name is cut off.");
            tag = NameTag.Read(rest);
            rest = rest[NameTag.Bytes..];
            name = ReadText(ref rest);
            nameOffset = length - rest.Length - name.Length;
        }

        var key = (flags & HasKey) != 0 ? ReadText(ref rest) : default;
        return new JournalRecord
        {
            Kind = kind,
            Entity = (long)entity,
            FirstSeq = (long)firstSeq,
            Count = (int)count,
            Length = length,
            BodyCrc = crc,
            Tag = tag,
            Name = name,
            NameOffset = nameOffset,
            Key = key,
            Body = rest,
        };
    }

    private static int ContentSize(long entity, long firstSeq, int count, ReadOnlySpan<byte> name, ReadOnlySpan<byte> key, int bodyLength) =>
        sizeof(uint) + Varint.SizeOf((ulong)entity) + Varint.SizeOf((ulong)firstSeq) + Varint.SizeOf((ulong)count)
        + (name.IsEmpty ? 0 : NameTag.Bytes + TextSize(name)) + TextSize(key) + bodyLength;

    private static int TextSize(ReadOnlySpan<byte> text) => text.IsEmpty ? 0 : Varint.SizeOf((ulong)text.Length) + text.Length;

    private static int WriteText(Span<byte> destination, ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty) return 0;
        var at = Varint.Write(destination, (ulong)text.Length);
        text.CopyTo(destination[at..]);
        return at + text.Length;
    }

    private static ulong ReadNumber(scoped ref ReadOnlySpan<byte> source)
    {
        // Most are small, and a memtable reads millions.
        if (source is [< 0x80 and var small, ..])
        {
            source = source[1..];
            return small;
        }

        try
        {
            return Varint.Read(ref source);
        }
        catch (InvalidDataException e)
        {
            throw new DamagedDataException("A number in a journal record is cut off or too long.", e);
        }
    }

    private static ReadOnlySpan<byte> ReadText(scoped ref ReadOnlySpan<byte> source)
    {
        var length = ReadNumber(ref source);
        if (length > (ulong)source.Length) throw new DamagedDataException("A journal record's text is cut off.");
        var text = source[..(int)length];
        source = source[(int)length..];
        return text;
    }
}

/// <summary>A fence's body: receipt id and tombstone tag, 16 bytes each. It holds nothing of the entity's name.</summary>
internal readonly record struct FenceBody(Guid ReceiptId, NameTag Tag)
{
    public const int Bytes = 32;

    public void Write(Span<byte> destination)
    {
        ReceiptId.TryWriteBytes(destination, bigEndian: true, out _);
        Tag.Write(destination[16..]);
    }

    public static FenceBody Read(ReadOnlySpan<byte> source)
    {
        if (source.Length != Bytes) throw new DamagedDataException($"A fence has {source.Length} bytes instead of {Bytes}.");
        return new FenceBody(new Guid(source[..16], bigEndian: true), NameTag.Read(source[16..]));
    }
}
