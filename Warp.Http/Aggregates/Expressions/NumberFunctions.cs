using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary><c>min max abs round floor ceil</c> and <c>number</c>.</summary>
internal static class NumberFunctions
{
    /// <summary>Places that <c>round</c> takes on both sides of the point.</summary>
    private const int PlacesMax = Number.DigitsMax;

    public static Function[] All { get; } =
    [
        new("min", FunctionForms.Global, 1, FoldLimits.Arguments, static (ref e, at, scoped a) => Extreme(ref e, at, a, -1)),
        new("max", FunctionForms.Global, 1, FoldLimits.Arguments, static (ref e, at, scoped a) => Extreme(ref e, at, a, 1)),
        new("abs", FunctionForms.Global, 1, 1, static (ref e, at, scoped a) => Map(ref e, at, a[0], static n => n.Abs())),
        new("floor", FunctionForms.Global, 1, 1, static (ref e, at, scoped a) => Map(ref e, at, a[0], static n => n.Floor())),
        new("ceil", FunctionForms.Global, 1, 1, static (ref e, at, scoped a) => Map(ref e, at, a[0], static n => n.Ceiling())),
        new("round", FunctionForms.Global, 1, 2, Round),
        new("number", FunctionForms.Global, 1, 1, Parse),
    ];

    private static JsonValue Map(ref Evaluation e, CallNode at, in JsonValue value, Func<Number, Number> map) =>
        value.IsNumber ? new JsonValue(map(value.Number)) : at.FailArgument(ref e, 0, "a number", value);

    /// <summary>The least or greatest of the arguments, or of the items of the one list.</summary>
    private static JsonValue Extreme(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> values, int sign)
    {
        if (values.Length == 1 && values[0].Kind == JsonKind.List)
        {
            values = values[0].List.Items;
            if (values.IsEmpty) return e.Fail(at, $"'{at.FunctionName}' of an empty list.");
            if (!e.TryCharge(values.Length)) return e.Exhausted(at);
        }

        var best = values[0];
        foreach (ref readonly var value in values)
        {
            if (!value.IsNumber) return e.Fail(at, $"'{at.FunctionName}' takes numbers, not {Node.Name(value)}.");
            if (value.IsOutOfRange) return SelectionNode.FailOutOfRange(ref e, at, value);
            if (value.Number.CompareTo(best.Number) * sign > 0) best = value;
        }

        return best;
    }

    private static JsonValue Round(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments)
    {
        if (!arguments[0].IsNumber) return at.FailArgument(ref e, 0, "a number", arguments[0]);
        if (arguments.Length == 1) return new JsonValue(arguments[0].Number.RoundAway(0));
        if (!arguments[1].IsNumber || !arguments[1].Number.TryToInt32(out var places) || places is < -PlacesMax or > PlacesMax)
            return e.Fail(at.Argument(1), $"'round' takes a whole number of places from -{PlacesMax} to {PlacesMax}.");
        return new JsonValue(arguments[0].Number.RoundAway(places));
    }

    /// <summary>The number that a text holds, in JSON's syntax.</summary>
    private static JsonValue Parse(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments)
    {
        var value = arguments[0];
        if (value.IsNumber) return value;
        if (value.Kind != JsonKind.Text) return at.FailArgument(ref e, 0, "a text or a number", value);
        if (!e.TryCharge(value.Utf8.Length >> 6)) return e.Exhausted(at);
        if (!NumberSyntax.IsNumber(value.Utf8)) return e.Fail(at, "The text is not a number as JSON writes it.");
        return Number.TryParse(value.Utf8, out var number, out _)
            ? new JsonValue(number)
            : e.Fail(at, $"The number has more than {Number.DigitsMax} significant digits or is too large or small.");
    }
}
