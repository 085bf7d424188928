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
/// One record of a journal row, version 1: <c>length u32 | crc32c u32 | kind u8 | flags u8 | version u16 | entity u64 | firstSeq u64 | count u32 |
/// [tag 16 bytes, name] [idempotency key] | body</c>, texts with a varint length. The crc covers the body alone: the request thread computes it before
/// entity and seq are known; those are under the row's checksum.
/// </summary>
internal readonly ref struct JournalRecord
{
    private const int HeaderBytes = 32;
    private const ushort Version = 1;
    private const byte HasName = 1;
    private const byte HasKey = 2;

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

    /// <summary>Where the name begins, from the start of the record.</summary>
    public int NameOffset => HeaderBytes + NameTag.Bytes + Varint.SizeOf((ulong)Name.Length);

    /// <summary>Positions the record takes: one an event, one for a fence, none for a state.</summary>
    public int Positions => Kind == RecordKind.Fence ? 1 : Count;

    public static int Size(ReadOnlySpan<byte> name, ReadOnlySpan<byte> key, int bodyLength) =>
        HeaderBytes + (name.IsEmpty ? 0 : NameTag.Bytes + TextSize(name)) + TextSize(key) + bodyLength;

    /// <summary>Writes the record at the start of <paramref name="destination"/> and answers its length.</summary>
    public static int Write(
        Span<byte> destination, RecordKind kind, long entity, long firstSeq, int count, NameTag tag, ReadOnlySpan<byte> name, ReadOnlySpan<byte> key, ReadOnlySpan<byte> body, uint bodyCrc)
    {
        var at = HeaderBytes;
        if (!name.IsEmpty)
        {
            tag.Write(destination[at..]);
            at += NameTag.Bytes;
            at += WriteText(destination[at..], name);
        }

        at += WriteText(destination[at..], key);
        body.CopyTo(destination[at..]);
        at += body.Length;
        BinaryPrimitives.WriteInt32LittleEndian(destination, at);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[4..], bodyCrc);
        destination[8] = (byte)kind;
        destination[9] = (byte)((name.IsEmpty ? 0 : HasName) | (key.IsEmpty ? 0 : HasKey));
        BinaryPrimitives.WriteUInt16LittleEndian(destination[10..], Version);
        BinaryPrimitives.WriteInt64LittleEndian(destination[12..], entity);
        BinaryPrimitives.WriteInt64LittleEndian(destination[20..], firstSeq);
        BinaryPrimitives.WriteInt32LittleEndian(destination[28..], count);
        return at;
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
        if (source.Length < HeaderBytes) throw new DamagedDataException("A journal record is cut off.");
        var length = BinaryPrimitives.ReadInt32LittleEndian(source);
        if (length < HeaderBytes || length > source.Length) throw new DamagedDataException($"A journal record says it is {length} bytes long; {source.Length} are there.");
        var record = source[..length];
        source = source[length..];
        if (BinaryPrimitives.ReadUInt16LittleEndian(record[10..]) is var version and not Version)
            throw new DamagedDataException($"A journal record has version {version}; this version reads {Version}.");
        var flags = record[9];
        var rest = record[HeaderBytes..];
        NameTag tag = default;
        ReadOnlySpan<byte> name = default;
        if ((flags & HasName) != 0)
        {
            if (rest.Length < NameTag.Bytes) throw new DamagedDataException("A journal record's name is cut off.");
            tag = NameTag.Read(rest);
            rest = rest[NameTag.Bytes..];
            name = ReadText(ref rest);
        }

        var key = (flags & HasKey) != 0 ? ReadText(ref rest) : default;
        return new JournalRecord
        {
            Kind = (RecordKind)record[8],
            Entity = BinaryPrimitives.ReadInt64LittleEndian(record[12..]),
            FirstSeq = BinaryPrimitives.ReadInt64LittleEndian(record[20..]),
            Count = BinaryPrimitives.ReadInt32LittleEndian(record[28..]),
            Length = length,
            BodyCrc = BinaryPrimitives.ReadUInt32LittleEndian(record[4..]),
            Tag = tag,
            Name = name,
            Key = key,
            Body = rest,
        };
    }

    private static int TextSize(ReadOnlySpan<byte> text) => text.IsEmpty ? 0 : Varint.SizeOf((ulong)text.Length) + text.Length;

    private static int WriteText(Span<byte> destination, ReadOnlySpan<byte> text)
    {
        if (text.IsEmpty) return 0;
        var at = Varint.Write(destination, (ulong)text.Length);
        text.CopyTo(destination[at..]);
        return at + text.Length;
    }

    private static ReadOnlySpan<byte> ReadText(scoped ref ReadOnlySpan<byte> source)
    {
        var length = Varint.Read(ref source);
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
