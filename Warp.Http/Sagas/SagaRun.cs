using Warp.Http.Events;

namespace Warp.Http.Sagas;

/// <summary>Takes one saga from where its log stands to its end.</summary>
/// <remarks>
/// One task, nobody beside it. A crash at any point leaves a log from which another run goes on: an action or compensation that was sent and not
/// logged is sent again under its id, and found. What must not be decided twice, that a step was refused, is durable before anything follows
/// from it: else the refused action might be accepted the second time, beside compensations that were sent already.
/// </remarks>
internal sealed class SagaRun(SagaState saga, SagaLog log, Parties parties, StepAppends steps, SagaAppends appends, Deadline deadline, Deadline never)
{
    private const string TimedOut = "The saga's timeout ended before the step could be carried out; nothing of it is stored.";

    private Task _written = Task.CompletedTask; // progress on its way to the log; the next entry waits for it
    private bool _mayBeSent; // the action in hand may have been sent before, with an answer that nobody got

    /// <param name="isResumed">Another run began it.</param>
    /// <exception cref="OperationCanceledException">The service stops; the next start goes on.</exception>
    public async Task RunAsync(bool isResumed)
    {
        try
        {
            _mayBeSent = isResumed;
            if (saga.Result == SagaResult.Running) await ActAsync(isResumed);
            if (saga.Result == SagaResult.Compensating) await CompensateAsync();
        }
        finally
        {
            await _written.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing); // whoever owns the saga next must not meet it in the log
        }
    }

    private async Task ActAsync(bool isResumed)
    {
        for (var i = 0; i < saga.Steps.Length; i++)
        {
            if (saga.Steps[i].Status == StepStatus.Done) continue;
            var outcome = await SendActionAsync(i);
            _mayBeSent = isResumed; // the entry of a step is not awaited: the run before may have been one step further than its log
            if (!SagaAppends.IsStored(outcome.Status))
            {
                await RefuseAsync(i, outcome);
                return;
            }

            var done = new LogEntry(LogType.StepDone, i, outcome.FirstSeq);
            if (i < saga.Steps.Length - 1) await ProgressAsync(done);
            else await DecideAsync(done, LogEntry.Ended(SagaResult.Committed));
        }

        // A crash may have come between the last step's entry and the end, where the end had to be written apart.
        if (saga.Result == SagaResult.Running) await DecideAsync(LogEntry.Ended(SagaResult.Committed));
    }

    private async Task RefuseAsync(int step, AppendOutcome outcome)
    {
        await _written; // which steps are done is known when that is in the log
        var detailAt = await parties.KeepDetailAsync(saga.Steps[step].Party, outcome);
        var refused = LogEntry.Refused(LogType.StepRefused, step, outcome, detailAt);
        await DecideAsync(refused, saga.Steps.Any(IsToBeUndone) ? new LogEntry(LogType.Compensating) : LogEntry.Ended(SagaResult.Compensated));
    }

    private async Task CompensateAsync()
    {
        await _written;
        var left = Enumerable.Range(0, saga.Steps.Length).Where(i => IsToBeUndone(saga.Steps[i])).Reverse().ToList();
        var isStuck = false;
        foreach (var i in left)
        {
            var entry = await UndoAsync(i);
            isStuck |= entry.Type == LogType.CompensationRefused;
            if (i != left[^1]) await ProgressAsync(entry);
            else await DecideAsync(entry, End());
        }

        if (left.Count == 0) await DecideAsync(End());

        LogEntry End() => LogEntry.Ended(isStuck ? SagaResult.Stuck : SagaResult.Compensated);
    }

    /// <summary>Undone are actions that are stored, unless they need no compensation; a step whose party is erased may have had one.</summary>
    private static bool IsToBeUndone(StepState step) =>
        step.Status is StepStatus.Stuck || (step.Status is StepStatus.Done && step.Content is not { Compensation: null });

    private async ValueTask<LogEntry> UndoAsync(int step)
    {
        var state = saga.Steps[step];
        if (state.Content is null) return new LogEntry(LogType.StepErased, step);
        var outcome = await SendCompensationAsync(step, state);
        if (SagaAppends.IsPassing(outcome.Status))
            outcome = await appends.RetryAsync(outcome, (Run: this, step, state), static of => of.Run.SendCompensationAsync(of.step, of.state), never);
        if (SagaAppends.IsStored(outcome.Status)) return new LogEntry(LogType.StepCompensated, step, outcome.FirstSeq);
        if (outcome.Status == AppendStatus.Erased) return new LogEntry(LogType.StepErased, step);
        return LogEntry.Refused(LogType.CompensationRefused, step, outcome, await parties.KeepDetailAsync(state.Party, outcome));
    }

    private async ValueTask<AppendOutcome> SendActionAsync(int step)
    {
        var state = saga.Steps[step];
        if (state.Content is null) return new AppendOutcome(AppendStatus.Erased);
        var outcome = new AppendOutcome(AppendStatus.Unavailable);
        if (!deadline.HasPassed)
        {
            outcome = await SendActionOnceAsync(step, state);
            if (SagaAppends.IsPassing(outcome.Status))
                outcome = await appends.RetryAsync(outcome, (Run: this, step, state), static of => of.Run.SendActionOnceAsync(of.step, of.state), deadline);
            if (!SagaAppends.IsPassing(outcome.Status)) return outcome;
        }

        // Its time is over: what is known by now decides.
        if (_mayBeSent)
        {
            var found = await FindActionAsync(step, state);
            if (SagaAppends.IsPassing(found.Status))
                found = await appends.RetryAsync(found, (Run: this, step, state), static of => of.Run.FindActionAsync(of.step, of.state), never);
            if (found.Status != AppendStatus.SeqMismatch) return found;
        }

        return outcome with { Status = outcome.Status == AppendStatus.InDoubt ? AppendStatus.Unavailable : outcome.Status, Detail = TimedOut };
    }

    private async ValueTask<AppendOutcome> SendActionOnceAsync(int step, StepState state)
    {
        var outcome = await steps.SendActionAsync(saga.Id, step, state);
        _mayBeSent |= outcome.Status == AppendStatus.InDoubt;
        return outcome;
    }

    private ValueTask<AppendOutcome> FindActionAsync(int step, StepState state) => steps.FindActionAsync(saga.Id, step, state);

    private ValueTask<AppendOutcome> SendCompensationAsync(int step, StepState state) => steps.SendCompensationAsync(saga.Id, step, state);

    /// <summary>Writes what happened and goes on: if it is lost, it is found again.</summary>
    private async ValueTask ProgressAsync(LogEntry entry)
    {
        await _written;
        _written = log.WriteAsync(saga, entry);
    }

    /// <summary>Ends when the entries are durable.</summary>
    private async Task DecideAsync(params LogEntry[] entries)
    {
        await _written;
        await log.WriteAsync(saga, entries);
    }
}
