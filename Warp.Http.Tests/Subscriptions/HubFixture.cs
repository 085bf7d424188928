using System.IO.Pipelines;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Subscriptions;
using Warp.Http.Tests.Storage;

namespace Warp.Http.Tests.Subscriptions;

/// <summary>A store with subscriptions on it, without HTTP: a session writes into a pipe that the test reads.</summary>
internal sealed class HubFixture : IAsyncDisposable
{
    private readonly Limits _limits = new();

    public HubFixture(StoreOptions options, SubscriptionOptions? subscriptions = null, TimeProvider? time = null, long memoryBytes = 1L << 28)
    {
        Store = new StoreFixture(options, memoryBytes);
        Hub = new SubscriptionHub(
            Store.Store, Store.Registry, Options.Create(subscriptions ?? new SubscriptionOptions()), Options.Create(_limits), time ?? TimeProvider.System,
            NullLogger<SubscriptionHub>.Instance);
    }

    public StoreFixture Store { get; }

    public SubscriptionHub Hub { get; }

    public SubscriptionFilter Filter(string? aggregate = null, string? kind = null, params string[] types) => new(
        Store.Definitions, [.. types.Select(System.Text.Encoding.UTF8.GetBytes)], aggregate, kind is null ? null : System.Text.Encoding.UTF8.GetBytes(kind));

    /// <summary>As the endpoint does it: a place as text, or null for only what comes next.</summary>
    public async Task<PipeClient> FollowAsync(string entity, string? lastEventId, SubscriptionFilter? filter = null)
    {
        var name = new EntityName(StoreFixture.Bytes(entity));
        AskedPlace? asked = null;
        if (lastEventId is not null)
        {
            AskedPlace.TryParse(lastEventId, out var place).ShouldBeTrue(lastEventId);
            asked = place;
        }

        var found = await Store.FindAsync(entity);
        var start = await Hub.FixStartAsync(name, found.Actor, asked);
        return new PipeClient(Hub, (pipe, abort) => new EntitySession(Hub, name, start, filter ?? Filter(), pipe, abort));
    }

    public PipeClient FollowAll(string? cursor, SubscriptionFilter? filter = null)
    {
        FeedPlace[]? places = null;
        if (cursor is null) places = Hub.CurrentPlaces();
        else if (cursor == "start") places = Hub.StartPlaces();
        else Hub.TryParseCursor(cursor, out places).ShouldBeTrue(cursor);
        var resync = Hub.Resync(places);
        return new PipeClient(Hub, (pipe, abort) => new FeedSession(Hub, places, resync, filter ?? Filter(), pipe, abort));
    }

    public async ValueTask DisposeAsync()
    {
        await Hub.DisposeAsync();
        Store.Dispose();
    }
}

/// <summary>The client's end of a session: small, so that it is felt soon when nobody reads.</summary>
internal sealed class PipeClient : IAsyncDisposable
{
    private readonly Pipe _pipe = new(new PipeOptions(pauseWriterThreshold: 4096, resumeWriterThreshold: 2048, useSynchronizationContext: false));
    private readonly Task _running;
    private readonly StreamReader _text;
    private readonly SubscriptionHub _hub;

    public PipeClient(SubscriptionHub hub, Func<PipeWriter, Action, SubscriptionSession> open)
    {
        _hub = hub;
        Session = open(_pipe.Writer, () =>
        {
            if (AbortFails) throw new InvalidOperationException("The request has ended.");
            WasAborted = true;
            _pipe.Writer.CancelPendingFlush();
        });
        hub.TryEnter(Session).ShouldBeTrue();
        _text = new StreamReader(_pipe.Reader.AsStream(leaveOpen: true), bufferSize: 256);
        Reader = new SseReader(_text);
        _running = RunAsync();
    }

    public SubscriptionSession Session { get; }

    public SseReader Reader { get; }

    public bool WasAborted { get; private set; }

    public bool AbortFails { get; set; }

    public bool HasEnded => _running.IsCompleted;

    public async Task<SseMessage?> ReadAsync()
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TimeSpan.FromSeconds(60));
        return await Reader.ReadAsync(patience.Token);
    }

    /// <summary>Leaves at once, whatever is on its way, and waits until the session has noticed.</summary>
    public async ValueTask DisposeAsync()
    {
        await _pipe.Reader.CompleteAsync();
        Session.Stop(SubscriptionEnd.ClientGone);
        await _running.WaitAsync(TimeSpan.FromSeconds(60));
        _text.Dispose();
    }

    private async Task RunAsync()
    {
        await Task.Yield();
        try
        {
            await Session.RunAsync();
        }
        finally
        {
            _hub.Leave(Session);
            await _pipe.Writer.CompleteAsync();
        }
    }
}
