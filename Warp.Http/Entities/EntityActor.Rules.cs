using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

public sealed partial class EntityActor
{
    // drainer only: states up to the last seq given, in flight included, of the aggregates that rules were judged on
    private Dictionary<string, StateFold>? _working;

    /// <summary>
    /// Judges the append's condition on the state before it, and the rules of its aggregates on the state after the whole of it.
    /// True = go on; else it was answered or suspended.
    /// </summary>
    private bool JudgeRules(AppendCommand append, bool mayReadDisk)
    {
        var definitions = Definitions.Current;
        if (append.When is { } condition && !JudgeCondition(append, condition, definitions, mayReadDisk)) return false;
        if (!_registry.AnyFoldsBeforeAppend(definitions)) return true;
        var rest = append.Events.Bytes;
        List<string>? judged = null;
        for (var i = 0; i < append.Count; i++)
        {
            var e = EventRecord.Read(ref rest);
            if (e.Aggregate.IsEmpty && definitions.ResolveDefault(Name.Kind).Conflict is { } claims && HaveRules(claims, definitions)) return Refuse(append, Ambiguous(claims));
            if (EntryOf(definitions, e.Aggregate) is not { } entry || !entry.Definition.FoldsBeforeAppend || judged?.Contains(entry.Name) == true) continue;
            (judged ??= []).Add(entry.Name);
        }

        return judged is null || JudgeInvariants(append, judged, definitions, mayReadDisk);
    }

    private bool JudgeCondition(AppendCommand append, AppendCondition condition, AggregateSet definitions, bool mayReadDisk)
    {
        var aggregate = condition.Aggregate;
        if (aggregate is null)
        {
            var resolved = definitions.ResolveDefault(Name.Kind);
            if (resolved.Conflict is { } conflict) return Refuse(append, Ambiguous(conflict));
            aggregate = resolved.Name;
        }

        if (!TryWorkingState(append, aggregate, definitions, mayReadDisk, out var fold)) return false;
        if (!condition.Condition.TryEvaluate(fold.State, _lastSeq, out var holds, out var failure)) return Refuse(append, failure!);
        if (holds) return true;
        Answer(append, new AppendOutcome(AppendStatus.ConditionFalse, LifeOf(_life), 0, _lastSeq, condition.Condition.Text));
        return false;
    }

    private bool JudgeInvariants(AppendCommand append, List<string> aggregates, AggregateSet definitions, bool mayReadDisk)
    {
        var after = new List<(string Name, StateFold Fold)>(aggregates.Count);
        foreach (var aggregate in aggregates)
        {
            if (!TryWorkingState(append, aggregate, definitions, mayReadDisk, out var before)) return false;
            var fold = before.Fork();
            if (fold.ApplyInFlight(append.Events, append.Key, _lastSeq + 1, _registry.Time.GetUtcNow().ToUnixTimeMilliseconds()) is { } failed) return Refuse(append, failed);
            if (!fold.State.TryCheckInvariants(_lastSeq + append.Count, out var violation, out var failure))
            {
                if (violation is null) return Refuse(append, failure!);
                Answer(append, new AppendOutcome(AppendStatus.InvariantViolated, LifeOf(_life), 0, _lastSeq, null, violation));
                return false;
            }

            after.Add((aggregate, fold));
        }

        // Nothing but the append itself is left: what it leaves behind is what the next one is judged on.
        foreach (var (name, fold) in after) _working![name] = fold;
        return true;
    }

    /// <summary>The state up to the last seq given. False if the append was suspended, or answered because the history does not fold.</summary>
    private bool TryWorkingState(AppendCommand append, string aggregate, AggregateSet definitions, bool mayReadDisk, out StateFold fold)
    {
        _working ??= new Dictionary<string, StateFold>(StringComparer.Ordinal);
        if (!_working.TryGetValue(aggregate, out fold!) || !fold.IsOf(definitions))
            _working[aggregate] = fold = new StateFold(this, _life ?? NextLife(), aggregate, definitions);
        if (fold.Covered == _lastSeq) return true;
        if (_life!.DurableSeq < _lastSeq)
        {
            _suspension = Suspension.UntilDurable;
            return false;
        }

        if (fold.TryAdvance(_lastSeq, mayReadDisk, out var failure)) return failure is null || Refuse(append, failure);
        _suspension = Suspension.ForDisk;
        return false;
    }

    private bool Refuse(AppendCommand append, FoldFailure failure)
    {
        Answer(append, new AppendOutcome(AppendStatus.FoldFailed, LifeOf(_life), 0, _lastSeq, null, failure));
        return false;
    }

    /// <summary>Nobody can say which of them an event that names none must keep.</summary>
    private static bool HaveRules(IReadOnlyList<string> claims, AggregateSet definitions)
    {
        foreach (var name in claims)
            if (definitions.Find(name)!.Definition.FoldsBeforeAppend) return true;
        return false;
    }

    private AggregateEntry? EntryOf(AggregateSet definitions, ReadOnlySpan<byte> aggregate)
    {
        if (!aggregate.IsEmpty) return definitions.Find(aggregate);
        var resolved = definitions.ResolveDefault(Name.Kind);
        return resolved.Conflict is null ? resolved.Entry : null;
    }

    private FoldFailure Ambiguous(IReadOnlyList<string> names) => new(
        _lastSeq, null, 0, 0, $"The aggregates {string.Join(" and ", names)} both claim the kind {Encoding.UTF8.GetString(Name.Kind)} as default; name one.")
    { IsOfRule = true };
}
