using System.IO.Pipelines;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Subscriptions;

/// <summary>All subscriptions of the service: a tail for each shard, the sessions that are open, and one tick for all of them.</summary>
internal sealed partial class SubscriptionHub : IAsyncDisposable
{
    private static readonly TimeSpan TickEvery = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly HashSet<SubscriptionSession> _sessions = [];
    private readonly Store _store;
    private readonly int _sessionsMax;
    private readonly DeliveryLane _lane;
    private readonly ILogger _logger;
    private readonly ITimer _tick;

    public SubscriptionHub(
        Store store, EntityRegistry registry, IOptions<SubscriptionOptions> options, IOptions<Limits> limits, TimeProvider time, ILogger<SubscriptionHub> logger)
    {
        _store = store;
        _logger = logger;
        _sessionsMax = limits.Value.Subscriptions;
        (Registry, Options, Time) = (registry, options.Value, time);
        Reader = new LifeReader(store);
        _lane = new DeliveryLane(Appended, time);
        Tails = [.. store.AllShards.ToArray().Select(shard => new ShardTail(store, shard, _lane, logger))];
        _tick = time.CreateTimer(static hub => ((SubscriptionHub)hub!).Tick(), this, TickEvery, TickEvery);
    }

    public EntityRegistry Registry { get; }

    public SubscriptionOptions Options { get; }

    public TimeProvider Time { get; }

    public LifeReader Reader { get; }

    public ShardTail[] Tails { get; }

    public ulong StoreId => _store.StoreId;

    public int Open
    {
        get
        {
            lock (_gate) return _sessions.Count;
        }
    }

    /// <summary>False if there are as many as there may be. Whoever entered leaves.</summary>
    public bool TryEnter(SubscriptionSession session)
    {
        lock (_gate)
        {
            if (_sessions.Count >= _sessionsMax) return false;
            _sessions.Add(session);
        }

        SubscriptionMetrics.Open.Add(1);
        return true;
    }

    public void Leave(SubscriptionSession session)
    {
        session.Leave();
        lock (_gate) _sessions.Remove(session);
        SubscriptionMetrics.Open.Add(-1);
    }

    public ShardTail TailOf(EntityName name) => Tails[_store.ShardOf(name.Utf8).Index];

    public bool IsErased(Life life)
    {
        var tombstones = _store.AllShards[life.Shard].Tombstones;
        return tombstones.Any && tombstones.IsFenced(life.Number);
    }

    public Tombstone? FindErasure(EntityName name) => Registry.FindErasure(name.Utf8);

    /// <summary>Reads on in one shard, on a reader's thread.</summary>
    /// <exception cref="ShardUnavailableException">The shard is out of service, or does not know the place.</exception>
    public async ValueTask<FeedPage> ReadFeedAsync(int shard, FeedPlace place, int entriesMax, int bytesMax)
    {
        var from = _store.AllShards[shard];
        try
        {
            return await _store.Readers.RunAsync(() => from.Feed.Read(place, entriesMax, bytesMax))
                ?? throw new ShardUnavailableException("The shard does not know a place that was its own.");
        }
        catch (DamagedDataException damage)
        {
            from.Quarantine(damage);
            throw;
        }
    }

    /// <summary>True of a place in another entity's log. One of a life younger than any here may be this entity's of before a restore.</summary>
    public bool IsForeign(EntityName name, EntityActor? actor, AskedPlace asked)
    {
        if (asked.Life.IsNone || asked.Life == actor?.Life) return false;
        var shard = _store.ShardOf(name.Utf8);
        if (asked.Life.Shard != shard.Index) return true;
        return asked.Life.Number <= shard.LastEntity && !shard.Tombstones.Holds(_store.TagOf(name.Utf8), asked.Life.Number);
    }

    /// <summary>Fixes where an entity's stream begins: what becomes durable after this call is sent.</summary>
    /// <param name="actor">As it was found just now; null = the entity does not exist yet.</param>
    public async ValueTask<EntityStart> FixStartAsync(EntityName name, EntityActor? actor, AskedPlace? asked)
    {
        var isRecreated = actor is { Life: { IsNone: false } life } && TailOf(name).IsRecreated(name.Utf8, life.Number);
        var start = EntityStart.Of(actor?.Life ?? default, actor?.DurableSeq ?? 0, isRecreated, asked);
        if (start.Resync is not ResyncReason.Ahead || start.Life.IsNone) return start;

        // The actor may have been passivated since it was found, and another gone on: what is stored decides.
        return EntityStart.Of(start.Life, await Reader.LastSeqAsync(start.Life), isRecreated, asked);
    }

    /// <summary>Where a stream of all entities begins that wants only what comes next.</summary>
    /// <exception cref="ShardUnavailableException">A shard is out of service: the stream would not be whole.</exception>
    public FeedPlace[] CurrentPlaces() => Array.ConvertAll(_store.AllShards.ToArray(), shard => FeedPlace.At(shard.Feed.Watermark));

    /// <summary>Replaces what no client of this store can have come to by the nearest place that loses nothing; answers why, or null if nothing was.</summary>
    public string? Resync(FeedPlace[] places)
    {
        string? reason = null;
        for (var i = 0; i < places.Length; i++)
        {
            var feed = _store.AllShards[i].Feed;
            if (feed.Knows(places[i])) continue;
            var isAhead = places[i].Position > feed.Watermark;
            places[i] = FeedPlace.At(isAhead ? feed.Watermark : places[i].Position);
            reason = isAhead ? ResyncReason.Ahead : reason ?? ResyncReason.Unknown;
        }

        return reason;
    }

    public bool TryParseCursor(string text, out FeedPlace[] places)
    {
        places = new FeedPlace[_store.Shards];
        return Cursor.TryParse(text, _store.StoreId, places);
    }

    /// <summary>Everything that is stored.</summary>
    public FeedPlace[] StartPlaces() => new FeedPlace[_store.Shards];

    public async ValueTask DisposeAsync()
    {
        await _tick.DisposeAsync();
        await Task.WhenAll(Tails.Select(tail => tail.StopAsync()));
        _lane.Dispose();
    }

    private long Appended()
    {
        var sum = 0L;
        foreach (var shard in _store.AllShards) sum += shard.DurablePosition;
        return sum;
    }

    private void Tick()
    {
        SubscriptionSession[] open;
        lock (_gate) open = [.. _sessions];
        WakeBatch? wakes = null;
        foreach (var session in open)
        {
            try
            {
                session.Tick(_lane, ref wakes);
            }
            catch (Exception e)
            {
                // The others are looked after all the same, and this one again at the next tick; out of here it would end the process.
                LogTickFailed(_logger, e);
            }
        }

        WakeBatch.Queue(ref wakes, _lane);
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "An event stream could not be looked after.")]
    private static partial void LogTickFailed(ILogger logger, Exception e);
}
