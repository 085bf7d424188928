using System.Buffers.Text;
using System.Net.Sockets;
using System.Text;

namespace Warp.Http.StreamClient;

/// <summary>HTTP/1.1 over a bare socket: one request, its body and its answer at the same time, both in chunks.</summary>
internal sealed class Http1Session(ClientOptions options, string run, int number) : Session(options, run, number)
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };

    public override async Task RunAsync(CancellationToken stop)
    {
        await _socket.ConnectAsync(Options.Url.Host, Options.Url.Port, CancellationToken.None);
        await SendAsync(Encoding.ASCII.GetBytes(
            $"POST /v1/events HTTP/1.1\r\nHost: {Options.Url.Authority}\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"));
        var reading = Task.Run(ReadAsync, CancellationToken.None);
        var sending = SendLinesAsync(stop);
        await await Task.WhenAny(reading, sending); // a wrong reply ends it at once
        await Task.WhenAll(reading, sending);
        ExpectAllAnswered();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) _socket.Dispose();
        base.Dispose(disposing);
    }

    private async Task SendLinesAsync(CancellationToken stop)
    {
        var chunk = new byte[SendBytes + 64];
        while (await NextAsync(stop) is { IsEmpty: false } lines)
        {
            if (chunk.Length < lines.Length + 64) chunk = new byte[lines.Length + 64];
            Utf8Formatter.TryFormat(lines.Length, chunk, out var at, 'x');
            at += Put("\r\n"u8, chunk.AsSpan(at));
            at += Put(lines.Span, chunk.AsSpan(at));
            at += Put("\r\n"u8, chunk.AsSpan(at));
            await SendAsync(chunk.AsMemory(0, at));
        }

        await SendAsync("0\r\n\r\n"u8.ToArray());
    }

    private static int Put(ReadOnlySpan<byte> bytes, Span<byte> destination)
    {
        bytes.CopyTo(destination);
        return bytes.Length;
    }

    private async ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty) bytes = bytes[await _socket.SendAsync(bytes)..];
    }

    private async Task ReadAsync()
    {
        var buffer = new byte[64 * 1024];
        var chunks = new ChunkReader(Replies.Take);
        while (!chunks.IsEnded)
        {
            var read = await _socket.ReceiveAsync(buffer.AsMemory());
            if (read == 0) throw new EndOfStreamException("The service closed the connection before the answer's end.");
            chunks.Take(buffer.AsSpan(0, read));
        }
    }
}
