using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>One life of an entity as readers may see it.</summary>
internal sealed class EntityLife(EntityRef entity, long durableSeq)
{
    private readonly Lock _waiting = new();
    private List<(long Seq, TaskCompletionSource Reached)>? _waits;
    private long _durableSeq = durableSeq;

    public EntityRef Entity { get; } = entity;

    /// <summary>The last seq that is on disk; 0 = nothing yet, and the life is not shown.</summary>
    public long DurableSeq
    {
        get => Volatile.Read(ref _durableSeq);
        set => Volatile.Write(ref _durableSeq, value);
    }

    /// <summary>The states folded so far.</summary>
    public FoldedStates States { get; } = new();

    /// <summary>Ends when <see cref="DurableSeq"/> reaches <paramref name="seq"/>, or the life ends.</summary>
    public Task WhenReached(long seq)
    {
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_waiting) (_waits ??= []).Add((seq, reached));
        // An append may have become durable between the caller's look and the line above, and seen no wait.
        if (DurableSeq >= seq) reached.TrySetResult();
        return reached.Task;
    }

    public void Forget(Task reached)
    {
        lock (_waiting) _waits!.RemoveAll(wait => ReferenceEquals(wait.Reached.Task, reached));
    }

    public void WakeWaits()
    {
        if (Volatile.Read(ref _waits) is null) return;
        var seq = DurableSeq;
        lock (_waiting) _waits!.RemoveAll(wait => wait.Seq <= seq && (wait.Reached.TrySetResult() || true));
    }

    public void EndWaits()
    {
        if (Volatile.Read(ref _waits) is null) return;
        lock (_waiting) _waits!.RemoveAll(wait => wait.Reached.TrySetResult() || true);
    }
}
