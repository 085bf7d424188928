using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace Warp.Http.Tests.Endpoints;

/// <summary>A streaming append over a bare socket: .NET's client does not show an HTTP/1.1 answer before its own body is sent.</summary>
internal sealed class OpenStream : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    private readonly TcpClient _client = new();
    private StreamReader _reader = StreamReader.Null;

    public static async Task<OpenStream> StartAsync(Uri address)
    {
        var stream = new OpenStream();
        await stream._client.ConnectAsync(address.Host, address.Port);
        stream._reader = new StreamReader(new ChunkedStream(stream._client.GetStream()));
        await stream.SendRawAsync("POST /v1/events HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n");
        return stream;
    }

    public Task SendAsync(string text) => SendRawAsync($"{Encoding.UTF8.GetByteCount(text):x}\r\n{text}\r\n");

    public Task EndAsync() => SendRawAsync("0\r\n\r\n");

    public async Task SendRawAsync(string bytes) => await _client.GetStream().WriteAsync(Encoding.UTF8.GetBytes(bytes));

    /// <summary>The next reply line.</summary>
    public async Task<JsonElement> ReadReplyAsync()
    {
        var line = await _reader.ReadLineAsync().WaitAsync(s_patience) ?? throw new EndOfStreamException("The answer ended before the reply.");
        return JsonDocument.Parse(line).RootElement;
    }

    public ValueTask DisposeAsync()
    {
        _client.LingerState = new LingerOption(true, 0); // the tests that end in order have read all they want
        _client.Dispose();
        _reader.Dispose();
        return ValueTask.CompletedTask;
    }
}
