using Warp.Http.Subscriptions;

namespace Warp.Http.Tests.Subscriptions;

/// <summary>A session that keeps the lane's item for itself until it is let go: what is queued meanwhile waits behind it, and is one round.</summary>
internal sealed class LaneHold : IDisposable
{
    private readonly ManualResetEventSlim _release = new();

    private LaneHold()
    {
    }

    public static async Task<LaneHold> BeginAsync(DeliveryLane lane, SubscriptionFilter filter)
    {
        var hold = new LaneHold();
        var subscriber = new Subscriber(filter, 1, 1);
        await Task.Run(() => { _ = hold.StayAsync(subscriber); }); // on the pool, where it goes on inline
        WakeBatch? filling = null;
        subscriber.HeartbeatDue(out var wake);
        wake.ShouldBeTrue();
        WakeBatch.Add(ref filling, subscriber, lane);
        WakeBatch.Queue(ref filling, lane);
        return hold;
    }

    public void Dispose() => _release.Set();

    private async Task StayAsync(Subscriber subscriber)
    {
        await subscriber.WaitAsync();
        _release.Wait(TimeSpan.FromSeconds(60));
    }
}
