using System.Buffers;
using System.Collections.Concurrent;
using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>The states of one life that were asked for, by aggregate.</summary>
internal sealed class FoldedStates
{
    private ConcurrentDictionary<string, FoldedState>? _byAggregate;

    public long Bytes => _byAggregate?.Values.Sum(s => s.Bytes) ?? 0;

    public FoldedState? Find(string aggregate) => Volatile.Read(ref _byAggregate)?.GetValueOrDefault(aggregate);

    public FoldedState GetOrAdd(string aggregate)
    {
        var states = Volatile.Read(ref _byAggregate);
        if (states is null)
        {
            states = new ConcurrentDictionary<string, FoldedState>(concurrencyLevel: 1, capacity: 1, StringComparer.Ordinal);
            states = Interlocked.CompareExchange(ref _byAggregate, states, null) ?? states;
        }

        return states.GetOrAdd(aggregate, static name => new FoldedState(name));
    }
}

/// <summary>One aggregate's state, folded as far as it was last asked for, and its rendered form.</summary>
/// <remarks>
/// Only durable events are folded, so folding needs nothing of the actor: who gets <see cref="_folding"/> folds, the others wait for it.
/// The rendered snapshot is immutable and read by anybody.
/// </remarks>
internal sealed class FoldedState(string aggregate)
{
    private TaskCompletionSource? _folding;
    private StateSnapshot? _snapshot; // the last good one
    private StateFold? _fold; // the folder's alone

    public long Bytes => (_snapshot?.Body.Length ?? 0) + Volatile.Read(ref _foldBytes);

    private long _foldBytes;

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
                return await FoldAsync(actor, life, definitions);
            }
            finally
            {
                Volatile.Write(ref _folding, null);
                mine.SetResult();
            }
        }
    }

    private async ValueTask<StateResult> FoldAsync(EntityActor actor, EntityLife life, AggregateSet definitions)
    {
        var seq = life.DurableSeq;
        var fold = _fold;
        if (fold is null || !fold.IsOf(definitions)) fold = new StateFold(actor, life, aggregate, definitions);
        _fold = fold;
        var failure = await fold.AdvanceAsync(seq);
        Volatile.Write(ref _foldBytes, fold.Bytes);
        if (failure is not null) return StateResult.Of(failure);
        if (!fold.Exists) return new StateResult(StateStatus.NoSuchAggregate);
        var before = Bytes;
        var snapshot = fold.Render(seq, definitions);
        Volatile.Write(ref _snapshot, snapshot);
        actor.CountBytes(Bytes - before);
        return new StateResult(StateStatus.Found, snapshot);
    }
}
