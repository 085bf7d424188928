using System.Buffers;
using System.Buffers.Binary;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>
/// A piece: neighbouring slices of one entity in a run. Body, version 1: <c>codec u8 | format u8 | keyVersion u16 | rawLength u32 | crc32c u32 | raw</c>;
/// raw is slices of <c>firstSeq | count | firstPosition (delta) | committedMs (delta) | indexInAppend | keyLength | key | length | events</c>, varints.
/// Codec 0 is plain; keyVersion 0 is without a key.
/// </summary>
internal static class Piece
{
    public const int RawBytesMax = 256 * 1024;
    public const int HeaderBytes = 12;

    /// <summary>A row's id is the entity's number above this many bits and the piece's ordinal in the run below.</summary>
    public const int OrdinalBits = 20;

    /// <summary>The highest number that has an id.</summary>
    public const long EntityMax = long.MaxValue >> OrdinalBits;

    private const byte CodecPlain = 0;
    private const byte Format = 1;

    public static long FirstId(long entity) => entity << OrdinalBits;

    public static long LastId(long entity) => (entity << OrdinalBits) | ((1L << OrdinalBits) - 1);

    public static long EntityOf(long id) => id >> OrdinalBits;

    /// <summary>Fills in the header at the start of <paramref name="body"/>, whose raw part is complete.</summary>
    public static void Seal(Span<byte> body)
    {
        var raw = body[HeaderBytes..];
        body[0] = CodecPlain;
        body[1] = Format;
        BinaryPrimitives.WriteUInt16LittleEndian(body[2..], 0);
        BinaryPrimitives.WriteInt32LittleEndian(body[4..], raw.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(body[8..], Crc32C.Compute(raw));
    }

    /// <exception cref="DamagedDataException">The piece is not what was written.</exception>
    public static ReadOnlySpan<byte> Open(ReadOnlySpan<byte> body)
    {
        if (body.Length < HeaderBytes || body[0] != CodecPlain || body[1] != Format)
            throw new DamagedDataException("A piece has an unknown codec or format.");
        var raw = body[HeaderBytes..];
        if (BinaryPrimitives.ReadInt32LittleEndian(body[4..]) != raw.Length || BinaryPrimitives.ReadUInt32LittleEndian(body[8..]) != Crc32C.Compute(raw))
            throw new DamagedDataException("A piece's checksum does not match.");
        return raw;
    }

    public static void WriteSlice(ArrayBufferWriter<byte> writer, in EntitySlice slice, ref long position, ref long ms)
    {
        WriteVarint(writer, (ulong)slice.FirstSeq);
        WriteVarint(writer, (ulong)slice.Count);
        WriteVarint(writer, (ulong)(slice.FirstPosition - position));
        WriteVarint(writer, (ulong)(slice.CommittedMs - ms));
        WriteVarint(writer, (ulong)slice.IndexInAppend);
        WriteVarint(writer, (ulong)slice.Key.Length);
        writer.Write(slice.Key);
        WriteVarint(writer, (ulong)slice.Events.Length);
        writer.Write(slice.Events);
        position = slice.FirstPosition;
        ms = slice.CommittedMs;
    }

    public static EntitySlice ReadSlice(scoped ref ReadOnlySpan<byte> raw, ref long position, ref long ms)
    {
        var firstSeq = (long)Varint.Read(ref raw);
        var count = (int)Varint.Read(ref raw);
        position += (long)Varint.Read(ref raw);
        ms += (long)Varint.Read(ref raw);
        var index = (int)Varint.Read(ref raw);
        var key = Take(ref raw);
        var events = Take(ref raw);
        return new EntitySlice { FirstSeq = firstSeq, Count = count, FirstPosition = position, CommittedMs = ms, IndexInAppend = index, Key = key, Events = events };
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
