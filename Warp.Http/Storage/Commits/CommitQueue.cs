namespace Warp.Http.Storage;

/// <summary>What waits for a shard's writer: a lock-free queue of many producers and one consumer in one word.</summary>
/// <remarks>
/// The word is null (writer awake, nothing queued), Sleeping (writer asleep, nothing queued) or the newest item, which leads to the older ones.
/// Any thread enqueues. Only the writer takes, falls asleep and gets up. Who replaces Sleeping must wake: there is no separate flag that could
/// be set between the writer's last look and its sleep.
/// </remarks>
internal sealed class CommitQueue<TItem, TAtomics>
    where TItem : class, IQueued<TItem>
    where TAtomics : struct, IAtomics
{
    private static readonly object Sleeping = new();
    private object? _word;

    /// <summary>True if the caller must wake the writer.</summary>
    public bool Enqueue(TItem item)
    {
        while (true)
        {
            var head = TAtomics.Read(ref _word);
            item.Next = head as TItem;
            if (ReferenceEquals(TAtomics.CompareExchange(ref _word, item, head), head)) return ReferenceEquals(head, Sleeping);
        }
    }

    /// <summary>All that is queued, oldest first; null if nothing is.</summary>
    public TItem? TakeAll_WriterOnly()
    {
        if (TAtomics.Read(ref _word) is null) return null;
        return QueuedChain.OldestFirst(TAtomics.Exchange(ref _word, null) as TItem);
    }

    /// <summary>False if something was queued meanwhile: take it instead of sleeping.</summary>
    public bool TryFallAsleep_WriterOnly() => TAtomics.CompareExchange(ref _word, Sleeping, null) is null;

    /// <summary>After a sleep that nobody ended; an item that comes at the same moment stays queued.</summary>
    public void GetUp_WriterOnly() => TAtomics.CompareExchange(ref _word, null, Sleeping);
}
