namespace Warp.Http.Events;

/// <summary>
/// The stored form of one event, version 1: <c>length varint | flags u8 | type | [aggregate] [schemaVersion varint] [id] [occurredAt]
/// [metadata] | payload</c>. Texts carry a varint length, the payload takes the rest. The same bytes stand in journals, memtables and runs.
/// </summary>
public static class EventRecord
{
    [Flags]
    private enum Parts : byte
    {
        None = 0,
        Aggregate = 1,
        SchemaVersion = 2,
        Id = 4,
        OccurredAt = 8,
        Metadata = 16,
    }

    /// <summary>The most bytes a record can take beside its texts: length, flags, five text lengths and a version.</summary>
    public const int OverheadMax = 10 + 1 + (5 * 5) + 5;

    /// <summary>Bytes that are enough for <see cref="Write"/>.</summary>
    public static int SizeMax(in EventFields e) =>
        OverheadMax + e.Type.Length + e.Aggregate.Length + e.Id.Length + e.OccurredAt.Length + e.Metadata.Length + e.Payload.Length;

    /// <summary>Writes one event at the start of <paramref name="destination"/> and answers its length in bytes.</summary>
    public static int Write(Span<byte> destination, in EventFields e)
    {
        var parts = Parts.None;
        var length = 1 + TextSize(e.Type) + e.Payload.Length;
        Count(e.Aggregate, Parts.Aggregate, ref parts, ref length);
        Count(e.Id, Parts.Id, ref parts, ref length);
        Count(e.OccurredAt, Parts.OccurredAt, ref parts, ref length);
        Count(e.Metadata, Parts.Metadata, ref parts, ref length);
        if (e.SchemaVersion > 1)
        {
            parts |= Parts.SchemaVersion;
            length += Varint.SizeOf((ulong)e.SchemaVersion);
        }

        var at = Varint.Write(destination, (ulong)length);
        destination[at++] = (byte)parts;
        at = WriteText(destination, at, e.Type);
        if ((parts & Parts.Aggregate) != 0) at = WriteText(destination, at, e.Aggregate);
        if ((parts & Parts.SchemaVersion) != 0) at += Varint.Write(destination[at..], (ulong)e.SchemaVersion);
        if ((parts & Parts.Id) != 0) at = WriteText(destination, at, e.Id);
        if ((parts & Parts.OccurredAt) != 0) at = WriteText(destination, at, e.OccurredAt);
        if ((parts & Parts.Metadata) != 0) at = WriteText(destination, at, e.Metadata);
        e.Payload.CopyTo(destination[at..]);
        return at + e.Payload.Length;
    }

    /// <summary>Reads the first event of <paramref name="source"/> and moves it past that event.</summary>
    /// <exception cref="InvalidDataException">The bytes are not events.</exception>
    public static EventFields Read(scoped ref ReadOnlySpan<byte> source)
    {
        var body = Take(ref source, Varint.Read(ref source));
        if (body.IsEmpty) throw new InvalidDataException("An event of length 0.");
        var parts = (Parts)body[0];
        body = body[1..];
        EventFields e = default;
        e.Type = ReadText(ref body);
        if ((parts & Parts.Aggregate) != 0) e.Aggregate = ReadText(ref body);
        e.SchemaVersion = (parts & Parts.SchemaVersion) != 0 ? checked((int)Varint.Read(ref body)) : 1;
        if ((parts & Parts.Id) != 0) e.Id = ReadText(ref body);
        if ((parts & Parts.OccurredAt) != 0) e.OccurredAt = ReadText(ref body);
        if ((parts & Parts.Metadata) != 0) e.Metadata = ReadText(ref body);
        e.Payload = body;
        return e;
    }

    /// <summary>Moves <paramref name="source"/> past its first event without looking inside and answers that event's bytes.</summary>
    public static ReadOnlySpan<byte> Skip(scoped ref ReadOnlySpan<byte> source)
    {
        var whole = source;
        Take(ref source, Varint.Read(ref source));
        return whole[..(whole.Length - source.Length)];
    }

    private static void Count(ReadOnlySpan<byte> text, Parts part, ref Parts parts, ref int length)
    {
        if (text.IsEmpty) return;
        parts |= part;
        length += TextSize(text);
    }

    private static int TextSize(ReadOnlySpan<byte> text) => Varint.SizeOf((ulong)text.Length) + text.Length;

    private static int WriteText(Span<byte> destination, int at, ReadOnlySpan<byte> text)
    {
        at += Varint.Write(destination[at..], (ulong)text.Length);
        text.CopyTo(destination[at..]);
        return at + text.Length;
    }

    private static ReadOnlySpan<byte> ReadText(scoped ref ReadOnlySpan<byte> source) => Take(ref source, Varint.Read(ref source));

    private static ReadOnlySpan<byte> Take(scoped ref ReadOnlySpan<byte> source, ulong length)
    {
        if (length > (ulong)source.Length) throw new InvalidDataException("An event record is cut off.");
        var taken = source[..(int)length];
        source = source[(int)length..];
        return taken;
    }
}
