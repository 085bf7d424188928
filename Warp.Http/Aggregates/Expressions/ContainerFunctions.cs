using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>Functions of lists and maps: <c>size</c>, and changed copies by <c>put</c>, <c>remove</c> and <c>distinct</c>.</summary>
internal static class ContainerFunctions
{
    public static Function[] All { get; } =
    [
        new("size", FunctionForms.Both, 1, 1, Size),
        new("put", FunctionForms.Method, 3, 3, Put),
        new("remove", FunctionForms.Method, 2, 2, Remove),
        new("distinct", FunctionForms.Method, 1, 1, Distinct),
    ];

    /// <summary>Items of a list, members of a map, code points of a text.</summary>
    private static JsonValue Size(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments)
    {
        var value = arguments[0];
        switch (value.Kind)
        {
            case JsonKind.List:
                return JsonValue.Of(value.List.Count);
            case JsonKind.Map:
                return JsonValue.Of(value.Map.Count);
            case JsonKind.Text:
                if (!e.TryCharge(value.Utf8.Length >> 6)) return e.Exhausted(at);
                return JsonValue.Of(TextFunctions.CountCodePoints(value.Utf8));
            default:
                return at.FailArgument(ref e, 0, "a text, a list or a map", value);
        }
    }

    /// <summary><c>map.put(name, value)</c>: the map with that member set.</summary>
    private static JsonValue Put(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments)
    {
        if (arguments[0].Kind != JsonKind.Map) return at.FailArgument(ref e, 0, "a map", arguments[0]);
        if (arguments[1].Kind != JsonKind.Text) return at.FailArgument(ref e, 1, "a text as the member's name", arguments[1]);
        if (!e.TryChargeName(arguments[1].Utf8) || !TryCopy(ref e, arguments[0].Map, out var copy)) return e.Exhausted(at);
        copy.Set(arguments[1].Utf8, arguments[2]);
        return e.Bounded(at, JsonValue.Of(copy));
    }

    /// <summary><c>map.remove(name)</c>: the map without that member; the same map if it has none.</summary>
    private static JsonValue Remove(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments)
    {
        if (arguments[0].Kind != JsonKind.Map) return at.FailArgument(ref e, 0, "a map", arguments[0]);
        if (arguments[1].Kind != JsonKind.Text) return at.FailArgument(ref e, 1, "a text as the member's name", arguments[1]);
        if (!e.TryChargeName(arguments[1].Utf8) || !TryCopy(ref e, arguments[0].Map, out var copy)) return e.Exhausted(at);
        copy.Remove(arguments[1].Utf8);
        return JsonValue.Of(copy);
    }

    /// <summary><c>list.distinct()</c>: each value once, where it came first.</summary>
    private static JsonValue Distinct(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments)
    {
        if (arguments[0].Kind != JsonKind.List) return at.FailArgument(ref e, 0, "a list", arguments[0]);
        var kept = new List<JsonValue>();
        foreach (ref readonly var item in arguments[0].List.Items)
        {
            var isNew = true;
            foreach (var other in kept)
            {
                var equal = ValueComparison.AreEqual(item, other, ref e.Steps);
                if (e.Steps < 0) return e.Exhausted(at);
                if (equal is null) return e.Fail(at, "The list has a number outside the range that can be calculated with.");
                if (equal is not true) continue;
                isNew = false;
                break;
            }

            if (isNew) kept.Add(item);
        }

        return JsonValue.Of(new JsonList([.. kept]));
    }

    private static bool TryCopy(ref Evaluation e, JsonMap map, out JsonMap copy)
    {
        // An owner that nobody else has makes a copy; nobody can change it once this call is over.
        copy = map;
        if (!e.TryCharge(1 + (map.Count >> 3) + (map.NameBytes >> 6))) return false;
        copy = map.Own(new object());
        return true;
    }
}
