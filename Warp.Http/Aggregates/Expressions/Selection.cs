using System.Text;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>Something that may be missing: a member or an item. What <c>has()</c> can ask about.</summary>
internal abstract class SelectionNode(Token at) : Node(at)
{
    private const int ShownBytes = 100;

    /// <summary>How messages call what was looked for.</summary>
    protected abstract string Wanted(ref Evaluation e);

    /// <summary>The value, missing if it isn't there, or an error if there is nothing to look in.</summary>
    public abstract JsonValue Select(ref Evaluation e);

    public override JsonValue Evaluate(ref Evaluation e) => Checked(ref e, Select(ref e));

    public static JsonValue FailOutOfRange(ref Evaluation e, Node at, in JsonValue number)
    {
        var characters = number.Characters!;
        var shown = Encoding.ASCII.GetString(characters.AsSpan(0, Math.Min(40, characters.Length)));
        return e.Fail(at, $"The number {shown} has more than {Number.DigitsMax} significant digits or is too large or small to calculate with.");
    }

    /// <summary>A name for a message, shortened: messages that a macro passes over are made all the same.</summary>
    protected static string Shown(byte[] name) =>
        name.Length <= ShownBytes ? Encoding.UTF8.GetString(name) : $"{Encoding.UTF8.GetString(name.AsSpan(0, ShownBytes)).TrimEnd('\ufffd')}…";

    protected JsonValue Checked(ref Evaluation e, in JsonValue value)
    {
        if (value.IsMissing) return e.FailMissing(this, $"There is no {Wanted(ref e)}; ask with has() whether there is.");
        return value.IsNumber && value.IsOutOfRange ? FailOutOfRange(ref e, this, value) : value;
    }

    protected JsonValue FailNoMembers(ref Evaluation e, in JsonValue target) =>
        e.Fail(this, $"There is no {Wanted(ref e)}: what it is read from is {Name(target)}, not a map.");
}

internal sealed class MemberNode : SelectionNode
{
    private readonly Node _target;
    private readonly byte[] _name;

    public MemberNode(Token at, Node target, byte[] name)
        : base(at)
    {
        _target = Adopt(target);
        _name = name;
    }

    public override JsonValue Select(ref Evaluation e)
    {
        var target = _target.Evaluate(ref e);
        if (target.Kind == JsonKind.Map) return target.Map.Get(_name);
        return target.IsError ? target : FailNoMembers(ref e, target);
    }

    protected override string Wanted(ref Evaluation e) => $"member \"{Shown(_name)}\"";
}

/// <summary><c>state.balance</c>: the commonest selection, without a call for the state and a copy of it.</summary>
internal sealed class StateMemberNode(Token at, byte[] name) : SelectionNode(at)
{
    public override JsonValue Evaluate(ref Evaluation e) => Checked(ref e, Select(ref e));

    public override JsonValue Select(ref Evaluation e) =>
        e.State.Kind == JsonKind.Map ? e.State.Map.Get(name) : FailNoMembers(ref e, e.State);

    protected override string Wanted(ref Evaluation e) => $"member \"{Shown(name)}\" in the state";
}

/// <summary><c>payload.amount</c>: a slot that is filled while the payload is scanned.</summary>
internal sealed class PayloadMemberNode(Token at, byte[] name, int slot) : SelectionNode(at)
{
    public override JsonValue Evaluate(ref Evaluation e) => Checked(ref e, Select(ref e));

    public override JsonValue Select(ref Evaluation e) =>
        e.Payload.Kind == JsonKind.Map ? e.PayloadMembers[slot] : FailNoMembers(ref e, e.Payload);

    protected override string Wanted(ref Evaluation e) => $"member \"{Shown(name)}\" in the payload";
}

/// <summary><c>list[0]</c> and <c>map["name"]</c> with an index that is calculated.</summary>
internal sealed class IndexNode : SelectionNode
{
    private readonly Node _target;
    private readonly Node _index;

    public IndexNode(Token at, Node target, Node index)
        : base(at)
    {
        _target = Adopt(target);
        _index = Adopt(index);
    }

    public override JsonValue Select(ref Evaluation e)
    {
        var target = _target.Evaluate(ref e);
        if (target.IsError) return target;
        var index = _index.Evaluate(ref e);
        if (index.IsError) return index;
        switch (target.Kind)
        {
            case JsonKind.Map when index.Kind == JsonKind.Text:
                if (!e.TryChargeName(index.Utf8)) return e.Exhausted(this);
                return target.Map.Get(index.Utf8.AsSpan());
            case JsonKind.Map:
                return e.Fail(_index, $"A map is indexed by a text, not by {Name(index)}.");
            case JsonKind.List when index.IsNumber && index.Number.TryToInt32(out var at):
                return at >= 0 && at < target.List.Count ? target.List.Items[at] : default;
            case JsonKind.List:
                return e.Fail(_index, "A list is indexed by a whole number.");
            default:
                return e.Fail(this, $"Only lists and maps have items, not {Name(target)}.");
        }
    }

    protected override string Wanted(ref Evaluation e) => "such item";
}

/// <summary><c>has(x.y)</c>: whether the member is there, be it null.</summary>
internal sealed class HasNode : Node
{
    private readonly SelectionNode _selection;

    public HasNode(Token at, SelectionNode selection)
        : base(at) => _selection = Adopt(selection);

    public override JsonValue Evaluate(ref Evaluation e)
    {
        var value = _selection.Select(ref e);
        return value.IsError ? value : JsonValue.Of(!value.IsMissing);
    }
}
