using Warp.Http.Events;

namespace Warp.Http.Tests.Aggregates;

internal sealed record ModelCondition(ExpressionModel Rule, string? Aggregate);

/// <summary>What an append comes to, by the plain rules.</summary>
/// <param name="Reason">The seq that does not fold, or the rule that is broken.</param>
internal readonly record struct ModelOutcome(AppendStatus Status, object? Reason = null);

/// <summary>Definitions and histories in plain lists; every state is folded anew from the first event.</summary>
internal sealed class AggregateModel(ModelDefects defects)
{
    private readonly Dictionary<string, List<ModelEvent>> _histories = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Entity, string Aggregate), DefinitionModel?> _begunWith = [];

    public Dictionary<string, DefinitionModel> Definitions { get; } = new(StringComparer.Ordinal);

    public IReadOnlyList<ModelEvent> History(string entity) => Events(entity);

    public ModelOutcome Append(string entity, ModelEvent[] events, long? expectedSeq, ModelCondition? when)
    {
        var outcome = Judge(entity, events, expectedSeq, when);
        var isKept = outcome.Status == AppendStatus.Appended
            || (defects.HasFlag(ModelDefects.KeepsRefused) && outcome.Status == AppendStatus.InvariantViolated);
        if (isKept) Events(entity).AddRange(events);
        return outcome;
    }

    /// <summary>Null if there is no such aggregate.</summary>
    public ModelFold? State(string entity, string aggregate, long seqMax)
    {
        var definition = Definitions.GetValueOrDefault(aggregate);
        var fold = Fold(entity, aggregate, Events(entity).Take((int)seqMax));
        return definition is not null || fold.HasEvents || fold.FailedSeq > 0 ? fold : null;
    }

    /// <summary>Null if several definitions claim the kind.</summary>
    public string? DefaultOf(string entity)
    {
        var claims = Claims(entity);
        return claims.Count > 1 ? null : claims.Count == 1 ? claims[0] : "Default";
    }

    private List<string> Claims(string entity)
    {
        var kind = entity[..entity.IndexOf('/')];
        return [.. Definitions.Where(d => d.Value.DefaultForKind == kind).Select(d => d.Key)];
    }

    private ModelOutcome Judge(string entity, ModelEvent[] events, long? expectedSeq, ModelCondition? when)
    {
        var history = Events(entity);
        List<ModelEvent> all = [.. history, .. events];
        if (expectedSeq is { } seq && seq != history.Count) return new ModelOutcome(AppendStatus.SeqMismatch);
        if (when is not null && JudgeCondition(entity, when, defects.HasFlag(ModelDefects.JudgesConditionAfterwards) ? all : history) is { } refused) return refused;

        // Nobody can say whose rules these events must keep.
        var own = DefaultOf(entity);
        if (own is null && events.Any(e => e.Aggregate is null) && Claims(entity).Exists(claim => Definitions[claim].FoldsBeforeAppend))
            return new ModelOutcome(AppendStatus.FoldFailed);
        foreach (var aggregate in events.Select(e => e.Aggregate ?? own).Distinct(StringComparer.Ordinal))
        {
            if (aggregate is null || Definitions.GetValueOrDefault(aggregate) is not { FoldsBeforeAppend: true } definition) continue;
            for (var count = defects.HasFlag(ModelDefects.JudgesEachEvent) ? history.Count + 1 : all.Count; count <= all.Count; count++)
                if (JudgeRules(entity, aggregate, definition, all[..count]) is { } broken) return broken;
        }

        return new ModelOutcome(AppendStatus.Appended);
    }

    private ModelOutcome? JudgeCondition(string entity, ModelCondition when, List<ModelEvent> history)
    {
        if ((when.Aggregate ?? DefaultOf(entity)) is not { } aggregate) return new ModelOutcome(AppendStatus.FoldFailed);
        var fold = Fold(entity, aggregate, history);
        if (fold.FailedSeq > 0) return new ModelOutcome(AppendStatus.FoldFailed, fold.FailedSeq);
        var holds = when.Rule.Value(new ModelScope(fold.State, Seq: history.Count));
        if (holds is not bool truth) return new ModelOutcome(AppendStatus.FoldFailed);
        return truth ? null : new ModelOutcome(AppendStatus.ConditionFalse);
    }

    private ModelOutcome? JudgeRules(string entity, string aggregate, DefinitionModel definition, List<ModelEvent> history)
    {
        var fold = Fold(entity, aggregate, history);
        if (fold.FailedSeq > 0) return new ModelOutcome(AppendStatus.FoldFailed, fold.FailedSeq);
        foreach (var (rule, _) in definition.Invariants)
        {
            var holds = rule.Value(new ModelScope(fold.State, Seq: history.Count));
            if (holds is not bool truth) return new ModelOutcome(AppendStatus.FoldFailed);
            if (!truth) return new ModelOutcome(AppendStatus.InvariantViolated, rule.Text);
        }

        return null;
    }

    private ModelFold Fold(string entity, string aggregate, IEnumerable<ModelEvent> history)
    {
        var definition = Definitions.GetValueOrDefault(aggregate);
        if (defects.HasFlag(ModelDefects.KeepsTheOldDefinition) && !_begunWith.TryAdd((entity, aggregate), definition)) definition = _begunWith[(entity, aggregate)];
        var own = DefaultOf(entity);
        var isContested = own is null && Claims(entity).Contains(aggregate);
        List<(long Seq, ModelEvent Event)> mine = [];
        long seq = 0;
        foreach (var e in history)
        {
            seq++;
            if (e.Aggregate is null && isContested)
            {
                var before = DefinitionModel.Fold(definition, mine, defects);
                return before.FailedSeq > 0 ? before : new ModelFold(null, seq);
            }

            if ((e.Aggregate ?? own) == aggregate) mine.Add((seq, e));
        }

        return DefinitionModel.Fold(definition, mine, defects);
    }

    private List<ModelEvent> Events(string entity)
    {
        if (!_histories.TryGetValue(entity, out var events)) _histories.Add(entity, events = []);
        return events;
    }
}
