using System.Collections.Concurrent;

namespace Warp.Http.Storage;

/// <summary>The erased lives of a shard in memory: which numbers don't exist any more, and what an erased name answers.</summary>
/// <remarks>The writer's thread adds as fences commit, maintenance moves them on; any thread reads.</remarks>
internal sealed class Tombstones
{
    private readonly ConcurrentDictionary<long, byte> _fenced = new();
    private readonly ConcurrentDictionary<NameTag, Tombstone> _byTag = new();
    private readonly ConcurrentDictionary<Guid, Tombstone> _byReceipt = new();
    private readonly ConcurrentDictionary<Guid, byte> _unsealed = new();
    private readonly ConcurrentDictionary<Guid, TaskCompletionSource> _waiting = new();
    private readonly AppendOnlyList<Tombstone> _byPosition = new();

    /// <summary>A fence that became durable in a journal, or was found in one.</summary>
    public void AddFromJournal(in Tombstone tombstone)
    {
        _unsealed[tombstone.ReceiptId] = 0; // first: an erasure that is pending and not unsealed is one that maintenance may complete
        Add(tombstone);
    }

    public void AddFromCatalog(in Tombstone tombstone) => Add(tombstone);

    /// <summary>True if the life was erased: nothing of it may be shown or sealed.</summary>
    public bool IsFenced(long entity) => _fenced.ContainsKey(entity);

    /// <summary>The last erasure of a name.</summary>
    public bool TryFind(NameTag tag, out Tombstone tombstone) => _byTag.TryGetValue(tag, out tombstone);

    /// <summary>True if the life was erased, and had this name. Looks through all erasures where it was not the last one of the name.</summary>
    public bool Holds(NameTag tag, long entity)
    {
        if (!_byTag.TryGetValue(tag, out var last)) return false;
        if (last.Entity == entity) return true;
        foreach (ref readonly var erased in _byPosition.Items)
            if (erased.Entity == entity && erased.Tag == tag) return true;
        return false;
    }

    public bool TryFind(Guid receipt, out Tombstone tombstone) => _byReceipt.TryGetValue(receipt, out tombstone);

    /// <summary>True if anything was ever erased.</summary>
    public bool Any => _byPosition.Count > 0;

    /// <summary>The fences behind <paramref name="position"/> up to <paramref name="until"/>, in that order.</summary>
    public List<Tombstone> Between(long position, long until)
    {
        var all = _byPosition.Items;
        int low = 0, high = all.Length;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (all[middle].Position <= position) low = middle + 1;
            else high = middle;
        }

        var between = new List<Tombstone>();
        for (; low < all.Length && all[low].Position <= until; low++) between.Add(all[low]);
        return between;
    }

    /// <summary>Every erasure so far, in order of position.</summary>
    public Tombstone[] ToArray() => _byPosition.Items.ToArray();

    /// <summary>Erasures whose data may still stand in some file.</summary>
    public List<Tombstone> Pending() => [.. _byReceipt.Values.Where(t => !t.Complete)];

    /// <summary>True if the fence is only in a journal so far; the data before it is then unsealed too.</summary>
    public bool IsUnsealed(in Tombstone tombstone) => _unsealed.ContainsKey(tombstone.ReceiptId);

    public void Sealed(in Tombstone tombstone) => _unsealed.TryRemove(tombstone.ReceiptId, out _);

    public void Completed(in Tombstone tombstone)
    {
        var complete = tombstone with { Complete = true };
        _byReceipt[tombstone.ReceiptId] = complete;
        _byTag.TryUpdate(tombstone.Tag, complete, tombstone);
        // The number stays fenced: whoever leased a view before the seal may still find its name there.
        if (_waiting.TryRemove(tombstone.ReceiptId, out var waiting)) waiting.TrySetResult();
    }

    /// <summary>Ends when no file holds the erased data any more.</summary>
    public Task WhenComplete(Guid receipt)
    {
        var waiting = _waiting.GetOrAdd(receipt, _ => new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        if (TryFind(receipt, out var tombstone) && tombstone.Complete && _waiting.TryRemove(receipt, out _)) waiting.TrySetResult();
        return waiting.Task;
    }

    /// <summary>The receipt last: whoever finds it finds the life fenced.</summary>
    private void Add(in Tombstone tombstone)
    {
        _byPosition.Append_WriterThreadOnly(tombstone); // at start in the catalog's order, then the journals', then as fences commit
        var added = tombstone;
        _byTag.AddOrUpdate(tombstone.Tag, added, (_, known) => known.Entity > added.Entity ? known : added);
        if (!tombstone.Complete) _fenced[tombstone.Entity] = 0;
        _byReceipt[tombstone.ReceiptId] = tombstone;
    }
}
