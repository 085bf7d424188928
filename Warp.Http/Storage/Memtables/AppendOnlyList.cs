namespace Warp.Http.Storage;

/// <summary>A list that one thread appends to while any thread reads.</summary>
/// <remarks>
/// Invariant: the first <see cref="Count"/> items never change. The array is published before the count that needs it, so a reader
/// that takes the count first always finds an array long enough.
/// </remarks>
internal class AppendOnlyList<T>
{
    private T[] _items = [];
    private int _count;

    public int Count => Volatile.Read(ref _count);

    /// <summary>The items so far; a later append is not in it.</summary>
    public ReadOnlySpan<T> Items
    {
        get
        {
            var count = Volatile.Read(ref _count);
            return Volatile.Read(ref _items).AsSpan(0, count);
        }
    }

    public void Append_WriterThreadOnly(in T item)
    {
        if (_count == _items.Length)
        {
            var larger = new T[Math.Max(2, _count * 2)];
            _items.CopyTo(larger, 0);
            Volatile.Write(ref _items, larger);
        }

        _items[_count] = item;
        Volatile.Write(ref _count, _count + 1);
    }
}
