using System.Buffers.Binary;
using System.Numerics;

namespace Warp.Http.Events;

/// <summary>CRC-32C (Castagnoli, RFC 3720 appendix B.4), by the processor's instruction where there is one.</summary>
public static class Crc32C
{
    /// <summary>The checksum of <paramref name="data"/>; pass an earlier result as <paramref name="seed"/> to go on with it.</summary>
    public static uint Compute(ReadOnlySpan<byte> data, uint seed = 0)
    {
        var crc = ~seed;
        while (data.Length >= sizeof(ulong))
        {
            crc = BitOperations.Crc32C(crc, BinaryPrimitives.ReadUInt64LittleEndian(data));
            data = data[sizeof(ulong)..];
        }

        foreach (var b in data) crc = BitOperations.Crc32C(crc, b);
        return ~crc;
    }
}
