using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>A node of a compiled expression: sealed classes with one virtual call each, which is as fast as closures and can be looked
/// at.</summary>
internal abstract class Node(Token at)
{
    public int Line { get; } = at.Line;

    public int Column { get; } = at.Column;

    /// <summary>Levels of the tree from here down.</summary>
    public int Depth { get; private set; } = 1;

    /// <summary>Nodes from here down: what one run of a macro's body costs.</summary>
    public int Size { get; private set; } = 1;

    /// <remarks>Recursion is bounded by <see cref="FoldLimits.TreeDepth"/>, which the parser checks.</remarks>
    public abstract JsonValue Evaluate(ref Evaluation e);

    protected T Adopt<T>(T child)
        where T : Node
    {
        Depth = Math.Max(Depth, child.Depth + 1);
        Size += child.Size;
        return child;
    }

    protected T[] Adopt<T>(T[] children)
        where T : Node
    {
        foreach (var child in children) Adopt(child);
        return children;
    }

    /// <summary>A kind as messages name it.</summary>
    protected internal static string Name(in JsonValue value) => value.Kind switch
    {
        JsonKind.Null => "null",
        JsonKind.True or JsonKind.False => "a truth value",
        JsonKind.Number => "a number",
        JsonKind.Text => "a text",
        JsonKind.List => "a list",
        JsonKind.Map => "a map",
        _ => "nothing",
    };
}

internal sealed class LiteralNode(Token at, JsonValue value) : Node(at)
{
    public JsonValue Value { get; } = value;

    public override JsonValue Evaluate(ref Evaluation e) => Value;
}

/// <summary>The variable of a macro, by how many macros it stands in.</summary>
internal sealed class VariableNode(Token at, int slot) : Node(at)
{
    public override JsonValue Evaluate(ref Evaluation e)
    {
        var value = e.Variables[slot];
        return value.IsNumber && value.IsOutOfRange ? SelectionNode.FailOutOfRange(ref e, this, value) : value;
    }
}
