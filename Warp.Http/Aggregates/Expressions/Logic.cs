using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>
/// <c>&amp;&amp;</c> and <c>||</c>. The right side is evaluated only if the left doesn't decide; an error on the left is passed over if the
/// right decides, as the CEL language definition has it ("Logical Operators").
/// </summary>
internal sealed class LogicNode : Node
{
    private readonly Node _left;
    private readonly Node _right;
    private readonly JsonKind _decisive;
    private readonly string _sign;

    public LogicNode(Token at, Node left, Node right)
        : base(at)
    {
        _left = Adopt(left);
        _right = Adopt(right);
        _sign = at.Text;
        _decisive = at.Is("&&") ? JsonKind.False : JsonKind.True;
    }

    public override JsonValue Evaluate(ref Evaluation e)
    {
        var left = Operand(ref e, _left);
        if (left.Kind == _decisive) return left;
        var fault = e.Fault;
        var right = Operand(ref e, _right);
        if (!left.IsError || right.Kind == _decisive || e.Steps < 0) return e.Steps < 0 ? JsonValue.Error : right;
        e.Fault = fault;
        return left;
    }

    private JsonValue Operand(ref Evaluation e, Node operand)
    {
        var value = operand.Evaluate(ref e);
        return value.IsBool || value.IsError ? value : e.Fail(operand, $"'{_sign}' takes truth values, not {Name(value)}.");
    }
}

internal sealed class NotNode : Node
{
    private readonly Node _operand;

    public NotNode(Token at, Node operand)
        : base(at) => _operand = Adopt(operand);

    public override JsonValue Evaluate(ref Evaluation e)
    {
        var value = _operand.Evaluate(ref e);
        if (value.IsBool) return JsonValue.Of(value.Kind == JsonKind.False);
        return value.IsError ? value : e.Fail(this, $"'!' takes a truth value, not {Name(value)}.");
    }
}

/// <summary><c>condition ? then : otherwise</c>; only the chosen side is evaluated.</summary>
internal sealed class ConditionalNode : Node
{
    private readonly Node _condition;
    private readonly Node _then;
    private readonly Node _otherwise;

    public ConditionalNode(Token at, Node condition, Node then, Node otherwise)
        : base(at)
    {
        _condition = Adopt(condition);
        _then = Adopt(then);
        _otherwise = Adopt(otherwise);
    }

    public override JsonValue Evaluate(ref Evaluation e)
    {
        var condition = _condition.Evaluate(ref e);
        if (condition.IsError) return condition;
        if (!condition.IsBool) return e.Fail(this, $"'?' asks for a truth value, not {Name(condition)}.");
        return condition.Kind == JsonKind.True ? _then.Evaluate(ref e) : _otherwise.Evaluate(ref e);
    }
}
