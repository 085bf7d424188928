using System.Text;
using System.Text.Json;
using Warp.Http.Aggregates.Expressions;

namespace Warp.Http.Aggregates;

/// <content>Invariants and upcasts.</content>
internal sealed partial class DefinitionReader
{
    private void ReadInvariant(DefinitionParts parts, JsonElement value, string path)
    {
        Expression? rule = null;
        string? message = null;
        var hasRule = false;
        foreach (var (name, member, memberPath) in Members(value, path, "An invariant is an object with rule and message."))
        {
            switch (name)
            {
                case "rule":
                    hasRule = true;
                    var compilation = new Compilation(ExpressionScope.Rule, Names, new PayloadPlan(), Limits.ExpressionChars);
                    rule = ReadExpression(member, memberPath, compilation);
                    break;
                case "message":
                    message = ReadText(member, memberPath, "'message' is a string.");
                    break;
                default:
                    Add(memberPath, "An invariant has only rule and message.");
                    break;
            }
        }

        if (!hasRule && value.ValueKind == JsonValueKind.Object)
            Add(path, "An invariant has a rule: an expression that is true as long as it holds.");
        if (rule is not null) parts.Invariants.Add(new Invariant(new Condition(rule), message ?? $"The rule {rule.Text} does not hold."));
    }

    private void ReadUpcast(DefinitionParts parts, JsonElement value, string path)
    {
        var plan = new PayloadPlan { IsWhole = true };
        var compilation = new Compilation(ExpressionScope.Upcast, Names, plan, Limits.ExpressionChars);
        var rule = new UpcastRule();
        foreach (var (name, member, memberPath) in Members(value, path, "An upcast is an object with type, from, to, set and remove."))
        {
            switch (name)
            {
                case "type":
                    rule.Type = Encoding.UTF8.GetBytes(ReadText(member, memberPath, "'type' is the name of an event type.")
                        ?? string.Empty);
                    break;
                case "from":
                    rule.From = ReadVersion(member, memberPath);
                    break;
                case "to":
                    rule.To = ReadVersion(member, memberPath);
                    break;
                case "set":
                    rule.Set = Assignments(member, memberPath, compilation, (members, expressions) =>
                        new FoldRule(plan, members, expressions));
                    break;
                case "remove":
                    foreach (var (item, itemPath) in Items(member, memberPath, "'remove' is a list of names of members."))
                        if (ReadText(item, itemPath, "The name of a member is a string.") is { } removed) rule.Remove.Add(Names.Get(removed));
                    break;
                default:
                    Add(memberPath, "An upcast has only type, from, to, set and remove.");
                    break;
            }
        }

        if (value.ValueKind != JsonValueKind.Object) return;
        if (rule.Type.Length == 0) Add(path, "An upcast has a type: the event type that it brings to a newer version.");
        if (rule.From < 1 || rule.To <= rule.From) Add(path, "An upcast has from, a version of at least 1, and to, a greater one.");
        if (parts.Upcasts.Exists(other => other.From == rule.From && other.Type.AsSpan().SequenceEqual(rule.Type)))
            Add(path, $"Two upcasts start from version {rule.From} of this type.");
        parts.Upcasts.Add(rule);
    }

    private int ReadVersion(JsonElement value, string path)
    {
        if (value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var version)) return version;
        Add(path, "A version is a whole number.");
        return 0;
    }
}
