using System.Collections.Frozen;
using Warp.Http.Aggregates.Expressions;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates;

/// <summary>What one event type does: members of the state and the expressions that give their values.</summary>
internal sealed record FoldRule(PayloadPlan Payload, byte[][] Members, Expression[] Expressions);

/// <summary>The rules of a definition by event type.</summary>
internal sealed class FoldRules
{
    /// <summary>Up to here comparing with each type is faster than hashing one.</summary>
    private const int SearchedMax = 6;

    private readonly (byte[] Type, FoldRule Rule)[] _searched;
    private readonly FrozenDictionary<byte[], FoldRule>.AlternateLookup<ReadOnlySpan<byte>> _hashed;
    private readonly FoldRule? _any;

    /// <param name="rules">By type as UTF-8; <c>*</c> stands for every type that is not named.</param>
    public FoldRules(Dictionary<byte[], FoldRule> rules)
    {
        _any = rules.GetValueOrDefault("*"u8.ToArray());
        _searched = rules.Count <= SearchedMax ? [.. rules.Select(rule => (rule.Key, rule.Value))] : [];
        _hashed = rules.ToFrozenDictionary(Utf8Comparer.Instance).GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    public FoldRule? Find(ReadOnlySpan<byte> type)
    {
        if (_searched.Length == 0) return _hashed.TryGetValue(type, out var found) ? found : _any;
        foreach (var (name, rule) in _searched)
            if (type.SequenceEqual(name)) return rule;
        return _any;
    }
}
