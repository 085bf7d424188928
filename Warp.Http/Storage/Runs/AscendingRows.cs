namespace Warp.Http.Storage;

/// <summary>Rows of several sources, each in ascending order of key, as one sequence in that order; of equal keys the earlier source comes first.</summary>
internal sealed class AscendingRows
{
    private readonly IReadOnlyList<Func<long?>> _next;
    private readonly PriorityQueue<int, (long Key, int Source)> _queue = new();

    /// <param name="next">Moves a source on and answers its key; null at its end.</param>
    public AscendingRows(IReadOnlyList<Func<long?>> next)
    {
        _next = next;
        for (var source = 0; source < next.Count; source++) Enqueue(source);
        Current = -1;
    }

    /// <summary>The source that stands on the row.</summary>
    public int Current { get; private set; }

    public long Key { get; private set; }

    public bool MoveNext()
    {
        // Only now, for whoever looked at the row is done with it.
        if (Current >= 0) Enqueue(Current);
        if (!_queue.TryDequeue(out var source, out var at)) return false;
        (Current, Key) = (source, at.Key);
        return true;
    }

    private void Enqueue(int source)
    {
        if (_next[source]() is { } key) _queue.Enqueue(source, (key, source));
    }
}
