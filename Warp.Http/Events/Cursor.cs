using System.Buffers.Binary;
using System.Buffers.Text;

namespace Warp.Http.Events;

/// <summary>
/// The durable positions of all shards in the opaque, URL-safe form that clients see:
/// base64url of <c>version u8 | storeId 8 bytes | positions i64 × shards | crc32c u32</c>.
/// </summary>
public static class Cursor
{
    private const byte Version = 1;
    private const int HeaderBytes = 1 + 8;
    private const int CrcBytes = 4;

    public static string Format(ulong storeId, ReadOnlySpan<long> positions)
    {
        Span<byte> bytes = stackalloc byte[HeaderBytes + (8 * Life.ShardsMax) + CrcBytes];
        bytes[0] = Version;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[1..], storeId);
        var at = HeaderBytes;
        foreach (var position in positions)
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes[at..], position);
            at += 8;
        }

        BinaryPrimitives.WriteUInt32LittleEndian(bytes[at..], Crc32C.Compute(bytes[..at]));
        return Base64Url.EncodeToString(bytes[..(at + CrcBytes)]);
    }

    /// <summary>Reads a cursor back; false if it is malformed, damaged, of another store or of another number of shards.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, ulong storeId, Span<long> positions)
    {
        var length = HeaderBytes + (8 * positions.Length) + CrcBytes;
        Span<byte> bytes = stackalloc byte[length];
        if (text.Length != Base64Url.GetEncodedLength(length)
            || Base64Url.DecodeFromChars(text, bytes, out _, out var written) != System.Buffers.OperationStatus.Done
            || written != length || bytes[0] != Version
            || BinaryPrimitives.ReadUInt64LittleEndian(bytes[1..]) != storeId
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes[(length - CrcBytes)..]) != Crc32C.Compute(bytes[..(length - CrcBytes)]))
        {
            return false;
        }

        for (var i = 0; i < positions.Length; i++) positions[i] = BinaryPrimitives.ReadInt64LittleEndian(bytes[(HeaderBytes + (8 * i))..]);
        return true;
    }
}
