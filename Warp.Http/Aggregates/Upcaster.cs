using Warp.Http.Aggregates.Expressions;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates;

/// <summary>Brings the payload of one event type from one version to a newer one.</summary>
internal sealed class UpcastRule
{
    public byte[] Type { get; set; } = [];

    public int From { get; set; }

    public int To { get; set; }

    /// <summary>Members to set; the expressions see the payload before any of them is set or removed.</summary>
    public FoldRule Set { get; set; } = new(new PayloadPlan(), [], []);

    public List<byte[]> Remove { get; } = [];
}

/// <summary>The upcasts of a definition, applied in a chain: 1 to 2, 2 to 3. Versions only grow, so a chain ends.</summary>
/// <remarks>A version that no upcast starts from, an unknown newer one included, is left as it is and folds by the rules there
/// are.</remarks>
internal sealed class Upcaster(List<UpcastRule> rules)
{
    public UpcastRule? Find(ReadOnlySpan<byte> type, int version)
    {
        foreach (var rule in rules)
            if (rule.From == version && type.SequenceEqual(rule.Type)) return rule;
        return null;
    }

    /// <summary>Applies the chain that begins with a rule.</summary>
    /// <param name="payload">The stored payload, replaced by the newest form.</param>
    /// <param name="version">The stored version, replaced by the newest.</param>
    public FoldFailure? Apply(UpcastRule first, ref Evaluation e, ref JsonValue payload, ref int version)
    {
        for (var rule = first; rule is not null; rule = Find(rule.Type, version))
        {
            if (payload.Kind != JsonKind.Map)
                return FoldFailure.OfEvent(e.Seq, $"The upcast from version {rule.From} needs a payload that is an object.");
            if (Apply(rule, ref e, ref payload) is { } failure) return failure;
            version = rule.To;
        }

        return null;
    }

    private static FoldFailure? Apply(UpcastRule rule, ref Evaluation e, ref JsonValue payload)
    {
        var members = new JsonValue[rule.Set.Payload.Slots];
        e.Payload = rule.Set.Payload.Read(payload, members);
        e.PayloadMembers = members;
        var result = payload.Map.Own(new object());
        var values = new JsonValue[rule.Set.Members.Length];
        for (var i = 0; i < values.Length; i++)
        {
            values[i] = rule.Set.Expressions[i].Root.Evaluate(ref e);
            if (values[i].IsError) return rule.Set.Expressions[i].Failure(e);
        }

        foreach (var name in rule.Remove) result.Remove(name);
        for (var i = 0; i < values.Length; i++) result.Set(rule.Set.Members[i], values[i]);
        payload = JsonValue.Of(result);
        return null;
    }
}
