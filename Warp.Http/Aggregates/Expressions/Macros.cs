using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

internal enum MacroKind : byte
{
    Map,
    Filter,
    All,
    Exists,
    ExistsOne,
}

/// <summary>CEL's macros: <c>has(x.y)</c>, <c>list.map(x, …)</c>, <c>filter</c>, <c>all</c>, <c>exists</c>, <c>exists_one</c>.</summary>
internal static class Macros
{
    public static bool IsTest(string name) => string.Equals(name, "has", StringComparison.Ordinal);

    /// <summary>The macro of that name if its arguments begin with a variable.</summary>
    public static MacroKind? Find(string name, bool followsVariable) => !followsVariable ? null : name switch
    {
        "map" => MacroKind.Map,
        "filter" => MacroKind.Filter,
        "all" => MacroKind.All,
        "exists" => MacroKind.Exists,
        "exists_one" => MacroKind.ExistsOne,
        _ => null,
    };
}

/// <summary>Runs its body for each item of a list, or each name of a map.</summary>
internal sealed class MacroNode : Node
{
    private readonly MacroKind _kind;
    private readonly Node _target;
    private readonly int _slot;
    private readonly Node? _filter;
    private readonly Node _body;
    private readonly int _stepsPerItem;

    public MacroNode(Token at, MacroKind kind, Node target, int slot, Node? filter, Node body)
        : base(at)
    {
        _kind = kind;
        _target = Adopt(target);
        _slot = slot;
        _filter = filter is null ? null : Adopt(filter);
        _body = Adopt(body);
        _stepsPerItem = 1 + body.Size + (filter?.Size ?? 0);
    }

    public override JsonValue Evaluate(ref Evaluation e)
    {
        var target = _target.Evaluate(ref e);
        if (target.IsError) return target;
        if (target.Kind == JsonKind.List) return Run(ref e, target.List.Items);
        if (target.Kind != JsonKind.Map) return e.Fail(this, $"Macros go over a list or the names of a map, not over {Name(target)}.");
        if (!e.TryCharge(target.Map.Count)) return e.Exhausted(this);
        var names = new JsonValue[target.Map.Count];
        var count = 0;
        foreach (ref readonly var member in target.Map) names[count++] = JsonValue.Of(member.Name);
        return Run(ref e, names);
    }

    private JsonValue Run(ref Evaluation e, ReadOnlySpan<JsonValue> items)
    {
        var results = _kind is MacroKind.Map or MacroKind.Filter ? new List<JsonValue>() : null;
        var found = 0;
        EvaluationFault? passedOver = null;
        foreach (ref readonly var item in items)
        {
            if (!e.TryCharge(_stepsPerItem)) return e.Exhausted(this);
            e.Variables[_slot] = item;
            if (_filter is not null)
            {
                var isWanted = Test(ref e, _filter);
                if (isWanted.IsError) return isWanted;
                if (isWanted.Kind == JsonKind.False) continue;
            }

            var value = _kind == MacroKind.Map ? _body.Evaluate(ref e) : Test(ref e, _body);
            if (value.IsError)
            {
                // As for && and ||, of which all and exists are chains: another item may still decide.
                if (_kind is not (MacroKind.All or MacroKind.Exists) || e.Steps < 0) return value;
                passedOver ??= e.Fault;
                continue;
            }

            if (_kind == MacroKind.Map) results!.Add(value);
            else if (_kind == MacroKind.Filter && value.Kind == JsonKind.True) results!.Add(item);
            else if (_kind == MacroKind.All && value.Kind == JsonKind.False) return value;
            else if (_kind == MacroKind.Exists && value.Kind == JsonKind.True) return value;
            else if (value.Kind == JsonKind.True) found++;
        }

        if (results is not null) return e.Bounded(this, JsonValue.Of(new JsonList([.. results])));
        if (passedOver is null) return JsonValue.Of(_kind == MacroKind.All || (_kind == MacroKind.ExistsOne && found == 1));
        e.Fault = passedOver;
        return JsonValue.Error;
    }

    private static JsonValue Test(ref Evaluation e, Node test)
    {
        var value = test.Evaluate(ref e);
        return value.IsBool || value.IsError ? value : e.Fail(test, $"A macro's condition is a truth value, not {Name(value)}.");
    }
}
