namespace Warp.Http.Storage;

/// <summary>Wakes who waits for the next durable row. While nobody waits it costs the writer one read.</summary>
/// <remarks>
/// Prevented interleaving: a waiter finds no new row, the writer publishes one and finds no waiter, the waiter begins to wait. A waiter enters
/// itself first and looks again afterwards; the writer publishes first and looks for waiters afterwards; a full fence stands between the two
/// on either side.
/// </remarks>
internal sealed class CommitSignal
{
    private static readonly TaskCompletionSource<bool> Closed = ClosedSource();

    private TaskCompletionSource<bool>? _next;

    /// <summary>
    /// True at the next <see cref="Raise"/> after this call; false, perhaps at once, when there will be none. What it is waited for must be looked at
    /// again after this call.
    /// </summary>
    public Task<bool> Next()
    {
        var next = Volatile.Read(ref _next);
        while (next is null)
        {
            var added = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
            next = Interlocked.CompareExchange(ref _next, added, null) ?? added;
        }

        Interlocked.MemoryBarrier();
        return next.Task;
    }

    /// <summary>After a row became durable and readable.</summary>
    public void Raise()
    {
        Interlocked.MemoryBarrier();
        var waiting = Volatile.Read(ref _next);
        if (waiting is null || ReferenceEquals(waiting, Closed)) return;
        if (Interlocked.CompareExchange(ref _next, null, waiting) == waiting) waiting.TrySetResult(true);
    }

    /// <summary>No row comes any more: nobody waits longer.</summary>
    public void Close() => Interlocked.Exchange(ref _next, Closed)?.TrySetResult(false);

    private static TaskCompletionSource<bool> ClosedSource()
    {
        var source = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        source.SetResult(false);
        return source;
    }
}
