namespace Warp.Http.Subscriptions;

/// <summary>Up to 32 sessions that are woken one after the other: a tail only queues, and a work item a session costs as much as its send.</summary>
internal sealed class WakeBatch
{
    private const int SubscribersMax = 32;

    private readonly Subscriber[] _subscribers = new Subscriber[SubscribersMax];
    private int _count;

    /// <summary>Adds to the batch that is being filled; a full one is queued, and a new one begun at the next call.</summary>
    public static void Add(ref WakeBatch? filling, Subscriber subscriber, DeliveryLane lane)
    {
        filling ??= new WakeBatch();
        filling._subscribers[filling._count++] = subscriber;
        if (filling._count == SubscribersMax) Queue(ref filling, lane);
    }

    public static void Queue(ref WakeBatch? filling, DeliveryLane lane)
    {
        if (filling is not null) lane.Queue(filling);
        filling = null;
    }

    /// <summary>Each session runs on here, until it waits again.</summary>
    public void Wake()
    {
        for (var i = 0; i < _count; i++) _subscribers[i].Wake();
    }
}
