using Warp.Http.Events;

namespace Warp.Http.Sagas;

/// <summary>What comes before a saga's first log entry: each step is bound to its party's life and kept in that party's companion.</summary>
internal sealed class SagaBegin(Parties parties, PartyErasure erasure, SagaAppends appends, Deadline deadline)
{
    private PartyRef[] _parties = [];
    private IReadOnlyList<SagaStep> _steps = [];

    /// <returns>Appended, or why not every step could be kept. What was kept of a saga that never began refers to nothing and goes with its party.</returns>
    public async ValueTask<AppendOutcome> KeepAsync(string sagaId, IReadOnlyList<SagaStep> steps)
    {
        (_steps, _parties) = (steps, new PartyRef[steps.Count]);
        for (var i = 0; i < steps.Count; i++) _parties[i] = await parties.BindAsync(steps[i].Entity, deadline.Token);

        var kept = new Task<AppendOutcome>[steps.Count];
        for (var i = 0; i < steps.Count; i++)
            if (!_parties[i].WasErased) kept[i] = SendAsync(sagaId, i).AsTask();
        AppendOutcome refusal = default;
        for (var i = 0; i < steps.Count; i++)
        {
            if (_parties[i].WasErased) continue;
            var outcome = await kept[i];
            if (SagaAppends.IsPassing(outcome.Status))
                outcome = await appends.RetryAsync(outcome, (Begin: this, sagaId, i), static of => of.Begin.SendAsync(of.sagaId, of.i), deadline);
            // An erased companion says that the party is.
            if (outcome.Status == AppendStatus.Erased) _parties[i] = _parties[i] with { Bound = default };
            else if (outcome.Status == AppendStatus.Appended) _parties[i] = _parties[i] with { At = outcome.FirstSeq };
            else refusal = outcome;
        }

        if (refusal.Status != AppendStatus.Appended) return refusal;
        await DropErasedAsync();
        return refusal;
    }

    public SagaState ToState(string id, TimeSpan timeout, long startedMs)
    {
        var states = new StepState[_steps.Count];
        for (var i = 0; i < states.Length; i++) states[i] = new StepState(_parties[i]) { Content = _parties[i].WasErased ? null : _steps[i] };
        return new SagaState(id, states, timeout, startedMs);
    }

    /// <summary>A saga with a party that is erased already is refused before anything is sent.</summary>
    public static LogEntry[] EndAtOnce(SagaState saga)
    {
        var erased = Array.FindIndex(saga.Steps, step => step.Party.WasErased);
        return erased < 0
            ? []
            : [LogEntry.Refused(LogType.StepRefused, erased, new AppendOutcome(AppendStatus.Erased), 0), LogEntry.Ended(SagaResult.Compensated)];
    }

    /// <summary>
    /// A party may have been erased after it was looked up, and its erasure have been through before the step came to the companion: then nobody
    /// else takes that away. Whoever erases fences first and looks for companions then; here the step is kept first, and the fence looked for then.
    /// </summary>
    private async ValueTask DropErasedAsync()
    {
        for (var i = 0; i < _parties.Length; i++)
        {
            if (_parties[i].WasErased || !parties.IsErased(_parties[i])) continue;
            await erasure.EraseCompanionAsync(_parties[i].Companion, deadline.Token);
            _parties[i] = _parties[i] with { Bound = default };
        }
    }

    private ValueTask<AppendOutcome> SendAsync(string sagaId, int i) => appends.SendAsync(Parties.Keep(_parties[i], _steps[i], sagaId, i));
}
