using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Sagas;

/// <summary>Runs sagas, each once whoever asks, and tells where they stand.</summary>
/// <remarks>
/// Ownership is an entry in <see cref="_owned"/>: whoever added it works on the saga and removes it; others wait for it. An id that is not owned is
/// looked up in its log by its new owner, and the log's first append expects an empty log: so a saga that ended between two looks is never begun
/// again. <see cref="OpenSagas"/> is told before a saga's log begins and after it has ended.
/// </remarks>
public sealed partial class SagaService : IDisposable
{
    private readonly ConcurrentDictionary<string, OpenSaga> _owned = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _stopping = new();
    private readonly SagaOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly SagaAppends _appends;
    private readonly StepAppends _steps;
    private readonly EntityRegistry _registry;
    private readonly Store _store;
    private readonly Deadline _never;
    private int _inFlight;

    public SagaService(EntityRegistry registry, Store store, IOptions<SagaOptions> options, IOptions<Limits> limits, TimeProvider time, ILogger<SagaService> logger)
        : this(registry, store, options.Value, limits.Value, time, logger, registry.AppendAsync)
    {
    }

    /// <param name="append">Where all appends of sagas go; tests put faults in between.</param>
    internal SagaService(
        EntityRegistry registry, Store store, SagaOptions options, Limits limits, TimeProvider time, ILogger logger, Func<AppendCommand, ValueTask<AppendOutcome>> append)
    {
        (_registry, _store, _options, _time, _logger) = (registry, store, options, time, logger);
        _never = new Deadline(Timeout.InfiniteTimeSpan, time, _stopping.Token);
        Conditions = new ConditionCache(limits.ExpressionChars);
        _appends = new SagaAppends(append, time);
        _steps = new StepAppends(_appends, Conditions);
        Log = new SagaLog(registry, _appends, time, _never);
        Parties = new Parties(registry, store, _appends, _never);
        Erasure = new PartyErasure(registry, store);
        Open = new OpenSagas(registry, store.Shards, _appends, time, _stopping.Token);
        SagaMetrics.Opened(this);
    }

    /// <summary>What is to be told to whoever looks after the service; null = nothing.</summary>
    public string? Trouble => Open.Stuck is > 0 and var stuck
        ? $"{stuck} {(stuck == 1 ? "saga is" : "sagas are")} stuck: GET /v1/sagas?resultType=STUCK lists them, POST …/retry or …/resolve ends them."
        : null;

    /// <summary>Sagas that may run at once.</summary>
    internal int InFlightMax => _options.InFlight;

    internal int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Conditions of steps, compiled when they are asked for and used again when they are judged.</summary>
    internal ConditionCache Conditions { get; }

    internal SagaLog Log { get; }

    internal Parties Parties { get; }

    public PartyErasure Erasure { get; }

    internal OpenSagas Open { get; }

    /// <summary>Runs the saga of this id, or finds it: the same steps get the same answer.</summary>
    /// <param name="wait">False: answers when the saga has begun, durably.</param>
    internal async ValueTask<SagaAnswer> StartAsync(string id, IReadOnlyList<SagaStep> steps, TimeSpan timeout, bool wait)
    {
        while (true)
        {
            if (_owned.TryGetValue(id, out var other))
            {
                await other.Known;
                if (other.Saga is not null) return IsSame(other.Saga, steps) ? await FollowAsync(other, wait) : new SagaAnswer(SagaAnswerKind.OtherSteps);
                if (other.Refusal is { } refusal) return refusal;
                await other.Done; // it failed before it knew; this one tries itself
                continue;
            }

            if (!TryEnter()) return new SagaAnswer(SagaAnswerKind.TooMany);
            var open = new OpenSaga(id);
            if (!_owned.TryAdd(id, open))
            {
                Leave();
                continue;
            }

            var work = OwnAsync(open, () => BeginAsync(open, steps, timeout));
            if (wait) await work;
            else await open.Known;
            if (open.Refusal is { } refused) return refused;
            if (open.Failure is not null || open.Saga is null) Rethrow(open);
            return IsSame(open.Saga!, steps) ? await FollowAsync(open, wait) : new SagaAnswer(SagaAnswerKind.OtherSteps);
        }
    }

