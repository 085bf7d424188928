using Warp.Http.Aggregates.Expressions;
using Warp.Http.Aggregates.Values;
using Warp.Http.Events;

namespace Warp.Http.Aggregates;

/// <content>How an event changes the state: by a rule of the definition, or by merging its payload.</content>
public sealed partial class FoldState
{
    /// <summary>Room for payload members and results, reused by every state that this thread folds.</summary>
    [ThreadStatic]
    private static JsonValue[]? _scratch;

    private FoldFailure? ApplyDefined(AggregateDefinition definition, in RecordedEvent e)
    {
        var rule = definition.FindRule(e.Fields.Type);
        var upcast = definition.Upcaster.Find(e.Fields.Type, e.Fields.SchemaVersion);
        if (rule is null && definition.Otherwise == Otherwise.Reject)
        {
            var type = System.Text.Encoding.UTF8.GetString(e.Fields.Type);
            return FoldFailure.OfEvent(e.Seq, $"The aggregate has no rule for the type '{type}' and rejects what it doesn't name.");
        }

        if (rule is null && definition.Otherwise == Otherwise.Ignore) return null;
        var evaluation = Evaluate(e.Seq);
        evaluation.Event = e;
        if (upcast is null && rule is not null) return ApplyRule(rule, ref evaluation, default);
        var payload = JsonParser.Parse(e.Fields.Payload, FoldLimits.ValueDepth);
        if (upcast is not null)
        {
            var version = e.Fields.SchemaVersion;
            if (definition.Upcaster.Apply(upcast, ref evaluation, ref payload, ref version) is { } failure) return failure;
            var fields = e.Fields;
            fields.SchemaVersion = version;
            evaluation.Event = new RecordedEvent(e.Seq, e.RecordedAtMs, fields, e.IdempotencyKey, e.IndexInAppend);
        }

        if (rule is not null) return ApplyRule(rule, ref evaluation, payload);
        _work += FoldLimits.Steps - evaluation.Steps;
        return Merge(e.Seq, payload);
    }

    /// <summary>Evaluates all right-hand sides on the state before the event, then assigns them together.</summary>
    /// <param name="payload">The payload if it is parsed already, else missing.</param>
    private FoldFailure? ApplyRule(FoldRule rule, ref Evaluation e, in JsonValue payload)
    {
        var count = rule.Members.Length;
        var scratch = _scratch;
        if (scratch is null || scratch.Length < count + rule.Payload.Slots)
            _scratch = scratch = new JsonValue[Math.Max(16, count + rule.Payload.Slots)];
        var results = scratch.AsSpan(0, count);
        var members = scratch.AsSpan(count, rule.Payload.Slots);
        e.Payload = payload.IsMissing ? rule.Payload.Read(e.Event.Fields.Payload, members) : rule.Payload.Read(payload, members);
        e.PayloadMembers = members;
        var weight = _root.Weight;
        var sharesState = false;
        for (var i = 0; i < count; i++)
        {
            var value = rule.Expressions[i].Root.Evaluate(ref e);
            if (value.IsError) return rule.Expressions[i].Failure(e);
            weight += value.Weight;
            sharesState |= value.IsContainer;
            if (value.Depth >= FoldLimits.ValueDepth)
                return Fail(e.Seq, rule.Expressions[i], $"The state would be nested deeper than {FoldLimits.ValueDepth}.");
            results[i] = value;
        }

        if (_root.Kind != JsonKind.Map)
            return FoldFailure.OfEvent(e.Seq, $"The state is {Node.Name(_root)}, which has no members to set.");

        // A list or map may be part of the state it goes into: what it shares must not be changed in place any more.
        if (sharesState) GiveUpMaps();
        var root = _root.Map;
        if (weight > FoldLimits.ValueBytes && WeightAfter(root, rule, results) > FoldLimits.ValueBytes)
            return FoldFailure.OfEvent(e.Seq, $"The state would take more than {FoldLimits.ValueBytes} bytes.");
        root = root.Own(_owner);
        for (var i = 0; i < count; i++) root.Set(rule.Members[i], results[i]);
        _root = JsonValue.Of(root);
        _work += FoldLimits.Steps - e.Steps;
        scratch.AsSpan(0, count + rule.Payload.Slots).Clear();
        return null;
    }

    private FoldFailure? Merge(long seq, in JsonValue payload)
    {
        if (_root.Weight + payload.Weight > FoldLimits.ValueBytes)
        {
            // It may replace more than it adds: tried on a copy, so that a state that is too large leaves this one as it is.
            var owner = new MapOwner();
            var tried = MergePatch.Apply(_root, payload, owner);
            _work += owner.Copied;
            if (tried.Weight > FoldLimits.ValueBytes)
                return FoldFailure.OfEvent(seq, $"The state would take more than {FoldLimits.ValueBytes} bytes.");
        }

        _root = MergePatch.Apply(_root, payload, _owner);
        return null;
    }

    private static long WeightAfter(JsonMap root, FoldRule rule, ReadOnlySpan<JsonValue> results)
    {
        var weight = root.Weight;
        for (var i = 0; i < results.Length; i++) weight += results[i].Weight - root.Get(rule.Members[i]).Weight;
        return weight;
    }

    private static FoldFailure Fail(long seq, Expression expression, string message) =>
        new(seq, expression.Text, expression.Root.Line, expression.Root.Column, message);
}
