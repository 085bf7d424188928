namespace Warp.Http.Storage;

/// <summary>The shard's current view; replaced by the writer (rotation) and by maintenance (seal, rewrite), leased by readers.</summary>
internal sealed class ViewHolder(View first) : IDisposable
{
    private readonly Lock _replacing = new();
    private View _current = first;

    /// <summary>For a look at what is in memory; files of its runs may go away, so reading them needs a <see cref="Lease"/>.</summary>
    public View Current => Volatile.Read(ref _current);

    public ViewLease Lease()
    {
        while (true)
        {
            var view = Volatile.Read(ref _current);
            if (view.TryAcquire()) return new ViewLease(view); // else it was replaced between the two lines: the new one is there
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

    public void Dispose() => Current.Release();
}

internal readonly struct ViewLease(View view) : IDisposable
{
    public View View => view;

    public void Dispose() => view.Release();
}
