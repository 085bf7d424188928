using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Warp.Http.Subscribers;

/// <summary>One event stream on a bare socket, read by the <see cref="EventLoop"/>.</summary>
internal sealed class EventSocket : IDisposable
{
    private const int MessageBytesMax = 8 * 1024;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly TaskCompletionSource _live = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<(int N, long ArrivedAt, long ReadAt)> _received = [];
    private byte[] _kept = []; // the start of a message whose end has not come yet

    public int Descriptor => (int)_socket.Handle;

    /// <summary>Which event came when, and when it was read; several at once count as the last of them.</summary>
    public IReadOnlyList<(int N, long ArrivedAt, long ReadAt)> Received => _received;

    /// <summary>How often something was read: fewer than messages where the service sent several at once.</summary>
    public int Reads { get; private set; }

    /// <summary>Ends when the stream says that it is live.</summary>
    public Task Live => _live.Task;

    /// <remarks>Not async: a socket that was used so once belongs to the runtime's own event loop, too, which then wakes for each message.</remarks>
    public void Open(Uri url, string entity, bool isDeaf)
    {
        if (isDeaf) _socket.ReceiveBufferSize = 4096; // what the kernel takes for it is not read either
        ReceivedMessage.NoteArrivals(_socket);
        _socket.Connect(IPAddress.Loopback, url.Port);
        _socket.Send(Encoding.ASCII.GetBytes($"GET /v1/entities/{entity}/subscribe HTTP/1.1\r\nHost: {url.Authority}\r\nAccept: text/event-stream\r\n\r\n"));
        _socket.Blocking = false;
    }

    /// <summary>Takes what came; event loop only.</summary>
    public void Take(ReadOnlySpan<byte> bytes, long arrivedAt, long readAt)
    {
        Reads++;
        if (_kept.Length > 0) bytes = (byte[])[.. _kept, .. bytes];
        while (bytes.IndexOf("\n\n"u8) is >= 0 and var length)
        {
            var message = bytes[..length];
            bytes = bytes[(length + 2)..];
            var mark = "\"payload\":{\"n\":"u8;
            if (message.IndexOf(mark) is >= 0 and var payload && Utf8Parser.TryParse(message[(payload + mark.Length)..], out int n, out _)) _received.Add((n, arrivedAt, readAt));
            else if (message.IndexOf("caught-up"u8) >= 0) _live.TrySetResult();
        }

        if (bytes.Length > MessageBytesMax) throw new InvalidDataException("A message is larger than any that is due.");
        _kept = bytes.IsEmpty ? [] : bytes.ToArray();
    }

    /// <summary>The service cut the stream; what came counts. Event loop only.</summary>
    public void End()
    {
        _live.TrySetException(new IOException("The stream ended before it was live."));
        _socket.Dispose();
    }

    public void Dispose() => _socket.Dispose();
}
