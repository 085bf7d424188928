using System.Net.Http.Headers;
using System.Text.Json;

namespace Warp.Http.Tests.Subscriptions;

/// <summary>An event stream over HTTP that is open.</summary>
internal sealed class EventStream : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly HttpResponseMessage _response;
    private readonly StreamReader _text;
    private readonly CancellationTokenSource _patience;

    private EventStream(HttpResponseMessage response, Stream body, CancellationTokenSource patience)
    {
        (_response, _patience) = (response, patience);
        _text = new StreamReader(body);
        Reader = new SseReader(_text);
    }

    public SseReader Reader { get; }

    public Version Version => _response.Version;

    public HttpResponseHeaders Headers => _response.Headers;

    public MediaTypeHeaderValue? ContentType => _response.Content.Headers.ContentType;

    /// <summary>Ends when the headers are there: then the start is fixed.</summary>
    public static async Task<EventStream> OpenAsync(HttpClient client, string path, string? lastEventId = null)
    {
        var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Patience);
        using var request = new HttpRequestMessage(HttpMethod.Get, path) { Version = client.DefaultRequestVersion, VersionPolicy = client.DefaultVersionPolicy };
        if (lastEventId is not null) request.Headers.TryAddWithoutValidation("Last-Event-ID", lastEventId);
        var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
        ((int)response.StatusCode).ShouldBe(200, response.StatusCode == System.Net.HttpStatusCode.OK ? "" : await response.Content.ReadAsStringAsync(patience.Token));
        return new EventStream(response, await response.Content.ReadAsStreamAsync(patience.Token), patience);
    }

    public Task<SseMessage?> ReadAsync() => Reader.ReadAsync(_patience.Token);

    /// <summary>The next message, whatever it is.</summary>
    public async Task<SseMessage> NextAsync() => (await ReadAsync()).ShouldNotBeNull("the stream ended");

    /// <summary>The next event, past control messages.</summary>
    public async Task<(string Id, JsonElement Event)> NextEventAsync()
    {
        while (true)
        {
            var message = await NextAsync();
            if (message.IsEvent) return (message.Id, JsonDocument.Parse(message.Data).RootElement);
        }
    }

    /// <summary>The next control message of this name, past everything else.</summary>
    public async Task<SseMessage> NextControlAsync(string name)
    {
        while (true)
        {
            var message = await NextAsync();
            if (message.Event == name) return message;
        }
    }

    /// <summary>A read under way ends with <see cref="OperationCanceledException"/>.</summary>
    public void Cancel() => _patience.Cancel();

    public async ValueTask DisposeAsync()
    {
        await _patience.CancelAsync();
        _text.Dispose();
        _response.Dispose();
        _patience.Dispose();
    }
}
