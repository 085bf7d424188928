using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Sagas;

/// <summary>Writes and reads the sagas' logs, each an entity of its own.</summary>
/// <remarks>
/// A log has one writer: whoever owns the saga in this process. Each append expects the seq that the writer knows, so that one in doubt can be
/// repeated without an id, and a second writer, which would be a bug, is refused.
/// </remarks>
internal sealed class SagaLog(EntityRegistry registry, SagaAppends appends, TimeProvider time, Deadline never)
{
    private const int PageEvents = 1000;
    private const int PageBytes = 1 << 20;

    /// <summary>Writes the start, with more behind it if the saga ends at once.</summary>
    /// <returns>How it ended; the saga began if it was appended. A mismatch says that there is a saga of this id.</returns>
    public async ValueTask<AppendOutcome> BeginAsync(SagaState saga, LogEntry[] more, Deadline deadline)
    {
        LogEntry[] entries = [new(LogType.Started), .. more];
        var outcome = await AppendAsync(saga, entries, deadline);
        if (outcome.Status == AppendStatus.Appended) Applied(saga, entries, outcome.Life);
        return outcome;
    }

    /// <summary>Ends when the entries are durable, however long that takes: what they decide must not be acted on before.</summary>
    /// <exception cref="OperationCanceledException">The service stops.</exception>
    public async Task WriteAsync(SagaState saga, params LogEntry[] entries)
    {
        var outcome = await AppendAsync(saga, entries, never);
        if (outcome.Status != AppendStatus.Appended) throw new InvalidOperationException($"The log of saga {saga.Id} refused its writer: {outcome.Status} at {outcome.LastSeq}.");
        Applied(saga, entries, outcome.Life);
    }

    /// <summary>The saga as its log tells of it, without what its steps do; null if there is none.</summary>
    public async ValueTask<SagaState?> ReadAsync(string id, CancellationToken cancellation)
    {
        var found = await registry.FindAsync(SagaIds.EntityOf(id), cancellation);
        if (found.Actor is not { } actor) return null;
        SagaState? saga = null;
        for (long from = 1; from > 0;)
        {
            using var page = await actor.ReadAsync(from, long.MaxValue, descending: false, PageEvents, PageBytes, cancellation);
            for (var i = 0; i < page.Count; i++)
            {
                var recorded = page.GetEvent(i);
                saga ??= LogFormat.ReadStarted(id, recorded);
                saga.Apply(LogFormat.Read(recorded), recorded.RecordedAtMs);
            }

            from = page.NextSeq;
        }

        if (saga is not null) saga.Life = actor.Life;
        return saga;
    }

    /// <summary>A saga that has ended is seldom asked for again: its actor would only take the place of others.</summary>
    public void Release(string id) => registry.Release(SagaIds.EntityOf(id));

    private async ValueTask<AppendOutcome> AppendAsync(SagaState saga, LogEntry[] entries, Deadline deadline)
    {
        var outcome = await appends.SendAsync(CommandOf(saga, entries));
        if (!SagaAppends.IsPassing(outcome.Status)) return outcome;
        var attempt = new Attempt(appends, saga, entries) { WasInDoubt = outcome.Status == AppendStatus.InDoubt };
        outcome = await appends.RetryAsync(outcome, attempt, static attempt => attempt.SendAsync(), deadline);

        // What was in doubt stands there after all: nobody else writes here.
        return outcome.Status == AppendStatus.SeqMismatch && attempt.WasInDoubt && outcome.LastSeq == saga.LogSeq + entries.Length
            ? new AppendOutcome(AppendStatus.Appended, outcome.Life, saga.LogSeq + 1, outcome.LastSeq)
            : outcome;
    }

    private void Applied(SagaState saga, LogEntry[] entries, Life life)
    {
        saga.Life = life;
        var now = time.GetUtcNow().ToUnixTimeMilliseconds();
        foreach (var entry in entries) saga.Apply(entry, now);
    }

    private static AppendCommand CommandOf(SagaState saga, LogEntry[] entries)
    {
        var command = AppendCommand.Rent();
        command.SetEntity(SagaIds.EntityOf(saga.Id));
        command.Expect = new ExpectedSeq(saga.LogSeq);
        foreach (var entry in entries)
        {
            if (entry.Type == LogType.Started) LogFormat.AddStarted(command.Events, saga);
            else LogFormat.Add(command.Events, entry);
        }

        command.Events.Seal();
        return command;
    }

    private sealed class Attempt(SagaAppends appends, SagaState saga, LogEntry[] entries)
    {
        public bool WasInDoubt { get; set; }

        public async ValueTask<AppendOutcome> SendAsync()
        {
            var outcome = await appends.SendAsync(CommandOf(saga, entries));
            WasInDoubt |= outcome.Status == AppendStatus.InDoubt;
            return outcome;
        }
    }
}
