using System.Buffers;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>Where the next slice of a piece is expected: a slice says only how far it is from that.</summary>
internal readonly record struct SliceChain(long Seq, long Position, long Ms)
{
    public static SliceChain After(in EntitySlice slice) => new(slice.FirstSeq + slice.Count, slice.FirstPosition + slice.Count, slice.CommittedMs);
}

/// <summary>
/// A piece: neighbouring slices of one entity in a run. Its raw bytes are slices of <c>(count - 1) &lt;&lt; 2 | hasIndex &lt;&lt; 1 | hasKey |
/// positions since the slice before | milliseconds since | [indexInAppend] | [keyLength | key] | length | events</c>, varints; the first counts from
/// what the piece's head says. The seq is not stored: a piece has no gaps.
/// </summary>
internal static class Piece
{
    public const int RawBytesMax = 256 * 1024;

    /// <summary>A row's id is the entity's number above this many bits and the piece's ordinal in the run below.</summary>
    public const int OrdinalBits = 20;

    /// <summary>The highest number that has an id.</summary>
    public const long EntityMax = long.MaxValue >> OrdinalBits;

    private const ulong HasKey = 1;
    private const ulong HasIndex = 2;
    private const int CountShift = 2;

    public static long FirstId(long entity) => entity << OrdinalBits;

    public static long LastId(long entity) => (entity << OrdinalBits) | ((1L << OrdinalBits) - 1);

    public static long EntityOf(long id) => id >> OrdinalBits;

    public static void WriteSlice(ArrayBufferWriter<byte> writer, in EntitySlice slice, ref SliceChain chain)
    {
        WriteVarint(writer, ((ulong)(slice.Count - 1) << CountShift) | (slice.IndexInAppend > 0 ? HasIndex : 0) | (slice.Key.IsEmpty ? 0 : HasKey));
        WriteVarint(writer, checked((ulong)(slice.FirstPosition - chain.Position)));
        WriteVarint(writer, checked((ulong)(slice.CommittedMs - chain.Ms)));
        if (slice.IndexInAppend > 0) WriteVarint(writer, (ulong)slice.IndexInAppend);
        if (!slice.Key.IsEmpty)
        {
            WriteVarint(writer, (ulong)slice.Key.Length);
            writer.Write(slice.Key);
        }

        WriteVarint(writer, (ulong)slice.Events.Length);
        writer.Write(slice.Events);
        chain = SliceChain.After(slice);
    }

    /// <exception cref="InvalidDataException">The bytes are not slices.</exception>
    public static EntitySlice ReadSlice(scoped ref ReadOnlySpan<byte> raw, ref SliceChain chain)
    {
        var first = Varint.Read(ref raw);
        var position = chain.Position + (long)Varint.Read(ref raw);
        var ms = chain.Ms + (long)Varint.Read(ref raw);
        var index = (first & HasIndex) != 0 ? (int)Varint.Read(ref raw) : 0;
        var key = (first & HasKey) != 0 ? Take(ref raw) : default;
        var slice = new EntitySlice
        {
            FirstSeq = chain.Seq,
            Count = checked((int)(first >> CountShift) + 1),
            FirstPosition = position,
            CommittedMs = ms,
            IndexInAppend = index,
            Key = key,
            Events = Take(ref raw),
        };
        chain = SliceChain.After(slice);
        return slice;
    }

    private static ReadOnlySpan<byte> Take(scoped ref ReadOnlySpan<byte> raw)
    {
        var length = Varint.Read(ref raw);
        if (length > (ulong)raw.Length) throw new DamagedDataException("A piece's slice is cut off.");
        var taken = raw[..(int)length];
        raw = raw[(int)length..];
        return taken;
    }

    private static void WriteVarint(ArrayBufferWriter<byte> writer, ulong value) => writer.Advance(Varint.Write(writer.GetSpan(10), value));
}
