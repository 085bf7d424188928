namespace Warp.Http.Storage;

/// <summary>An item that carries its own link, so that queueing allocates nothing.</summary>
public interface IQueued<T>
    where T : class
{
    T? Next { get; set; }
}

/// <summary>Chains of such items.</summary>
internal static class QueuedChain
{
    /// <summary>Turns a chain round that leads from the newest item to the older ones: producers can only put theirs in front.</summary>
    public static T? OldestFirst<T>(T? newest)
        where T : class, IQueued<T>
    {
        T? oldest = null;
        while (newest is not null)
        {
            var next = newest.Next;
            newest.Next = oldest;
            oldest = newest;
            newest = next;
        }

        return oldest;
    }
}
