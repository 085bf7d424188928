namespace Warp.Http.Aggregates.Values;

/// <summary>An immutable list. It knows its weight and depth, so that what shares its parts is still bounded as a tree.</summary>
public sealed class JsonList
{
    private const int HeaderBytes = 64;
    private const int ItemBytes = 24;

    private readonly JsonValue[] _items;

    /// <summary>Takes the array over; nobody may write to it afterwards.</summary>
    public JsonList(JsonValue[] items)
    {
        _items = items;
        var weight = HeaderBytes + ((long)items.Length * ItemBytes);
        var depth = 0;
        foreach (ref readonly var item in items.AsSpan())
        {
            weight += item.Weight;
            depth = Math.Max(depth, item.Depth);
        }

        Weight = weight;
        Depth = depth + 1;
    }

    public static JsonList Empty { get; } = new([]);

    public int Count => _items.Length;

    public ReadOnlySpan<JsonValue> Items => _items;

    public long Weight { get; }

    public int Depth { get; }
}
