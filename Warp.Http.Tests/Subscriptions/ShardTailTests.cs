using Microsoft.Extensions.Logging.Abstractions;
using Warp.Http.Events;
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
