using Microsoft.Extensions.Time.Testing;
using Warp.Http.Events;
using Warp.Http.Subscriptions;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Subscriptions;

/// <summary>How sessions are woken: at once where little is appended, in rounds with rests where much is, and none is forgotten.</summary>
public sealed class DeliveryLaneTests : IDisposable
{
    /// <summary>Several batches: fewer never rest.</summary>
    private const int Subscribers = 200;

    private readonly TempDirectory _directory = new("lane");
    private readonly StoreFixture _store;
    private readonly FakeTimeProvider _time = new();
    private readonly Subscriber[] _subscribers;
    private readonly long[] _taken = new long[Subscribers];
    private readonly long[] _turns = new long[Subscribers];
    private long _appended;

    public DeliveryLaneTests()
    {
        _store = new StoreFixture(StoreFixture.Small(_directory.Path));
        var filter = new SubscriptionFilter(_store.Definitions, [], null, null);
        _subscribers = [.. Enumerable.Range(0, Subscribers).Select(_ => new Subscriber(filter, 256, 1 << 20))];
    }

    public void Dispose()
    {
        foreach (var subscriber in _subscribers) subscriber.Stop(SubscriptionEnd.Stopping);
        _store.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task Beside_few_appends_each_event_is_sent_at_once()
    {
        using var lane = await StartAsync();
        for (var seq = 1; seq <= 20; seq++)
        {
            Push(lane, seq);
            await EverybodyHasAsync(seq);
            _time.Advance(TimeSpan.FromMilliseconds(20)); // 50 events a second
        }
    }

    [Fact]
    public async Task Beside_many_appends_deliveries_rest_and_then_send_together_what_came_meanwhile()
    {
        using var lane = await StartAsync();
        _time.Advance(TimeSpan.FromMilliseconds(20));
        _appended = 1_000;
        using (await LaneHold.BeginAsync(lane, _subscribers[0].Filter)) Push(lane, 1);
        await Eventually.BecomesTrueAsync("the lane rests", () => lane.IsResting);
        HasEverybody(1).ShouldBeTrue();

        for (var seq = 2; seq <= 10; seq++) Push(lane, seq);
        HasEverybody(1).ShouldBeTrue("nothing is sent while it rests");
        await Eventually.BecomesTrueAsync("the rest ends", () =>
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            return HasEverybody(10);
        });

        _turns.ShouldAllBe(turns => turns == 2);
    }

    /// <summary>When all of them wait.</summary>
    private async Task<DeliveryLane> StartAsync()
    {
        // On the pool, where sessions run, too: what would bring them back to a test's own context would let the lane go ahead of them.
        await Task.Run(() =>
        {
            for (var i = 0; i < Subscribers; i++) _ = FollowAsync(i);
        });
        return new DeliveryLane(() => _appended, _time);
    }

    /// <summary>As a session does it, without a client.</summary>
    private async Task FollowAsync(int index)
    {
        var subscriber = _subscribers[index];
        subscriber.GoLive();
        while (true)
        {
            await subscriber.WaitAsync();
            _turns[index]++;
            while (subscriber.Next(out var e) is var turn && turn != SubscriberTurn.Nothing)
            {
                if (turn != SubscriberTurn.Event) return;
                e!.Seq.ShouldBe(_taken[index] + 1);
                Volatile.Write(ref _taken[index], e.Seq);
            }
        }
    }

    private void Push(DeliveryLane lane, long seq)
    {
        WakeBatch? filling = null;
        foreach (var subscriber in _subscribers)
        {
            subscriber.TryPush(new LiveEvent(new Life(0, 1), seq, seq, []), out var wake).ShouldBeTrue();
            if (wake) WakeBatch.Add(ref filling, subscriber, lane);
        }

        WakeBatch.Queue(ref filling, lane);
    }

    private Task EverybodyHasAsync(long seq) => Eventually.BecomesTrueAsync(
        $"everybody has event {seq}", () => HasEverybody(seq));

    private bool HasEverybody(long seq) => Enumerable.Range(0, Subscribers).All(i => Volatile.Read(ref _taken[i]) == seq);
}
