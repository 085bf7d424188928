using Warp.Http.Aggregates.Expressions;

namespace Warp.Http.Tests.Aggregates;

/// <summary>Random expressions of every feature of the language, functions as the compiler lists them; many fail when they are evaluated.</summary>
internal sealed class ExpressionGrammar(Random random)
{
    private static readonly string[] Signs = ["+", "+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in"];

    private static readonly string[] Atoms =
    [
        "state", "state.list", "state.list", "state.map", "state.text", "state.number", "state.none", "payload.list", "payload.text", "payload.text", "payload.part",
        "payload.number", "payload", "event", "event.metadata", "event.id", "entity.id", "null", "true", "false", "0", "-1", "1e300", "0.1", "9999999999999999999999999999",
        "''", "'a'", "'a|b+'", "'(a?){50}a{50}'", "'((a{1,5}){1,5}){1,5}b'", "'2026-03-01T12:00:00Z'", "[]", "{}", "[1, 2, 3]", "{'a': 1}",
    ];

    private static readonly string[] Macros = ["map", "filter", "all", "exists", "exists_one"];

    private static readonly Function[] Functions = [.. Warp.Http.Aggregates.Expressions.Functions.All.Values.OrderBy(function => function.Name, StringComparer.Ordinal)];

    public string Make(int depth, int variables = 0)
    {
        if (depth == 0) return variables > 0 && random.Next(2) == 0 ? $"v{random.Next(variables)}" : Atoms[random.Next(Atoms.Length)];
        return random.Next(12) switch
        {
            0 or 1 => $"({Make(depth - 1, variables)} {Signs[random.Next(Signs.Length)]} {Make(depth - 1, variables)})",
            2 => $"{(random.Next(2) == 0 ? "!" : "-")}({Make(depth - 1, variables)})",
            3 => $"({Make(depth - 1, variables)} ? {Make(depth - 1, variables)} : {Make(depth - 1, variables)})",
            4 => $"[{Make(depth - 1, variables)}, {Make(depth - 1, variables)}]",
            5 => $"{{{Make(depth - 1, variables)}: {Make(depth - 1, variables)}}}",
            6 => $"({Make(depth - 1, variables)})[{Make(depth - 1, variables)}]",
            7 or 8 => Macro(depth, variables),
            9 => $"has(({Make(depth - 1, variables)}).{(random.Next(2) == 0 ? "a" : "list")})",
            _ => Call(depth, variables),
        };
    }

    private string Macro(int depth, int variables)
    {
        if (variables == 8) return Make(depth - 1, variables);
        var kind = Macros[random.Next(Macros.Length)];
        var filter = kind is "map" && random.Next(3) == 0 ? $"{Make(depth - 1, variables + 1)}, " : "";
        return $"({Make(depth - 1, variables)}).{kind}(v{variables}, {filter}{Make(depth - 1, variables + 1)})";
    }

    private string Call(int depth, int variables)
    {
        var function = Functions[random.Next(Functions.Length)];
        var arguments = Enumerable.Range(0, random.Next(function.ArgumentsMin, Math.Min(3, function.ArgumentsMax) + 1)).Select(_ => Make(depth - 1, variables)).ToList();
        return (function.Forms & FunctionForms.Method) != 0
            ? $"({arguments[0]}).{function.Name}({string.Join(", ", arguments.Skip(1))})"
            : $"{function.Name}({string.Join(", ", arguments)})";
    }
}
