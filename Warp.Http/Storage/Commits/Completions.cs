using System.Collections.Concurrent;

namespace Warp.Http.Storage;

/// <summary>Runs completions on the thread pool, 32 to a work item: one item a completion costs as much as the completion itself.</summary>
internal sealed class Completions : IThreadPoolWorkItem
{
    private const int ItemsMax = 32;
    private const int PooledMax = 256;
    private static readonly ConcurrentQueue<Completions> Pool = new();

    private readonly CommitItem[] _items = new CommitItem[ItemsMax];
    private int _count;

    public static Completions Rent() => Pool.TryDequeue(out var batch) ? batch : new Completions();

    /// <summary>Adds an item; true if the batch is full and must be queued.</summary>
    public bool Add(CommitItem item)
    {
        _items[_count++] = item;
        return _count == ItemsMax;
    }

    public void Queue()
    {
        if (_count > 0) ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
        else Return();
    }

    public void Execute()
    {
        for (var i = 0; i < _count; i++) _items[i].Complete();
        Return();
    }

    private void Return()
    {
        Array.Clear(_items, 0, _count);
        _count = 0;
        if (Pool.Count < PooledMax) Pool.Enqueue(this);
    }
}
