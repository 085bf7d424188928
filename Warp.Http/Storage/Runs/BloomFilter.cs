using System.Runtime.InteropServices;

namespace Warp.Http.Storage;

/// <summary>
/// A split-block Bloom filter: one 32-byte block a key, one bit in each of its eight words, so that a test touches one cache line.
/// 16 bits a key give about 0.1% false positives (Putze, Sanders, Singler: "Cache-, hash- and space-efficient Bloom filters", 2009).
/// </summary>
internal sealed class BloomFilter
{
    private const int WordsPerBlock = 8;
    private const int BitsPerKey = 16;

    // Odd multipliers that spread the low half of the hash over the eight words; the values of the Parquet format's specification.
    private static readonly uint[] Salts = [0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31];

    private readonly uint[] _words;

    public BloomFilter(long keys) => _words = new uint[Math.Max(1, ((keys * BitsPerKey) + 255) / 256) * WordsPerBlock];

    private BloomFilter(uint[] words) => _words = words;

    public ReadOnlySpan<byte> Bytes => MemoryMarshal.AsBytes<uint>(_words);

    public static BloomFilter FromBytes(ReadOnlySpan<byte> bytes)
    {
        if (bytes.IsEmpty || bytes.Length % (WordsPerBlock * sizeof(uint)) != 0) throw new DamagedDataException($"A filter of {bytes.Length} bytes is not made of 32-byte blocks.");
        return new BloomFilter(MemoryMarshal.Cast<byte, uint>(bytes).ToArray());
    }

    /// <summary>Adds a key by its 64-bit hash, which must be uniform.</summary>
    public void Add(ulong hash)
    {
        var block = Block(hash);
        for (var i = 0; i < WordsPerBlock; i++) block[i] |= Bit(hash, i);
    }

    /// <summary>False = certainly not added.</summary>
    public bool MayContain(ulong hash)
    {
        var block = Block(hash);
        for (var i = 0; i < WordsPerBlock; i++)
            if ((block[i] & Bit(hash, i)) == 0) return false;
        return true;
    }

    private static uint Bit(ulong hash, int word) => 1u << (int)(unchecked((uint)hash * Salts[word]) >> 27);

    private Span<uint> Block(ulong hash)
    {
        var index = (int)(((hash >> 32) * (ulong)(_words.Length / WordsPerBlock)) >> 32);
        return _words.AsSpan(index * WordsPerBlock, WordsPerBlock);
    }
}
