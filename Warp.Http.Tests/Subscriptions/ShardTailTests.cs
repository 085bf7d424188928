using Microsoft.Extensions.Logging.Abstractions;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Subscriptions;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Subscriptions;

/// <summary>A tail whose subscribers come and go, without sessions and clients.</summary>
public sealed class ShardTailTests : IDisposable
{
    private const string Entity = "user/1";

    private readonly TempDirectory _directory = new("tail");
    private readonly StoreFixture _store;
    private readonly SubscriptionFilter _filter;

    public ShardTailTests()
    {
        _store = new StoreFixture(StoreFixture.Small(_directory.Path));
        _filter = new SubscriptionFilter(_store.Definitions, [], null, null);
    }

    public void Dispose()
    {
        _store.Dispose();
        _directory.Dispose();
    }

    /// <summary>A loop that ends is still about when the next one begins, and may touch nothing of it.</summary>
    [Fact]
    public async Task Whoever_attaches_while_a_loop_ends_is_woken_by_the_next_one()
    {
        using var lane = new DeliveryLane(() => 0, TimeProvider.System);
        var tail = new ShardTail(_store.Store, _store.Shard, lane, NullLogger.Instance);
        await _store.AppendAsync(Entity, new TestEvent("Moved"));
        var number = (await _store.ActorAsync(Entity)).Life.Number;
        var random = TestRun.Random();
        for (var round = 0; round < 100; round++)
        {
            var gone = new Subscriber(_filter, 256, 1 << 20);
            tail.Attach(gone, NameOf(Entity), number);
            tail.Detach(gone);
            await _store.AppendAsync(Entity, new TestEvent("Moved")); // with it the loop sees that nobody follows
            Thread.SpinWait(random.Next(20_000));

            var next = new Subscriber(_filter, 256, 1 << 20);
            next.GoLive();
            tail.Attach(next, NameOf(Entity), number);
            var taking = TakeToAsync(next, (2 * round) + 3);
            await _store.AppendAsync(Entity, new TestEvent("Moved"));
            await taking.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
            tail.Detach(next);
        }
    }

    /// <summary>Many at once, each in a pool item of its own, would stand before whatever the pool has to do for appends.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Ends_go_by_the_lane_as_events_do(bool isErased)
    {
        using var lane = new DeliveryLane(() => 0, TimeProvider.System);
        var tail = new ShardTail(_store.Store, _store.Shard, lane, NullLogger.Instance);
        var followers = Enumerable.Range(0, 50).Select(_ => Follow(tail)).ToList();
        var hold = await LaneHold.BeginAsync(lane, _filter);

        if (isErased) await _store.Registry.EraseAsync(StoreFixture.Bytes(Entity), Guid.NewGuid(), isNamedElsewhere: true, TestContext.Current.CancellationToken);
        else _store.Shard.Quarantine(new DamagedDataException("The test says so."));

        await Eventually.BecomesTrueAsync("they have ended", () => followers.TrueForAll(f => f.Subscriber.End != SubscriptionEnd.None));
        followers.ShouldAllBe(f => !f.Waiting.IsCompleted, "what the lane does not wake is not woken");
        hold.Dispose();
        await Task.WhenAll(followers.Select(f => f.Waiting)).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_tail_that_is_stopped_ends_its_subscribers_and_leaves_no_loop()
    {
        using var lane = new DeliveryLane(() => 0, TimeProvider.System);
        var tail = new ShardTail(_store.Store, _store.Shard, lane, NullLogger.Instance);
        var (_, waiting) = Follow(tail);

        await tail.StopAsync().WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);

        await waiting.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
    }

    private (Subscriber Subscriber, Task Waiting) Follow(ShardTail tail)
    {
        var subscriber = new Subscriber(_filter, 256, 1 << 20);
        subscriber.GoLive();
        tail.Attach(subscriber, NameOf(Entity), 0);
        return (subscriber, subscriber.WaitAsync().AsTask());
    }

    /// <summary>As a session does it; what was committed before it attached may come, too.</summary>
    private static async Task TakeToAsync(Subscriber subscriber, long seq)
    {
        for (var taken = 0L; taken != seq;)
        {
            switch (subscriber.Next(out var e))
            {
                case SubscriberTurn.Event: taken = e!.Seq; break;
                case SubscriberTurn.Nothing: await subscriber.WaitAsync(); break;
                case var turn: throw new InvalidOperationException($"{turn} instead of seq {seq}.");
            }
        }
    }

    private static EntityName NameOf(string entity) => new(StoreFixture.Bytes(entity));
}
