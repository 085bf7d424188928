using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>A sign between two operands, of which both are evaluated, left first.</summary>
internal abstract class BinaryNode : Node
{
    private readonly Node _left;
    private readonly Node _right;

    protected BinaryNode(Token at, Node left, Node right)
        : base(at)
    {
        _left = Adopt(left);
        _right = Adopt(right);
        Sign = at.Text;
    }

    protected string Sign { get; }

    public sealed override JsonValue Evaluate(ref Evaluation e)
    {
        var left = _left.Evaluate(ref e);
        if (left.IsError) return left;
        var right = _right.Evaluate(ref e);
        return right.IsError ? right : Combine(ref e, left, right);
    }

    protected abstract JsonValue Combine(ref Evaluation e, in JsonValue left, in JsonValue right);

    protected JsonValue FailKinds(ref Evaluation e, in JsonValue left, in JsonValue right) =>
        e.Fail(this, $"'{Sign}' does not take {Name(left)} and {Name(right)}.");

    protected JsonValue Result(ref Evaluation e, NumberFault fault, in Number result) => fault switch
    {
        NumberFault.None => new JsonValue(result),
        NumberFault.Inexact =>
            e.Fail(this, $"The exact result of '{Sign}' has more than {Number.DigitsMax} significant digits; it is not rounded."),
        NumberFault.DivisionByZero => e.Fail(this, "Division by zero."),
        _ => e.Fail(this, $"The result of '{Sign}' is too large or too small."),
    };
}

/// <summary><c>+</c>: numbers, texts, lists.</summary>
internal sealed class AddNode(Token at, Node left, Node right) : BinaryNode(at, left, right)
{
    protected override JsonValue Combine(ref Evaluation e, in JsonValue left, in JsonValue right)
    {
        if (left.IsNumber && right.IsNumber) return Result(ref e, Number.Add(left.Number, right.Number, out var sum), sum);
        if (left.Kind == JsonKind.Text && right.Kind == JsonKind.Text) return Join(ref e, left.Utf8, right.Utf8);
        if (left.Kind == JsonKind.List && right.Kind == JsonKind.List) return Join(ref e, left.List, right.List);
        return FailKinds(ref e, left, right);
    }

    private JsonValue Join(ref Evaluation e, byte[] left, byte[] right)
    {
        var length = (long)left.Length + right.Length;
        if (!e.TryCharge(length >> 6)) return e.Exhausted(this);
        if (length > FoldLimits.ValueBytes) return e.Fail(this, $"The text would take more than {FoldLimits.ValueBytes} bytes.");
        return JsonValue.Of([.. left, .. right]);
    }

    private JsonValue Join(ref Evaluation e, JsonList left, JsonList right)
    {
        if (!e.TryCharge((left.Count + (long)right.Count) >> 3)) return e.Exhausted(this);
        if (left.Weight + right.Weight > FoldLimits.ValueBytes)
            return e.Fail(this, $"The list would take more than {FoldLimits.ValueBytes} bytes.");
        return JsonValue.Of(new JsonList([.. left.Items, .. right.Items]));
    }
}

internal sealed class SubtractNode(Token at, Node left, Node right) : BinaryNode(at, left, right)
{
    protected override JsonValue Combine(ref Evaluation e, in JsonValue left, in JsonValue right) => left.IsNumber && right.IsNumber
        ? Result(ref e, Number.Subtract(left.Number, right.Number, out var difference), difference)
        : FailKinds(ref e, left, right);
}

internal sealed class MultiplyNode(Token at, Node left, Node right) : BinaryNode(at, left, right)
{
    protected override JsonValue Combine(ref Evaluation e, in JsonValue left, in JsonValue right) => left.IsNumber && right.IsNumber
        ? Result(ref e, Number.Multiply(left.Number, right.Number, out var product), product)
        : FailKinds(ref e, left, right);
}

internal sealed class DivideNode(Token at, Node left, Node right) : BinaryNode(at, left, right)
{
    protected override JsonValue Combine(ref Evaluation e, in JsonValue left, in JsonValue right) => left.IsNumber && right.IsNumber
        ? Result(ref e, Number.Divide(left.Number, right.Number, out var quotient), quotient)
        : FailKinds(ref e, left, right);
}

internal sealed class RemainderNode(Token at, Node left, Node right) : BinaryNode(at, left, right)
{
    protected override JsonValue Combine(ref Evaluation e, in JsonValue left, in JsonValue right) => left.IsNumber && right.IsNumber
        ? Result(ref e, Number.Remainder(left.Number, right.Number, out var rest), rest)
        : FailKinds(ref e, left, right);
}

internal sealed class NegateNode : Node
{
    private readonly Node _operand;

    public NegateNode(Token at, Node operand)
        : base(at) => _operand = Adopt(operand);

    public override JsonValue Evaluate(ref Evaluation e)
    {
        var value = _operand.Evaluate(ref e);
        if (value.IsNumber) return new JsonValue(value.Number.Negate());
        return value.IsError ? value : e.Fail(this, $"'-' does not take {Name(value)}.");
    }
}
