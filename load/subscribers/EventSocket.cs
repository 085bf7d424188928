using System.Buffers.Text;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Warp.Http.Subscribers;

/// <summary>One event stream on a bare socket: an HTTP client would cost more than what is measured.</summary>
internal sealed class EventSocket : IDisposable
{
    private const int BufferBytes = 8 * 1024;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly TaskCompletionSource _live = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<(int N, long At)> _received = [];

    /// <summary>Which event came when.</summary>
    public IReadOnlyList<(int N, long At)> Received => _received;

    /// <summary>Ends when the stream says that it is live.</summary>
    public Task Live => _live.Task;

    public async Task OpenAsync(Uri url, string entity, bool isDeaf)
    {
        if (isDeaf) _socket.ReceiveBufferSize = 4096; // what the kernel takes for it is not read either
        await _socket.ConnectAsync(IPAddress.Loopback, url.Port);
        await _socket.SendAsync(Encoding.ASCII.GetBytes($"GET /v1/entities/{entity}/subscribe HTTP/1.1\r\nHost: {url.Authority}\r\nAccept: text/event-stream\r\n\r\n"));
    }

    /// <summary>Reads until the socket is closed.</summary>
    public async Task ReadAsync()
    {
        var buffer = new byte[BufferBytes];
        var kept = 0;
        try
        {
            while (await _socket.ReceiveAsync(buffer.AsMemory(kept)) is > 0 and var read)
            {
                var at = Stopwatch.GetTimestamp();
                var end = kept + read;
                var done = Take(buffer.AsSpan(0, end), at);
                kept = end - done;
                if (kept == buffer.Length) throw new InvalidDataException("A message is larger than the buffer.");
                buffer.AsSpan(done, kept).CopyTo(buffer);
            }
        }
        catch (SocketException)
        {
            // The measurement is over, or the service cut the stream; what came counts.
        }
        catch (ObjectDisposedException)
        {
            // Likewise.
        }

        _live.TrySetException(new IOException("The stream ended before it was live."));
    }

    public void Dispose() => _socket.Dispose();

    /// <summary>Takes whole messages; answers how many bytes they have.</summary>
    private int Take(ReadOnlySpan<byte> bytes, long at)
    {
        var done = 0;
        while (bytes[done..].IndexOf("\n\n"u8) is >= 0 and var length)
        {
            var message = bytes.Slice(done, length);
            done += length + 2;
            if (message.IndexOf("caught-up"u8) >= 0) _live.TrySetResult();
            var mark = "\"payload\":{\"n\":"u8;
            if (message.IndexOf(mark) is >= 0 and var payload && Utf8Parser.TryParse(message[(payload + mark.Length)..], out int n, out _)) _received.Add((n, at));
        }

        return done;
    }
}
