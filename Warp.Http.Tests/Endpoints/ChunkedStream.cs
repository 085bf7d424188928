using System.Globalization;
using System.Text;

namespace Warp.Http.Tests.Endpoints;

/// <summary>The body of an HTTP/1.1 answer in chunks, past its head; ends where the bytes end, be that the body's end or not.</summary>
internal sealed class ChunkedStream(Stream wire) : Stream
{
    private readonly BufferedStream _wire = new(wire, 64 * 1024);
    private bool _isHeadRead;
    private int _left;
    private bool _isEnded;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count)
    {
        if (!_isHeadRead)
        {
            while (ReadLine() is { Length: > 0 })
            {
                // A head.
            }

            _isHeadRead = true;
        }

        if (_left == 0 && !_isEnded)
        {
            var size = ReadLine();
            _isEnded = size is null || (_left = int.Parse(size, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture)) == 0;
        }

        if (_isEnded) return 0;
        var read = _wire.Read(buffer, offset, Math.Min(count, _left));
        _left -= read;
        if (read == 0) _isEnded = true;
        if (_left == 0) ReadLine();
        return read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        Task.Run(() => Read(buffer, offset, count), cancellationToken);

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var bytes = new byte[buffer.Length];
        var read = await Task.Run(() => Read(bytes, 0, bytes.Length), cancellationToken);
        bytes.AsSpan(0, read).CopyTo(buffer.Span);
        return read;
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) _wire.Dispose();
        base.Dispose(disposing);
    }

    private string? ReadLine()
    {
        var line = new StringBuilder();
        while (_wire.ReadByte() is >= 0 and var b)
        {
            if (b == '\n') return line.ToString().TrimEnd('\r');
            line.Append((char)b);
        }

        return null;
    }
}