    /// <summary>The saga as its log tells of it; null if there is none.</summary>
    internal async ValueTask<SagaState?> FindAsync(string id, CancellationToken cancellation)
    {
        var saga = await Log.ReadAsync(id, cancellation);
        if (saga is not null) await Parties.LoadAsync(saga, cancellation);
        return saga;
    }

    /// <summary>Tries the refused compensations of a stuck saga again.</summary>
    internal ValueTask<SagaAnswer> RetryAsync(string id, bool wait) => OnStuckAsync(id, wait, async (open, saga) =>
    {
        await Log.WriteAsync(saga, new LogEntry(LogType.Retried));
        open.BecomesKnown(saga);
        await RunAsync(saga, isResumed: true);
    });

    /// <summary>A person has settled what a stuck saga could not: it is over.</summary>
    internal ValueTask<SagaAnswer> ResolveAsync(string id, string note) => OnStuckAsync(id, wait: true, async (open, saga) =>
    {
        await Log.WriteAsync(saga, new LogEntry(LogType.Resolved) { Note = note });
        SagaMetrics.Ended(SagaResult.Compensated);
        open.BecomesKnown(await FindAsync(id, _stopping.Token) ?? saga); // with the time that is stored, which every later answer tells
    });

    public void Dispose()
    {
        Open.Dispose();
        _never.Dispose();
        _stopping.Dispose();
    }

    private async ValueTask<SagaAnswer> OnStuckAsync(string id, bool wait, Func<OpenSaga, SagaState, Task> change)
    {
        var open = new OpenSaga(id);
        while (!_owned.TryAdd(id, open))
        {
            if (!_owned.TryGetValue(id, out var other)) continue;
            await other.Known;
            if (other.Saga is { HasEnded: false }) return new SagaAnswer(SagaAnswerKind.NotStuck);
            await other.Done;
        }

        Interlocked.Increment(ref _inFlight); // a person asks: that is not refused for the sake of others
        var work = OwnAsync(open, async () =>
        {
            var saga = await FindAsync(id, _stopping.Token);
            if (saga?.Result == SagaResult.Stuck) await change(open, saga);
            else open.Refusal = new SagaAnswer(saga is null ? SagaAnswerKind.NotFound : SagaAnswerKind.NotStuck);
        });
        if (wait) await work;
        else await open.Known;
        if (open.Refusal is { } refused) return refused;
        if (open.Failure is not null || open.Saga is null) Rethrow(open);
        return await FollowAsync(open, wait);
    }

    /// <summary>The saga after its owner has let go of it; or now, where nobody waits.</summary>
    private static async ValueTask<SagaAnswer> FollowAsync(OpenSaga open, bool wait)
    {
        if (wait)
        {
            await open.Done;
            if (open.Failure is not null) Rethrow(open);
        }

        return SagaAnswer.Of(open.Saga!);
    }

    private async Task OwnAsync(OpenSaga open, Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception e)
        {
            // It stays open, and goes on when it is asked for or at the next start.
            open.Failure = e;
            if (e is not OperationCanceledException) LogFailed(_logger, open.Id, e);
        }

        if (open.Saga is { HasEnded: true } saga)
        {
            if (saga.Result == SagaResult.Stuck) Open.GotStuck(open.Id, saga.Life);
            else Open.Ended(open.Id);
        }

