namespace Warp.Http.Subscriptions;

/// <summary>Wakes sessions on the thread pool, 32 to a work item: a tail only queues, and a work item a session costs as much as its send.</summary>
internal sealed class WakeBatch : IThreadPoolWorkItem
{
    private const int SubscribersMax = 32;

    private readonly Subscriber[] _subscribers = new Subscriber[SubscribersMax];
    private int _count;

    /// <summary>Adds to the batch that is being filled; a full one is queued, and a new one begun at the next call.</summary>
    public static void Add(ref WakeBatch? filling, Subscriber subscriber)
    {
        filling ??= new WakeBatch();
        filling._subscribers[filling._count++] = subscriber;
        if (filling._count == SubscribersMax) Queue(ref filling);
    }

    public static void Queue(ref WakeBatch? filling)
    {
        if (filling is not null) ThreadPool.UnsafeQueueUserWorkItem(filling, preferLocal: false);
        filling = null;
    }

    public void Execute()
    {
        for (var i = 0; i < _count; i++) _subscribers[i].Wake();
    }
}
