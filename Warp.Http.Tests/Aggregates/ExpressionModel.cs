using System.Globalization;
using CsCheck;

namespace Warp.Http.Tests.Aggregates;

/// <summary>Random expressions with their value, computed the plain way: on decimals small enough that System.Decimal is exact.</summary>
internal sealed record ExpressionModel(string Text, Func<object?> Value)
{
    /// <summary>What stands for an error; null is JSON's null.</summary>
    private static readonly object Error = new();

    public static Gen<ExpressionModel> Expressions { get; } = Tree(4);

    /// <summary>The value as JSON, or null for an error.</summary>
    public string? Evaluate()
    {
        var value = Value();
        return ReferenceEquals(value, Error) ? null : value switch
        {
            null => "null",
            bool truth => truth ? "true" : "false",
            decimal number => number == 0 ? "0" : (number / 1.000000000000000000000000000m).ToString(CultureInfo.InvariantCulture),
            _ => $"\"{value}\"",
        };
    }

    private static Gen<ExpressionModel> Tree(int depth)
    {
        var leaves = Gen.OneOf(
            new ExpressionModel("null", () => null),
            new ExpressionModel("true", () => true),
            new ExpressionModel("false", () => false),
            new ExpressionModel("state.a", () => 7m),
            new ExpressionModel("state[\"b\"]", () => -2.5m),
            new ExpressionModel("state.c", () => "text"),
            new ExpressionModel("state.d[1]", () => 2m),
            new ExpressionModel("state.e", () => true),
            new ExpressionModel("state.missing", () => Error),
            new ExpressionModel("has(state.missing)", () => false),
            new ExpressionModel("1.25", () => 1.25m),
            new ExpressionModel("0", () => 0m),
            new ExpressionModel("'t'", () => "t"));
        if (depth == 0) return leaves;
        var inner = Tree(depth - 1);
        return Gen.Frequency(
            (1, leaves),
            (4, Gen.Select(inner, Gen.OneOf("+", "-", "<", "<=", ">", ">=", "==", "!=", "&&", "||", "%"), inner, Binary)),
            (1, inner.Select(operand => new ExpressionModel($"!({operand.Text})", () => operand.Value() is bool truth ? !truth : Error))),
            (1, inner.Select(operand => new ExpressionModel($"-({operand.Text})", () => operand.Value() is decimal number ? -number : Error))),
            (1, Gen.Select(inner, inner, inner, (condition, then, otherwise) => new ExpressionModel(
                $"(({condition.Text}) ? ({then.Text}) : ({otherwise.Text}))",
                () => condition.Value() is bool truth ? (truth ? then : otherwise).Value() : Error))));
    }

    private static ExpressionModel Binary(ExpressionModel left, string sign, ExpressionModel right) => new($"({left.Text} {sign} {right.Text})", () =>
    {
        var a = left.Value();
        if (sign is "&&" or "||")
        {
            // Either side may decide, whatever the other is.
            var b = right.Value();
            var decisive = sign is "||";
            if ((a is bool x && x == decisive) || (b is bool y && y == decisive)) return decisive;
            return a is bool && b is bool ? !decisive : Error;
        }

        var c = right.Value();
        if (ReferenceEquals(a, Error) || ReferenceEquals(c, Error)) return Error;
        if (sign is "==" or "!=") return Equals(a, c) == sign is "==";
        if (a is decimal m && c is decimal n)
        {
            return sign switch
            {
                "+" => m + n,
                "-" => m - n,
                "%" => n == 0 ? Error : m % n,
                _ => Order(m.CompareTo(n), sign),
            };
        }

        if (a is string s && c is string t) return sign is "+" ? s + t : sign is "-" or "%" ? Error : Order(string.CompareOrdinal(s, t), sign);
        return a is bool p && c is bool q && sign is not ("+" or "-" or "%") ? Order(p.CompareTo(q), sign) : Error;
    });

    private static bool Order(int order, string sign) => sign switch
    {
        "<" => order < 0,
        "<=" => order <= 0,
        ">" => order > 0,
        _ => order >= 0,
    };
}
