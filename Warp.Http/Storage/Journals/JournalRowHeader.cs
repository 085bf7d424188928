using System.Buffers.Binary;
using System.IO.Hashing;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>
/// The 64 bytes before a journal row's body, little endian: <c>magic u32 | format u16 | flags u16 | journalId u64 | rowOrdinal u32 | records u32 |
/// firstPosition u64 | positions u32 | rawLength u32 | committedMs i64 | prevRowHash u64 | reserved u32 | crc32c u32</c>.
/// The checksum covers the header before it and the body; the hash chains each row to the one before.
/// </summary>
internal readonly record struct JournalRowHeader(
    long JournalId, int RowOrdinal, int Records, long FirstPosition, int Positions, int RawLength, long CommittedMs, ulong PreviousRowHash)
{
    public const int Bytes = 64;
    private const uint Magic = 0x4a505257; // "WRPJ"
    private const ushort Format = 2;
    private const int CrcAt = 60;

    public long LastPosition => FirstPosition + Positions - 1;

    public void Write(Span<byte> destination, ReadOnlySpan<byte> body)
    {
        var header = destination[..Bytes];
        header.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(header, Magic);
        BinaryPrimitives.WriteUInt16LittleEndian(header[4..], Format);
        BinaryPrimitives.WriteInt64LittleEndian(header[8..], JournalId);
        BinaryPrimitives.WriteInt32LittleEndian(header[16..], RowOrdinal);
        BinaryPrimitives.WriteInt32LittleEndian(header[20..], Records);
        BinaryPrimitives.WriteInt64LittleEndian(header[24..], FirstPosition);
        BinaryPrimitives.WriteInt32LittleEndian(header[32..], Positions);
        BinaryPrimitives.WriteInt32LittleEndian(header[36..], RawLength);
        BinaryPrimitives.WriteInt64LittleEndian(header[40..], CommittedMs);
        BinaryPrimitives.WriteUInt64LittleEndian(header[48..], PreviousRowHash);
        BinaryPrimitives.WriteUInt32LittleEndian(header[CrcAt..], Crc32C.Compute(body, Crc32C.Compute(header[..CrcAt])));
    }

    /// <exception cref="DamagedDataException">Header or body is not what was written.</exception>
    public static JournalRowHeader Read(ReadOnlySpan<byte> header, ReadOnlySpan<byte> body)
    {
        if (header.Length != Bytes || BinaryPrimitives.ReadUInt32LittleEndian(header) != Magic)
            throw new DamagedDataException("A journal row does not begin with a row header.");
        if (BinaryPrimitives.ReadUInt16LittleEndian(header[4..]) is var format and not Format)
            throw new DamagedDataException($"A journal row has format {format}; this version reads format {Format}.");
        var read = new JournalRowHeader(
            BinaryPrimitives.ReadInt64LittleEndian(header[8..]), BinaryPrimitives.ReadInt32LittleEndian(header[16..]),
            BinaryPrimitives.ReadInt32LittleEndian(header[20..]), BinaryPrimitives.ReadInt64LittleEndian(header[24..]),
            BinaryPrimitives.ReadInt32LittleEndian(header[32..]), BinaryPrimitives.ReadInt32LittleEndian(header[36..]),
            BinaryPrimitives.ReadInt64LittleEndian(header[40..]), BinaryPrimitives.ReadUInt64LittleEndian(header[48..]));
        if (read.RawLength != body.Length || BinaryPrimitives.ReadUInt32LittleEndian(header[CrcAt..]) != Crc32C.Compute(body, Crc32C.Compute(header[..CrcAt])))
            throw new DamagedDataException($"Journal {read.JournalId}, row {read.RowOrdinal}: the checksum does not match.");
        return read;
    }

    /// <summary>The link of the chain. The header's checksum covers the body, so hashing the header is enough and costs the same for any row.</summary>
    public static ulong Hash(ReadOnlySpan<byte> header) => XxHash3.HashToUInt64(header[..Bytes]);
}
