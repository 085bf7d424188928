using Microsoft.Extensions.Logging;
using Warp.Http.Aggregates.Values;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Subscriptions;

/// <summary>
/// Follows one shard's commits in memory while somebody subscribes, renders what is wanted once, and hands references to the subscribers. Split by role:
/// this file has who follows and the loop, .Visit what is done with a record.
/// </summary>
/// <remarks>
/// Any thread attaches and detaches; one loop at a time moves the position. Both hold the gate, the loop for a step of about 1 MiB, so that a
/// subscriber is attached between two rows: it gets everything behind the position that <see cref="Attach(Subscriber)"/> finds, and has to read
/// for itself what comes before. Sessions are woken by the lane, never on the loop's thread. The tail waits for nobody: who can't take an event lags.
/// </remarks>
internal sealed partial class ShardTail(Store store, Shard shard, DeliveryLane lane, ILogger logger)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<long, EntityTopic> _topics = [];
    private readonly Dictionary<byte[], EntityTopic> _awaited = new(Utf8Comparer.Instance);
    private readonly List<Subscriber> _ofAll = [];
    private readonly EntityNames _names = new(shard);
    private readonly TaskCompletionSource<bool> _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private WakeBatch? _wakes; // gathered and taken under the gate
    private int _attached;
    private long _position;
    private bool _isRunning;
    private Task _following = Task.CompletedTask; // under the gate: the last loop

    /// <summary>Up to here everything was pushed to who was attached.</summary>
    public long Position => Volatile.Read(ref _position);

    /// <summary>Attaches a subscriber of all entities.</summary>
    /// <exception cref="ShardUnavailableException">The shard is out of service.</exception>
    public void Attach(Subscriber subscriber)
    {
        lock (_gate)
        {
            Run();
            _ofAll.Add(subscriber);
            _attached++;
        }
    }

    /// <summary>Attaches a subscriber of one entity: by its number, or by its name alone while it has none.</summary>
    /// <exception cref="ShardUnavailableException">The shard is out of service.</exception>
    public void Attach(Subscriber subscriber, EntityName name, long number)
    {
        lock (_gate)
        {
            Run();
            var topic = number == 0 ? _awaited.GetValueOrDefault(name.Memory.ToArray()) : _topics.GetValueOrDefault(number);
            if (topic is null)
            {
                topic = new EntityTopic(name, store.TagOf(name.Utf8), number) { IsRecreated = number != 0 && IsRecreated(name.Utf8, number) };
                if (number == 0) _awaited.Add(name.Memory.ToArray(), topic);
                else _topics.Add(number, topic);
            }

            topic.Subscribers.Add(subscriber);
            subscriber.Topic = topic;
            _attached++;
        }
    }

    public void Detach(Subscriber subscriber)
    {
        lock (_gate)
        {
            if (subscriber.Topic is { } topic)
            {
                subscriber.Topic = null;
                if (!topic.Subscribers.Remove(subscriber)) return;
                _attached--;
                if (topic.Subscribers.Count == 0) Forget(topic);
            }
            else if (_ofAll.Remove(subscriber))
            {
                _attached--;
            }
        }
    }

    /// <summary>True if the name had another life before this number.</summary>
    public bool IsRecreated(ReadOnlySpan<byte> name, long number) =>
        shard.Tombstones.TryFind(store.TagOf(name), out var tombstone) && tombstone.Entity != number;

    /// <summary>Ends whoever follows, and is over when no loop runs any more.</summary>
    public Task StopAsync()
    {
        _stopped.TrySetResult(false);
        lock (_gate) return _following;
    }

    private void Forget(EntityTopic topic)
    {
        if (topic.Number == 0) _awaited.Remove(topic.Name.Memory.ToArray());
        else _topics.Remove(topic.Number);
    }

    /// <summary>Under the gate: the loop begins at the end of what there is.</summary>
    private void Run()
    {
        var feed = shard.Feed;
        if (_isRunning) return;
        Volatile.Write(ref _position, feed.Watermark);
        _isRunning = true;
        _following = Task.Run(() => FollowAsync(feed)); // ends when nobody follows, the shard ends or the service stops, and never throws
    }

    private async Task FollowAsync(CommitFeed feed)
    {
        try
        {
            while (Step(feed))
            {
                if (Position < feed.Watermark || await await Task.WhenAny(feed.WhenBeyond(Position), _stopped.Task)) continue;
                EndAll();
                return;
            }
        }
        catch (Exception e)
        {
            if (e is DamagedDataException damage) shard.Quarantine(damage);
            else if (e is not ShardUnavailableException) LogFailed(logger, shard.Index, e);
            EndAll();
        }
    }

    /// <summary>Shows what came next to who wants it; false when nobody follows any more.</summary>
    private bool Step(CommitFeed feed)
    {
        WakeBatch? wakes;
        lock (_gate)
        {
            if (_attached == 0)
            {
                _isRunning = false;
                _names.Clear(); // what is erased while nobody follows would stay here
                return false;
            }

            var position = _position;
            var visitor = new Visitor(this);
            if (feed.TryFollow(ref position, ref visitor))
            {
                Volatile.Write(ref _position, position);
            }
            else
            {
                LoseAll();
                Volatile.Write(ref _position, feed.Watermark);
            }

            // Under the gate: whoever ends gives up the loop there. One that looked here afterwards would meet what the next loop gathers, and take from
            // it the only wake-up of a session.
            wakes = TakeWakes();
        }

        Queue(wakes);
        return true;
    }

    private WakeBatch? TakeWakes()
    {
        var wakes = _wakes;
        _wakes = null;
        return wakes;
    }

    private void Queue(WakeBatch? wakes)
    {
        if (wakes is not null) lane.Queue(wakes);
    }

    /// <summary>What follows was sealed before it was seen here: everybody reads it from disk.</summary>
    private void LoseAll()
    {
        foreach (var subscriber in TakeAll())
        {
            subscriber.Lag(out var wake);
            if (wake) WakeBatch.Add(ref _wakes, subscriber, lane);
        }
    }

    private void EndAll()
    {
        WakeBatch? wakes;
        lock (_gate)
        {
            _isRunning = false;
            foreach (var subscriber in TakeAll()) End(subscriber, SubscriptionEnd.ShardClosed);
            wakes = TakeWakes(); // those of a step that failed half-way, too
        }

        Queue(wakes);
    }

    private void End(Subscriber subscriber, SubscriptionEnd reason)
    {
        subscriber.Stop(reason, out var wake);
        if (wake) WakeBatch.Add(ref _wakes, subscriber, lane);
    }

    private List<Subscriber> TakeAll()
    {
        List<Subscriber> all = [.. _ofAll, .. _topics.Values.SelectMany(t => t.Subscribers), .. _awaited.Values.SelectMany(t => t.Subscribers)];
        _ofAll.Clear();
        _topics.Clear();
        _awaited.Clear();
        _attached = 0;
        foreach (var subscriber in all) subscriber.Topic = null;
        return all;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "The tail of shard {Shard} failed; its subscribers are sent away and come again.")]
    private static partial void LogFailed(ILogger logger, int shard, Exception e);
}
