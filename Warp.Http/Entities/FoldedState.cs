using Warp.Http.Aggregates;

namespace Warp.Http.Entities;

/// <summary>The states of one life that were asked for, by aggregate.</summary>
internal sealed class FoldedStates
{
    /// <summary>
    /// States kept a life. Anybody can ask for any name, so what is beyond is folded for the one who asked and forgotten; an entity has one or
    /// two aggregates as a rule.
    /// </summary>
    private const int KeptMax = 64;

    private FoldedState[] _known = []; // replaced, never changed

    /// <summary>The background folds' alone; null until they looked at this life.</summary>
    public GrownAggregates? Grown { get; set; }

    public long Bytes
    {
        get
        {
            long bytes = 64;
            foreach (var state in Volatile.Read(ref _known)) bytes += state.Bytes;
            return bytes;
        }
    }

    public FoldedState? Find(string aggregate)
    {
        foreach (var state in Volatile.Read(ref _known))
            if (string.Equals(state.Aggregate, aggregate, StringComparison.Ordinal)) return state;
        return null;
    }

    public FoldedState GetOrAdd(string aggregate)
    {
        while (true)
        {
            var known = Volatile.Read(ref _known);
            if (Find(aggregate) is { } found) return found;
            var added = new FoldedState(aggregate);
            if (known.Length >= KeptMax || ReferenceEquals(Interlocked.CompareExchange(ref _known, [.. known, added], known), known)) return added;
        }
    }
}

/// <summary>One aggregate's state, folded as far as it was last asked for, and its rendered form.</summary>
/// <remarks>
/// Only durable events are folded, so folding needs nothing of the actor: who gets <see cref="_folding"/> folds, the others wait for it.
/// The rendered snapshot is immutable and read by anybody.
/// </remarks>
internal sealed class FoldedState(string aggregate)
{
    private const int BaseBytes = 96;

    private TaskCompletionSource? _folding;
    private StateSnapshot? _snapshot; // the last good one
    private StateFold? _fold; // the folder's alone

    private long _foldBytes; // set by the folder, read by any

    public string Aggregate => aggregate;

    /// <summary>What it keeps in memory, about: the state to fold on and the rendered answer.</summary>
    public long Bytes => BaseBytes + Volatile.Read(ref _foldBytes) + (Volatile.Read(ref _snapshot)?.Bytes ?? 0);

    /// <summary>The snapshot if it is of this seq and these definitions.</summary>
    public StateSnapshot? TryGet(long seq, AggregateSet definitions) =>
        Volatile.Read(ref _snapshot) is { } snapshot && snapshot.Seq == seq && ReferenceEquals(snapshot.Definitions, definitions) ? snapshot : null;

    public async ValueTask<StateResult> GetAsync(EntityActor actor, EntityLife life, CancellationToken cancellation)
    {
        while (true)
        {
            var definitions = actor.Definitions.Current;
            if (TryGet(life.DurableSeq, definitions) is { } snapshot) return new StateResult(StateStatus.Found, snapshot);
            var mine = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            if (Interlocked.CompareExchange(ref _folding, mine, null) is { } other)
            {
                await other.Task.WaitAsync(cancellation);
                continue;
            }

            try
            {
                return await FoldAsync(actor, life, definitions, cancellation);
            }
            finally
            {
                Volatile.Write(ref _folding, null);
                mine.SetResult();
                actor.CountBytes();
            }
        }
    }

    private async ValueTask<StateResult> FoldAsync(EntityActor actor, EntityLife life, AggregateSet definitions, CancellationToken cancellation)
    {
        var seq = life.DurableSeq;
        var fold = _fold;
        if (fold is null || !fold.IsOf(definitions)) fold = new StateFold(actor, life, aggregate, definitions);
        _fold = fold;
        FoldFailure? failure;
        try
        {
            failure = await fold.AdvanceAsync(seq, long.MaxValue, cancellation);
        }
        finally
        {
            // Who gives up leaves what is folded to those who wait.
            Volatile.Write(ref _foldBytes, fold.Bytes);
        }

        if (failure is not null) return StateResult.Of(failure);
        if (!fold.Exists) return new StateResult(StateStatus.NoSuchAggregate);
        var snapshot = fold.Render(seq, definitions);
        Volatile.Write(ref _snapshot, snapshot);
        fold.Offer(actor.StoreStateEvents, snapshot.State.Span);
        return new StateResult(StateStatus.Found, snapshot);
    }
}
