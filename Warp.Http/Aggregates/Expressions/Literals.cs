using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

internal sealed class ListNode : Node
{
    private readonly Node[] _items;

    public ListNode(Token at, Node[] items)
        : base(at) => _items = Adopt(items);

    public override JsonValue Evaluate(ref Evaluation e)
    {
        if (_items.Length == 0) return JsonValue.Of(JsonList.Empty);
        var items = new JsonValue[_items.Length];
        for (var i = 0; i < items.Length; i++)
        {
            items[i] = _items[i].Evaluate(ref e);
            if (items[i].IsError) return items[i];
        }

        return e.Bounded(this, JsonValue.Of(new JsonList(items)));
    }
}

internal sealed class MapNode : Node
{
    private readonly Node[] _names;
    private readonly Node[] _values;

    public MapNode(Token at, Node[] names, Node[] values)
        : base(at)
    {
        _names = Adopt(names);
        _values = Adopt(values);
    }

    public override JsonValue Evaluate(ref Evaluation e)
    {
        var map = new JsonMap(capacity: _names.Length);
        for (var i = 0; i < _names.Length; i++)
        {
            var name = _names[i].Evaluate(ref e);
            if (name.IsError) return name;
            if (name.Kind != JsonKind.Text) return e.Fail(_names[i], $"A member's name is a text, not {Name(name)}.");
            if (!e.TryChargeName(name.Utf8)) return e.Exhausted(this);
            if (!map.Get(name.Utf8.AsSpan()).IsMissing) return e.Fail(_names[i], $"The map has the member \"{name.GetString()}\" twice.");
            var value = _values[i].Evaluate(ref e);
            if (value.IsError) return value;
            map.Set(name.Utf8, value);
        }

        return e.Bounded(this, JsonValue.Of(map));
    }
}
