using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary><c>==</c> and <c>!=</c>: values of different kinds are unequal, never an error.</summary>
internal sealed class EqualNode(Token at, Node left, Node right, bool isNegated) : BinaryNode(at, left, right)
{
    protected override JsonValue Combine(ref Evaluation e, in JsonValue left, in JsonValue right)
    {
        var equal = ValueComparison.AreEqual(left, right, ref e.Steps);
        if (e.Steps < 0) return e.Exhausted(this);
        if (equal is null) return e.Fail(this, "The comparison meets a number outside the range that can be calculated with.");
        return JsonValue.Of(equal.Value != isNegated);
    }
}

/// <summary><c>&lt; &lt;= &gt; &gt;=</c> between numbers, texts (by code point) or truth values.</summary>
internal sealed class OrderNode(Token at, Node left, Node right) : BinaryNode(at, left, right)
{
    protected override JsonValue Combine(ref Evaluation e, in JsonValue left, in JsonValue right)
    {
        int order;
        if (left.IsNumber && right.IsNumber)
        {
            order = left.Number.CompareTo(right.Number);
        }
        else if (left.Kind == JsonKind.Text && right.Kind == JsonKind.Text)
        {
            if (!e.TryCharge(Math.Min(left.Utf8.Length, right.Utf8.Length) >> 6)) return e.Exhausted(this);

            // UTF-8 sorts as its code points do.
            order = left.Utf8.AsSpan().SequenceCompareTo(right.Utf8);
        }
        else if (left.IsBool && right.IsBool)
        {
            order = ((int)left.Kind).CompareTo((int)right.Kind);
        }
        else
        {
            return FailKinds(ref e, left, right);
        }

        return JsonValue.Of(Sign switch
        {
            "<" => order < 0,
            "<=" => order <= 0,
            ">" => order > 0,
            _ => order >= 0,
        });
    }
}

/// <summary><c>in</c>: an item of a list, or the name of a member of a map.</summary>
internal sealed class InNode(Token at, Node left, Node right) : BinaryNode(at, left, right)
{
    protected override JsonValue Combine(ref Evaluation e, in JsonValue left, in JsonValue right)
    {
        if (right.Kind == JsonKind.Map && left.Kind == JsonKind.Text && !e.TryChargeName(left.Utf8)) return e.Exhausted(this);
        if (right.Kind == JsonKind.Map) return JsonValue.Of(left.Kind == JsonKind.Text && !right.Map.Get(left.Utf8.AsSpan()).IsMissing);
        if (right.Kind != JsonKind.List) return e.Fail(this, $"'in' looks into a list or a map, not into {Name(right)}.");
        var isUnreadable = false;
        foreach (ref readonly var item in right.List.Items)
        {
            var equal = ValueComparison.AreEqual(left, item, ref e.Steps);
            if (e.Steps < 0) return e.Exhausted(this);
            if (equal is true) return JsonValue.True;
            isUnreadable |= equal is null;
        }

        return isUnreadable ? e.Fail(this, "The list has a number outside the range that can be calculated with.") : JsonValue.False;
    }
}
