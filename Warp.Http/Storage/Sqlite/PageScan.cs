using System.Buffers.Binary;

namespace Warp.Http.Storage;

/// <summary>Reads a database file page by page past SQLite and checks each page's checksum, those that SQLite would not look at included.</summary>
internal sealed class PageScan : IDisposable
{
    private const int PagesAtOnce = 256;
    private const int ReservedAt = 20;
    private const int PagesAt = 28;

    private readonly FileStream _file;
    private readonly byte[] _buffer = new byte[PagesAtOnce * PageChecksum.PageBytes];
    private long _next = 1;

    /// <exception cref="DamagedDataException">The file is missing, or its size is not that of its pages.</exception>
    public PageScan(string path)
    {
        try
        {
            _file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new DamagedDataException("The file is missing.", e);
        }
    }

    public long Bytes => _file.Length;

    /// <summary>Checks the next megabyte and tells each bad page; 0 at the file's end.</summary>
    public int Step(Action<long, string> onProblem)
    {
        _file.Position = (_next - 1) * PageChecksum.PageBytes;
        var read = _file.ReadAtLeast(_buffer, _buffer.Length, throwOnEndOfStream: false);
        var bytes = _buffer.AsSpan(0, read);
        if (_next == 1) CheckHeader(bytes, onProblem);
        for (; bytes.Length >= PageChecksum.PageBytes; bytes = bytes[PageChecksum.PageBytes..], _next++)
            if (!PageChecksum.IsIntact(bytes[..PageChecksum.PageBytes], _next)) onProblem(_next, "The checksum does not match.");
        if (!bytes.IsEmpty) onProblem(_next, $"The page is cut off: {bytes.Length} of {PageChecksum.PageBytes} bytes are there.");
        return read;
    }

    public void Dispose() => _file.Dispose();

    private void CheckHeader(ReadOnlySpan<byte> page, Action<long, string> onProblem)
    {
        if (!page.StartsWith("SQLite format 3\0"u8) || page.Length < PageChecksum.PageBytes)
        {
            onProblem(1, "It does not begin with a database's header.");
            return;
        }

        if (page[ReservedAt] != PageChecksum.ReservedBytes) onProblem(1, $"The header reserves {page[ReservedAt]} bytes a page; {PageChecksum.ReservedBytes} are due.");
        var pages = BinaryPrimitives.ReadUInt32BigEndian(page[PagesAt..]);
        if (pages * (long)PageChecksum.PageBytes > _file.Length)
            onProblem(1, $"The header counts {pages} pages; the file has {_file.Length / PageChecksum.PageBytes}.");
    }
}
