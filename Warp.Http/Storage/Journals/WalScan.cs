using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Warp.Http.Storage;

/// <summary>
/// Reads a WAL's frames by SQLite's file format (https://www.sqlite.org/fileformat2.html#the_write_ahead_log), because SQLite itself takes the
/// first bad frame for the end and says nothing. A torn end is legal: it was never synced. A bad frame with a later transaction behind it is not:
/// that transaction began only after the one before it was synced.
/// </summary>
internal static class WalScan
{
    private const int FileHeaderBytes = 32;
    private const int FrameHeaderBytes = 24;
    private const uint MagicLittleEndian = 0x377f0682;

    /// <param name="path">The WAL.</param>
    /// <param name="isCut">The catalog says where it ends: behind that end a power cut may have left anything.</param>
    /// <exception cref="DamagedDataException">The WAL is damaged inside what was synced.</exception>
    /// <returns>The transactions before the first frame that is not whole.</returns>
    public static int Check(string path, bool isCut = false)
    {
        if (!File.Exists(path)) return 0;
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 1 << 20);
        var header = new byte[FileHeaderBytes];
        if (file.ReadAtLeast(header, FileHeaderBytes, throwOnEndOfStream: false) < FileHeaderBytes) return 0;
        var magic = BinaryPrimitives.ReadUInt32BigEndian(header);
        if ((magic & ~1u) != MagicLittleEndian)
        {
            if (file.Length > FileHeaderBytes) throw Damaged(path, 0, "its header is not a WAL's");
            return 0;
        }

        var bigEndian = (magic & 1) != 0;
        var sum = Sum(header.AsSpan(0, 24), bigEndian, (0, 0));
        if (sum != ReadSum(header.AsSpan(24))) throw Damaged(path, 0, "its header's checksum does not match");
        var pageSize = BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(8));
        if (pageSize is < 512 or > 65536) throw Damaged(path, 0, $"it says its pages have {pageSize} bytes");
        return CheckFrames(path, file, header.AsSpan(16, 8).ToArray(), sum, bigEndian, new byte[FrameHeaderBytes + pageSize], isCut);
    }

    private static int CheckFrames(string path, FileStream file, byte[] salts, (uint, uint) previous, bool bigEndian, byte[] frame, bool isCut)
    {
        var firstBad = -1;
        var transactions = 0;
        var committedAfterBad = false;
        for (var i = 0; file.ReadAtLeast(frame, frame.Length, throwOnEndOfStream: false) == frame.Length; i++)
        {
            var stored = ReadSum(frame.AsSpan(16));
            var sum = Sum(frame.AsSpan(FrameHeaderBytes), bigEndian, Sum(frame.AsSpan(0, 8), bigEndian, previous));
            var good = sum == stored && frame.AsSpan(8, 8).SequenceEqual(salts);
            previous = stored; // the next frame is judged by what this one says, so that one bad frame does not make the rest look bad
            if (good && committedAfterBad) throw Damaged(path, firstBad, $"a later transaction stands behind it in frame {i}");
            if (!good && isCut) break;
            if (!good && firstBad < 0) firstBad = i;
            if (firstBad < 0 && BinaryPrimitives.ReadUInt32BigEndian(frame.AsSpan(4)) != 0) transactions++;
            committedAfterBad |= firstBad >= 0 && BinaryPrimitives.ReadUInt32BigEndian(frame.AsSpan(4)) != 0 && frame.AsSpan(8, 8).SequenceEqual(salts);
        }

        return transactions;
    }

    // A start runs it once, over 64 MB: without this most of that would run as the quick compiler left it.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (uint, uint) Sum(ReadOnlySpan<byte> data, bool bigEndian, (uint S0, uint S1) sum)
    {
        // The words of a WAL are those of the machine that made it, as a rule this one: then they are read as they stand. A start sums 64 MB.
        var words = MemoryMarshal.Cast<byte, uint>(data);
        var reverse = bigEndian == BitConverter.IsLittleEndian;
        var (s0, s1) = sum;
        unchecked
        {
            for (var i = 0; i + 1 < words.Length; i += 2)
            {
                s0 += (reverse ? BinaryPrimitives.ReverseEndianness(words[i]) : words[i]) + s1;
                s1 += (reverse ? BinaryPrimitives.ReverseEndianness(words[i + 1]) : words[i + 1]) + s0;
            }
        }

        return (s0, s1);
    }

    private static (uint, uint) ReadSum(ReadOnlySpan<byte> source) =>
        (BinaryPrimitives.ReadUInt32BigEndian(source), BinaryPrimitives.ReadUInt32BigEndian(source[4..]));

    private static DamagedDataException Damaged(string path, int frame, string why) =>
        new($"{Path.GetFileName(path)} is damaged at frame {frame}: {why}.");
}
