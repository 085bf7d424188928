using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Warp.Http.Aggregates.Expressions;
using Warp.Http.Aggregates.Values;
using Warp.Http.Events;

namespace Warp.Http.Aggregates;

/// <summary>Reads an aggregate's body.</summary>
internal sealed partial class DefinitionReader(Limits limits) : JsonDefinitionReader(limits)
{
    public DefinitionParts Read(byte[] body)
    {
        var parts = new DefinitionParts();
        ReadBody(body, root =>
        {
            foreach (var (name, value, path) in Members(root, "$", "A definition is an object.")) ReadMember(parts, name, value, path);
        });
        return parts;
    }

    private void ReadMember(DefinitionParts parts, string name, JsonElement value, string path)
    {
        switch (name)
        {
            case "initial":
                ReadInitial(parts, value, path);
                break;
            case "on":
                foreach (var (type, rule, rulePath) in Members(value, path, "'on' is an object of event types."))
                    ReadRule(parts, type, rule, rulePath);
                break;
            case "otherwise":
                ReadOtherwise(parts, value, path);
                break;
            case "strict":
                if (value.ValueKind is JsonValueKind.True or JsonValueKind.False) parts.IsStrict = value.GetBoolean();
                else Add(path, "'strict' is true or false.");
                break;
            case "invariants":
                foreach (var (invariant, itemPath) in Items(value, path, "'invariants' is a list of objects with rule and message."))
                    ReadInvariant(parts, invariant, itemPath);
                break;
            case "upcast":
                foreach (var (upcast, itemPath) in Items(value, path, "'upcast' is a list of objects with type, from, to, set and remove."))
                    ReadUpcast(parts, upcast, itemPath);
                break;
            case "defaultForKind":
                parts.DefaultForKind = ReadText(value, path, "'defaultForKind' is the name of a kind.");
                if (parts.DefaultForKind is { } kind && EntityName.KindError(Encoding.UTF8.GetBytes(kind), Limits) is { } error)
                    Add(path, error);
                break;
            default:
                Add(path, "A definition has only initial, on, otherwise, strict, invariants, upcast and defaultForKind.");
                break;
        }
    }

    private void ReadInitial(DefinitionParts parts, JsonElement value, string path)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            Add(path, "'initial' is an object: the state's members before the first event.");
            return;
        }

        // Its names become the definition's arrays, which the expressions look up by reference.
        var parsed = JsonParser.Parse(JsonMarshal.GetRawUtf8Value(value), Limits.JsonDepth).Map;
        var initial = new JsonMap(capacity: parsed.Count);
        foreach (ref readonly var member in parsed) initial.Set(Names.Get(Encoding.UTF8.GetString(member.Name)), member.Value);
        parts.Initial = initial;
    }

    private void ReadRule(DefinitionParts parts, string type, JsonElement rule, string path)
    {
        if (type.Length == 0 || type.EnumerateRunes().Count() > Limits.TypeChars || type.Any(char.IsControl))
            Add(path, $"An event type has 1 to {Limits.TypeChars} characters and no control character.");
        var plan = new PayloadPlan();
        var compilation = new Compilation(ExpressionScope.Fold, Names, plan, Limits.ExpressionChars);
        parts.Rules[Encoding.UTF8.GetBytes(type)] = Assignments(rule, path, compilation, (members, expressions) =>
            new FoldRule(plan, members, expressions));
    }

    /// <summary>Members with an expression each, as in <c>on</c> and in an upcast's <c>set</c>.</summary>
    private T Assignments<T>(JsonElement value, string path, Compilation compilation, Func<byte[][], Expression[], T> make)
    {
        var members = new List<byte[]>();
        var expressions = new List<Expression>();
        foreach (var (name, text, memberPath) in Members(value, path, "Expected an object of members with an expression each."))
        {
            if (ReadExpression(text, memberPath, compilation) is not { } expression) continue;
            members.Add(Names.Get(name));
            expressions.Add(expression);
        }

        return make([.. members], [.. expressions]);
    }

    private void ReadOtherwise(DefinitionParts parts, JsonElement value, string path)
    {
        const string expected = "'otherwise' is ignore, merge or reject.";
        switch (ReadText(value, path, expected))
        {
            case "ignore":
                parts.Otherwise = Otherwise.Ignore;
                break;
            case "merge":
                parts.Otherwise = Otherwise.Merge;
                break;
            case "reject":
                parts.Otherwise = Otherwise.Reject;
                break;
            case { } other:
                Add(path, $"{expected} It is '{other}'.");
                break;
        }
    }

    private Expression? ReadExpression(JsonElement value, string path, Compilation compilation)
    {
        if (ReadText(value, path, "An expression is a string.") is not { } text) return null;
        if (Expression.TryCompile(text, compilation, out var expression, out var error)) return expression;
        Add(path, text, error!);
        return null;
    }
}
