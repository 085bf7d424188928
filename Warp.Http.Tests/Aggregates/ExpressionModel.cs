using CsCheck;

namespace Warp.Http.Tests.Aggregates;

/// <summary>What a model's expression sees, as <see cref="PlainJson"/>.</summary>
internal sealed record ModelScope(object? State, object? Payload = null, long Seq = 0, string Type = "", int SchemaVersion = 1);

/// <summary>Random expressions with their value, computed the plain way: on decimals small enough that System.Decimal is exact.</summary>
internal sealed record ExpressionModel(string Text, Func<ModelScope, object?> Value)
{
    /// <summary>What stands for an error; null is JSON's null.</summary>
    public static readonly object Error = new();

    /// <summary>Over a state with the number <c>a</c>, <c>b</c>, the text <c>c</c>, the list <c>d</c> and the truth value <c>e</c>.</summary>
    public static Gen<ExpressionModel> Expressions { get; } = Over(
        4,
        Member("state", "a"),
        new ExpressionModel("state[\"b\"]", Member("state", "b").Value),
        Member("state", "c"),
        new ExpressionModel("state.d[1]", scope => Member("state", "d").Value(scope) is List<object?> { Count: > 1 } list ? list[1] : Error),
        Member("state", "e"),
        Member("state", "missing"),
        Has("state", "missing"));

    /// <summary>Trees of operators over these leaves and some literals.</summary>
    public static Gen<ExpressionModel> Over(int depth, params ExpressionModel[] leaves) => Tree(depth, Gen.OneOf(
        [.. leaves, Literal("null", null), Literal("true", true), Literal("false", false), Literal("1.25", 1.25m), Literal("0", 0m), Literal("'t'", "t")]));

    public static ExpressionModel Literal(string text, object? value) => new(text, _ => value);

    public static ExpressionModel Member(string root, string name) => new($"{root}.{name}", scope => Root(scope, root, name, out var value) ? value : Error);

    public static ExpressionModel Has(string root, string name) => new($"has({root}.{name})", scope =>
        (root is "state" ? scope.State : scope.Payload) is Dictionary<string, object?> ? Root(scope, root, name, out _) : Error);

    public static bool IsError(object? value) => ReferenceEquals(value, Error);

    /// <summary>The value as JSON, or null for an error.</summary>
    public string? Evaluate(ModelScope scope)
    {
        var value = Value(scope);
        return IsError(value) ? null : PlainJson.Text(value);
    }

    private static bool Root(ModelScope scope, string root, string name, out object? value)
    {
        value = Error;
        return (root is "state" ? scope.State : scope.Payload) is Dictionary<string, object?> map && map.TryGetValue(name, out value);
    }

    private static Gen<ExpressionModel> Tree(int depth, Gen<ExpressionModel> leaves)
    {
        if (depth == 0) return leaves;
        var inner = Tree(depth - 1, leaves);
        return Gen.Frequency(
            (1, leaves),
            (4, Gen.Select(inner, Gen.OneOf("+", "-", "<", "<=", ">", ">=", "==", "!=", "&&", "||", "%"), inner, Binary)),
            (1, inner.Select(operand => new ExpressionModel($"!({operand.Text})", scope => operand.Value(scope) is bool truth ? !truth : Error))),
            (1, inner.Select(operand => new ExpressionModel($"-({operand.Text})", scope => operand.Value(scope) is decimal number ? -number : Error))),
            (1, Gen.Select(inner, inner, inner, (condition, then, otherwise) => new ExpressionModel(
                $"(({condition.Text}) ? ({then.Text}) : ({otherwise.Text}))",
                scope => condition.Value(scope) is bool truth ? (truth ? then : otherwise).Value(scope) : Error))));
    }

    private static ExpressionModel Binary(ExpressionModel left, string sign, ExpressionModel right) =>
        new($"({left.Text} {sign} {right.Text})", scope => Combine(left.Value(scope), sign, right.Value(scope)));

    private static object? Combine(object? a, string sign, object? b)
    {
        if (sign is "&&" or "||")
        {
            // Either side may decide, whatever the other is.
            var decisive = sign is "||";
            if ((a is bool x && x == decisive) || (b is bool y && y == decisive)) return decisive;
            return a is bool && b is bool ? !decisive : Error;
        }

        if (IsError(a) || IsError(b)) return Error;
        if (sign is "==" or "!=") return PlainJson.AreEqual(a, b) == sign is "==";
        if (a is decimal m && b is decimal n)
        {
            return sign switch
            {
                "+" => m + n,
                "-" => m - n,
                "%" => n == 0 ? Error : m % n,
                _ => Order(m.CompareTo(n), sign),
            };
        }

        if (a is string s && b is string t) return sign is "+" ? s + t : sign is "-" or "%" ? Error : Order(string.CompareOrdinal(s, t), sign);
        return a is bool p && b is bool q && sign is not ("+" or "-" or "%") ? Order(p.CompareTo(q), sign) : Error;
    }

    private static bool Order(int order, string sign) => sign switch
    {
        "<" => order < 0,
        "<=" => order <= 0,
        ">" => order > 0,
        _ => order >= 0,
    };
}
