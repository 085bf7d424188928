using System.Net;
using System.Net.Http.Headers;

namespace Warp.Http.StreamClient;

/// <summary>By <see cref="HttpClient"/>: over HTTP/2 one request whose replies come while it is sent, over HTTP/1.1 one request after another.</summary>
internal sealed class HttpClientSession : Session
{
    private readonly HttpClient _http;

    public HttpClientSession(ClientOptions options, string run, int number)
        : base(options, run, number)
    {
        // A handler of its own, and so a connection.
        _http = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 1, UseProxy = false }) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public override Task RunAsync(CancellationToken stop) => Options.Transport == Transport.H2 ? StreamAsync(stop) : SendRequestsAsync(stop);

    protected override void Dispose(bool disposing)
    {
        if (disposing) _http.Dispose();
        base.Dispose(disposing);
    }

    private async Task StreamAsync(CancellationToken stop)
    {
        using var content = new LineContent(this, stop);
        using var response = await SendAsync(content, HttpVersion.Version20);
        await ReadAsync(response);
        ExpectAllAnswered();
    }

    /// <summary>Line numbers begin anew with each request, so the answer is checked as one of its own.</summary>
    private async Task SendRequestsAsync(CancellationToken stop)
    {
        while (await TakeWindowAsync(stop) is { Length: > 0 } body)
        {
            using var content = new ByteArrayContent(body);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/x-ndjson");
            Replies.BeginRequest();
            using var response = await SendAsync(content, HttpVersion.Version11);
            await ReadAsync(response);
            ExpectAllAnswered();
        }
    }

    private async ValueTask<byte[]> TakeWindowAsync(CancellationToken stop)
    {
        using var body = new MemoryStream();
        for (var lines = 0; lines < Options.Window;)
        {
            var bytes = await NextAsync(stop);
            if (bytes.IsEmpty) break;
            body.Write(bytes.Span);
            lines = Window.InFlight;
        }

        return body.ToArray();
    }

    private async Task<HttpResponseMessage> SendAsync(HttpContent content, Version version)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Options.Url, "/v1/events")) { Content = content, Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        if (response.StatusCode != HttpStatusCode.OK) throw new InvalidDataException($"The service answered {response.StatusCode}: {await response.Content.ReadAsStringAsync()}");
        return response;
    }

    private async Task ReadAsync(HttpResponseMessage response)
    {
        await using var answer = await response.Content.ReadAsStreamAsync();
        var buffer = new byte[64 * 1024];
        while (await answer.ReadAsync(buffer) is > 0 and var read) Replies.Take(buffer.AsSpan(0, read));
    }

    /// <summary>A body that is written as long as there are lines.</summary>
    private sealed class LineContent : HttpContent
    {
        private readonly HttpClientSession _session;
        private readonly CancellationToken _stop;

        public LineContent(HttpClientSession session, CancellationToken stop)
        {
            (_session, _stop) = (session, stop);
            Headers.ContentType = new MediaTypeHeaderValue("application/x-ndjson");
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            while (await _session.NextAsync(_stop) is { IsEmpty: false } lines)
            {
                await stream.WriteAsync(lines, CancellationToken.None);
                await stream.FlushAsync(CancellationToken.None);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
