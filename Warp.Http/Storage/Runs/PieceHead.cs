using System.Buffers;
using System.Buffers.Binary;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>What positions and times in a run's pieces count from, so that they take few bytes.</summary>
internal readonly record struct RunBases(long Position, long Ms);

internal enum PieceCodec : byte
{
    Plain = 0,
    Zstd = 1,
}

/// <summary>
/// What a run says about a piece without opening it: <c>codec u8 | count - 1 | firstPosition - base | positions between its events | firstMs - base |
/// lastMs - firstMs | rawLength</c> (varints), <c>crc32c u32 | aggregates</c>. The crc covers the rest of the head and the body as stored.
/// The upper half of the codec's byte is for the version of a key; 0 is without.
/// </summary>
internal readonly ref struct PieceHead
{
    private readonly ReadOnlySpan<byte> _beforeCrc;
    private readonly uint _crc;

    private PieceHead(ReadOnlySpan<byte> beforeCrc, uint crc)
    {
        _beforeCrc = beforeCrc;
        _crc = crc;
    }

    public PieceCodec Codec { get; private init; }

    public long FirstSeq { get; private init; }

    public long LastSeq { get; private init; }

    public long FirstPosition { get; private init; }

    public long LastPosition { get; private init; }

    public long FirstMs { get; private init; }

    public long LastMs { get; private init; }

    public int RawLength { get; private init; }

    public ReadOnlySpan<byte> Aggregates { get; private init; }

    public int Count => (int)(LastSeq - FirstSeq + 1);

    /// <summary>Where the piece's first slice begins.</summary>
    public SliceChain Start => new(FirstSeq, FirstPosition, FirstMs);

    /// <exception cref="InvalidDataException">The bytes are not a head.</exception>
    public static PieceHead Read(ReadOnlySpan<byte> head, long lastSeq, RunBases bases)
    {
        if (head.IsEmpty || head[0] > (byte)PieceCodec.Zstd) throw new DamagedDataException("A piece has an unknown codec or key version.");
        var rest = head[1..];
        var count = (long)Varint.Read(ref rest) + 1;
        var firstPosition = bases.Position + (long)Varint.Read(ref rest);
        var between = (long)Varint.Read(ref rest);
        var firstMs = bases.Ms + (long)Varint.Read(ref rest);
        var lastMs = firstMs + (long)Varint.Read(ref rest);
        var rawLength = Varint.Read(ref rest);
        if (rest.Length < sizeof(uint) || rawLength > int.MaxValue || count > lastSeq) throw new DamagedDataException("A piece's head contradicts itself.");
        return new PieceHead(head[..^rest.Length], BinaryPrimitives.ReadUInt32LittleEndian(rest))
        {
            Codec = (PieceCodec)head[0],
            FirstSeq = lastSeq - count + 1,
            LastSeq = lastSeq,
            FirstPosition = firstPosition,
            LastPosition = firstPosition + count - 1 + between,
            FirstMs = firstMs,
            LastMs = lastMs,
            RawLength = (int)rawLength,
            Aggregates = rest[sizeof(uint)..],
        };
    }

    /// <summary>Writes a head for a body; <paramref name="first"/> and <paramref name="end"/> are where its slices begin and end.</summary>
    public static void Write(
        ArrayBufferWriter<byte> to, PieceCodec codec, SliceChain first, SliceChain end, RunBases bases, int rawLength, ReadOnlySpan<byte> aggregates, ReadOnlySpan<byte> body)
    {
        var count = end.Seq - first.Seq;
        to.GetSpan(1)[0] = (byte)codec;
        to.Advance(1);
        WriteVarint(to, count - 1);
        WriteVarint(to, first.Position - bases.Position);
        WriteVarint(to, end.Position - first.Position - count);
        WriteVarint(to, first.Ms - bases.Ms);
        WriteVarint(to, end.Ms - first.Ms);
        WriteVarint(to, rawLength);
        var crc = Checksum(to.WrittenSpan, aggregates, body);
        BinaryPrimitives.WriteUInt32LittleEndian(to.GetSpan(sizeof(uint)), crc);
        to.Advance(sizeof(uint));
        to.Write(aggregates);
    }

    /// <exception cref="DamagedDataException">Head or body are not what was written.</exception>
    public void Check(ReadOnlySpan<byte> body)
    {
        if (Checksum(_beforeCrc, Aggregates, body) != _crc) throw new DamagedDataException("A piece's checksum does not match.");
    }

    private static uint Checksum(ReadOnlySpan<byte> beforeCrc, ReadOnlySpan<byte> aggregates, ReadOnlySpan<byte> body) =>
        Crc32C.Compute(body, Crc32C.Compute(aggregates, Crc32C.Compute(beforeCrc)));

    private static void WriteVarint(ArrayBufferWriter<byte> to, long value) => to.Advance(Varint.Write(to.GetSpan(10), checked((ulong)value)));
}