        Log.Release(open.Id);
        _owned.TryRemove(open.Id, out _);
        Leave();
        open.End();
    }

    private async Task BeginAsync(OpenSaga open, IReadOnlyList<SagaStep> steps, TimeSpan timeout)
    {
        var saga = await FindAsync(open.Id, _stopping.Token);
        var isResumed = saga is not null;
        if (saga is null)
        {
            saga = await TryBeginAsync(open, steps, timeout);
            if (saga is null && open.Refusal is not null) return;
        }

        // Another one may have begun and ended between the two looks.
        saga ??= await FindAsync(open.Id, _stopping.Token) ?? throw new InvalidDataException("A saga's log is there and can't be found.");
        open.BecomesKnown(saga);
        if (!saga.HasEnded) await RunAsync(saga, isResumed);
    }

    /// <summary>Keeps the steps with their parties, then writes the start. Null with a refusal, or without one if there is a log already.</summary>
    private async ValueTask<SagaState?> TryBeginAsync(OpenSaga open, IReadOnlyList<SagaStep> steps, TimeSpan timeout)
    {
        using var deadline = new Deadline(timeout, _time, _stopping.Token);
        var begin = new SagaBegin(Parties, Erasure, _appends, deadline);
        var outcome = await Open.EnsureWrittenAsync(deadline);
        if (outcome.Status == AppendStatus.Appended) outcome = await begin.KeepAsync(open.Id, steps);
        if (outcome.Status != AppendStatus.Appended)
        {
            open.Refusal = new SagaAnswer(SagaAnswerKind.Refused, Refusal: outcome);
            return null;
        }

        var saga = begin.ToState(open.Id, timeout, _time.GetUtcNow().ToUnixTimeMilliseconds());
        Open.Began(open.Id);
        outcome = await Log.BeginAsync(saga, SagaBegin.EndAtOnce(saga), deadline);
        if (outcome.Status != AppendStatus.Appended)
        {
            Open.Ended(open.Id);
            if (outcome.Status != AppendStatus.SeqMismatch) open.Refusal = new SagaAnswer(SagaAnswerKind.Refused, Refusal: outcome);
            return null;
        }

        Open.Newest(saga.Life);
        SagaMetrics.Started.Add(1);
        if (saga.HasEnded) SagaMetrics.Ended(saga.Result);
        return saga;
    }

    private async Task RunAsync(SagaState saga, bool isResumed)
    {
        var began = _time.GetTimestamp();
        using var deadline = new Deadline(LeftOf(saga), _time, _stopping.Token);
        await new SagaRun(saga, Log, Parties, _steps, _appends, deadline, _never).RunAsync(isResumed);
        SagaMetrics.Seconds.Record(_time.GetElapsedTime(began).TotalSeconds);
        SagaMetrics.Ended(saga.Result);
    }

    /// <summary>The timeout counts from the start in the log, so that restarts do not prolong it.</summary>
    private TimeSpan LeftOf(SagaState saga)
    {
        var left = DateTimeOffset.FromUnixTimeMilliseconds(saga.StartedMs) + saga.Timeout - _time.GetUtcNow();
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private static bool IsSame(SagaState saga, IReadOnlyList<SagaStep> steps)
    {
        if (saga.Steps.Length != steps.Count) return false;
        for (var i = 0; i < steps.Count; i++)
            if (saga.Steps[i].Content is { } content && !content.IsSame(steps[i])) return false; // what was erased can't be compared
        return true;
    }

    private bool TryEnter()
    {
        if (Interlocked.Increment(ref _inFlight) <= _options.InFlight) return true;
        Leave();
        return false;
    }

    private void Leave() => Interlocked.Decrement(ref _inFlight);

    private static void Rethrow(OpenSaga open) =>
        ExceptionDispatchInfo.Throw(open.Failure ?? new InvalidOperationException($"Saga {open.Id} ended without an answer."));

    [LoggerMessage(Level = LogLevel.Error, Message = "Saga {SagaId} stopped at a failure; it goes on when it is asked for again, or at the next start.")]
    private static partial void LogFailed(ILogger logger, string sagaId, Exception e);
}
