using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>One life of an entity as readers may see it.</summary>
internal sealed class EntityLife(EntityName name, NameTag tag, long number, long durableSeq) : EntityRef(name, tag, number)
{
    /// <summary>Guards the waits of all lives: they are few, and a lock of its own would make each of a million lives larger by a third.</summary>
    private static readonly Lock Waiting = new();

    private List<(long Seq, TaskCompletionSource Reached)>? _waits; // null while nobody waits
    private FoldedStates? _states;
    private long _durableSeq = durableSeq;

    /// <summary>The last seq that is on disk; 0 = nothing yet, and the life is not shown.</summary>
    public long DurableSeq
    {
        get => Volatile.Read(ref _durableSeq);
        set => Volatile.Write(ref _durableSeq, value);
    }

    /// <summary>The states folded so far; null = none was asked for.</summary>
    public FoldedStates? KnownStates => Volatile.Read(ref _states);

    public FoldedStates States => KnownStates ?? Interlocked.CompareExchange(ref _states, new FoldedStates(), null) ?? _states;

    public bool HasWaits => Volatile.Read(ref _waits) is not null;

    /// <summary>Ends when <see cref="DurableSeq"/> reaches <paramref name="seq"/>, or the life ends or goes on in another actor.</summary>
    public Task WhenReached(long seq)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (Waiting)
        {
            if (_waits is null) Volatile.Write(ref _waits, []);
            _waits!.Add((seq, reached));
        }

        // An append may have become durable between the caller's look and the line above, and seen no wait.
        Interlocked.MemoryBarrier();
        if (DurableSeq >= seq) reached.TrySetResult();
        return reached.Task;
    }

    public void Forget(Task reached) => End(wait => ReferenceEquals(wait.Reached.Task, reached));

    public void WakeWaits()
    {
        if (!HasWaits) return;
        var seq = DurableSeq;
        End(wait => wait.Seq <= seq);
    }

    public void EndWaits()
    {
        if (HasWaits) End(_ => true);
    }

    private void End(Predicate<(long Seq, TaskCompletionSource Reached)> which)
    {
        lock (Waiting)
        {
            if (_waits is null) return;
            _waits.RemoveAll(wait => which(wait) && (wait.Reached.TrySetResult() || true));
            if (_waits.Count == 0) Volatile.Write(ref _waits, null);
        }
    }
}
