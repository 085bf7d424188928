using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;

namespace Warp.Http.Aggregates;

/// <summary>
/// A row's share of the digest over all definitions: what stands in a row is believed at a start, so a flipped bit in a name, a number or a mark
/// of deletion must be noticed as one in a body is, and so must a row that is gone. Shares are added, so that one changes without the others.
/// </summary>
internal static class DefinitionDigest
{
    public static ulong Of(string name, int version, long writtenAtMs, bool deleted, ReadOnlySpan<byte> body)
    {
        var hash = new XxHash3();
        Span<byte> numbers = stackalloc byte[20];
        BinaryPrimitives.WriteInt32LittleEndian(numbers, version);
        BinaryPrimitives.WriteInt64LittleEndian(numbers[4..], writtenAtMs);
        BinaryPrimitives.WriteInt32LittleEndian(numbers[12..], deleted ? 1 : 0);
        BinaryPrimitives.WriteInt32LittleEndian(numbers[16..], name.Length);
        hash.Append(numbers);
        hash.Append(Encoding.UTF8.GetBytes(name));
        hash.Append(body);
        return hash.GetCurrentHashAsUInt64();
    }
}
