namespace Warp.Http.Storage;

/// <summary>The shard's current view; replaced by the writer (rotation) and by maintenance (seal, rewrite), leased by readers.</summary>
internal sealed class ViewHolder(View first) : IDisposable
{
    private readonly Lock _replacing = new();
    private View _current = first;
    private volatile bool _closed;

    /// <summary>For a look at what is in memory; files of its runs may go away, so reading them needs a <see cref="Lease"/>.</summary>
    public View Current => Volatile.Read(ref _current);

    /// <exception cref="ShardUnavailableException">The shard is closed.</exception>
    public ViewLease Lease()
    {
        while (true)
        {
            var view = Volatile.Read(ref _current);
            if (view.TryAcquire()) return new ViewLease(view);

            // It was replaced between the two lines, and the new one is there; only a closed shard has none.
            if (_closed) throw new ShardUnavailableException("The shard is closed.") { IsTransient = false };
        }
    }

    public void Replace(Func<View, View> change)
    {
        lock (_replacing)
        {
            var old = _current;
            Volatile.Write(ref _current, change(old));
            old.Release();
        }
    }

    public void Dispose()
    {
        _closed = true;
        Current.Release();
    }
}

internal readonly struct ViewLease(View view) : IDisposable
{
    public View View => view;

    public void Dispose() => view.Release();
}
