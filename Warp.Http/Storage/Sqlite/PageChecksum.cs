using System.Buffers.Binary;
using System.IO.Hashing;

namespace Warp.Http.Storage;

/// <summary>
/// The checksum of a page of a run or the catalog: XxHash3 of all but the last 8 bytes, seeded with the page's number, in the last 8 bytes, which
/// SQLite is told to leave alone. A page that is right but stands in the wrong place does not match either.
/// </summary>
internal static class PageChecksum
{
    public const int PageBytes = 4096;

    /// <summary>SQLite's "reserved bytes" at the end of each page.</summary>
    public const int ReservedBytes = sizeof(ulong);

    /// <param name="page">The whole page; its last bytes are filled in.</param>
    /// <param name="number">Counts from 1, as in SQLite.</param>
    public static void Fill(Span<byte> page, long number) => BinaryPrimitives.WriteUInt64LittleEndian(page[^ReservedBytes..], Of(page, number));

    public static bool IsIntact(ReadOnlySpan<byte> page, long number) => BinaryPrimitives.ReadUInt64LittleEndian(page[^ReservedBytes..]) == Of(page, number);

    private static ulong Of(ReadOnlySpan<byte> page, long number) => XxHash3.HashToUInt64(page[..^ReservedBytes], number);
}
