using System.Buffers.Binary;

namespace Warp.Http.Tests.Storage;

/// <summary>
/// A journal's WAL as a test cuts it: where its transactions end (https://www.sqlite.org/fileformat2.html#the_write_ahead_log).
/// </summary>
internal static class WalFile
{
    private const int HeaderBytes = 32;

    /// <summary>The length of the file after each transaction, the one that makes the table first.</summary>
    public static List<long> TransactionEnds(string path)
    {
        var bytes = File.ReadAllBytes(path);
        var frameBytes = 24 + BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(8));
        var ends = new List<long>();
        for (var at = HeaderBytes; at + frameBytes <= bytes.Length; at += frameBytes)
            if (BinaryPrimitives.ReadUInt32BigEndian(bytes.AsSpan(at + 4)) != 0) ends.Add(at + frameBytes);
        return ends;
    }

    public static void Cut(string path, long length)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Write);
        file.SetLength(length);
    }

    public static void FlipBit(string path, long bit)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        file.Position = bit / 8;
        var b = file.ReadByte();
        file.Position = bit / 8;
        file.WriteByte((byte)(b ^ (1 << (int)(bit % 8))));
    }
}
