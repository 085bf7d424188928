using System.Buffers.Binary;
using System.Buffers.Text;

namespace Warp.Http.Events;

/// <summary>
/// A consumer's places in all shards in the opaque, URL-safe form that clients see, version 2: base64url of
/// <c>version u8 | storeId u64 | per shard: position, until - position, [entity, seq: only inside a run] | crc32c u32</c>, numbers as varints.
/// </summary>
/// <remarks>
/// The checksum finds what was cut or mistyped; it keeps out nobody who computes it. So what is read is judged anyway: here by its form, and
/// by each shard's <c>CommitFeed</c> by what the shard holds.
/// </remarks>
public static class Cursor
{
    private const byte Version = 2;
    private const int HeaderBytes = 1 + 8;
    private const int CrcBytes = 4;
    private const int PlaceBytesMax = 4 * 10;

    public static string Format(ulong storeId, ReadOnlySpan<FeedPlace> places)
    {
        Span<byte> bytes = stackalloc byte[HeaderBytes + (PlaceBytesMax * Life.ShardsMax) + CrcBytes];
        return Base64Url.EncodeToString(bytes[..Write(bytes, storeId, places)]);
    }

    /// <summary>The same as ASCII; answers its length, <see cref="TextBytesMax"/> at most.</summary>
    public static int Format(Span<byte> ascii, ulong storeId, ReadOnlySpan<FeedPlace> places)
    {
        Span<byte> bytes = stackalloc byte[HeaderBytes + (PlaceBytesMax * places.Length) + CrcBytes];
        return Base64Url.EncodeToUtf8(bytes[..Write(bytes, storeId, places)], ascii);
    }

    public static int TextBytesMax(int shards) => Base64Url.GetEncodedLength(HeaderBytes + (PlaceBytesMax * shards) + CrcBytes);

    /// <summary>
    /// Reads a cursor back; false if it is malformed, damaged, of another store or of another number of shards. Each cursor has one text only.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<char> text, ulong storeId, Span<FeedPlace> places)
    {
        if (text.Length > Base64Url.GetEncodedLength(HeaderBytes + (PlaceBytesMax * places.Length) + CrcBytes)) return false;
        Span<byte> bytes = stackalloc byte[HeaderBytes + (PlaceBytesMax * Life.ShardsMax) + CrcBytes];
        if (Base64Url.DecodeFromChars(text, bytes, out _, out var length) != System.Buffers.OperationStatus.Done
            || length < HeaderBytes + CrcBytes || bytes[0] != Version
            || BinaryPrimitives.ReadUInt64LittleEndian(bytes[1..]) != storeId
            || BinaryPrimitives.ReadUInt32LittleEndian(bytes[(length - CrcBytes)..]) != Crc32C.Compute(bytes[..(length - CrcBytes)]))
        {
            return false;
        }

        ReadOnlySpan<byte> rest = bytes[HeaderBytes..(length - CrcBytes)];
        foreach (ref var place in places)
            if (!TryReadPlace(ref rest, out place)) return false;

        // Spare bits of the last character and numbers with leading zeros would make a second text of the same cursor.
        return rest.IsEmpty && text.SequenceEqual(Format(storeId, places));
    }

    private static int Write(Span<byte> bytes, ulong storeId, ReadOnlySpan<FeedPlace> places)
    {
        bytes[0] = Version;
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[1..], storeId);
        var at = HeaderBytes;
        foreach (var place in places)
        {
            at += Varint.Write(bytes[at..], (ulong)place.Position);
            at += Varint.Write(bytes[at..], (ulong)(place.Until - place.Position));
            if (place.IsPlain) continue;
            at += Varint.Write(bytes[at..], (ulong)place.Entity);
            at += Varint.Write(bytes[at..], (ulong)place.Seq);
        }

        BinaryPrimitives.WriteUInt32LittleEndian(bytes[at..], Crc32C.Compute(bytes[..at]));
        return at + CrcBytes;
    }

    private static bool TryReadPlace(scoped ref ReadOnlySpan<byte> source, out FeedPlace place)
    {
        place = default;
        if (!TryReadNumber(ref source, out var position) || !TryReadNumber(ref source, out var range) || range > long.MaxValue - position) return false;
        long entity = 0, seq = 0;
        if (range > 0 && !(TryReadNumber(ref source, out entity) && TryReadNumber(ref source, out seq))) return false;
        place = new FeedPlace(position, position + range, entity, seq);
        return place.IsCanonical;
    }

    private static bool TryReadNumber(scoped ref ReadOnlySpan<byte> source, out long number)
    {
        number = 0;
        for (var i = 0; i < source.Length && i < 9; i++) // nine bytes hold the 63 bits of a number that is not negative
        {
            number |= (long)(source[i] & 0x7f) << (7 * i);
            if (source[i] >= 0x80) continue;
            source = source[(i + 1)..];
            return true;
        }

        return false;
    }
}
