using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>How posting an erasure ended.</summary>
public enum EraseStatus
{
    /// <summary>The fence is durable: nobody sees the life any more, and its data is being removed.</summary>
    Fenced,

    /// <summary>There was no life to erase; an earlier erasure may have left a tombstone.</summary>
    Nothing,

    /// <summary>The shard could not take it; it may or may not have happened.</summary>
    Unavailable,
}

/// <summary>Erases a life: a fence through the same writer as its appends, so that it has its place among them.</summary>
/// <param name="isNamedElsewhere">Another store holds something of the entity: where it never had a life, one without events is fenced.</param>
internal sealed class EraseCommand(Guid receiptId, bool isNamedElsewhere) : EntityCommand
{
    private readonly TaskCompletionSource<EraseStatus> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly byte[] _body = new byte[FenceBody.Bytes];
    private bool _nothing;

    public Task<EraseStatus> Done => _done.Task;

    /// <summary>The life's last seq: that many events are erased.</summary>
    public long ErasedEvents { get; set; }

    public bool IsNamedElsewhere => isNamedElsewhere;

    public override int Count => 1;

    public override ReadOnlySpan<byte> Body => Kind == CommitKind.Fence ? Fence() : default;

    public override uint BodyCrc => Crc32C.Compute(Body);

    public void Decide()
    {
        _nothing = true;
        Kind = CommitKind.Barrier;
    }

    public override void OnCommitted_WriterThreadOnly()
    {
        if (Kind != CommitKind.Fence) return;
        Actor!.Shard.Tombstones.AddFromJournal(new Tombstone(EntityRef!.Tag, EntityRef.Number, receiptId, CommittedMs, ErasedEvents, FirstPosition, Complete: false));
        Actor.Erased_WriterThreadOnly();
    }

    public override void OnFailed_WriterThreadOnly()
    {
        if (Kind == CommitKind.Fence) Actor!.Failed_WriterThreadOnly();
    }

    public override void Complete()
    {
        if (Failure == CommitFailure.None && Kind == CommitKind.Fence)
        {
            Life!.EndWaits();
            Actor!.Shard.MaintenanceDue();
        }

        _done.SetResult(Failure != CommitFailure.None ? EraseStatus.Unavailable : _nothing ? EraseStatus.Nothing : EraseStatus.Fenced);
    }

    internal override void Judge(EntityActor actor, bool mayReadDisk) => actor.Judge(this);

    private byte[] Fence()
    {
        new FenceBody(receiptId, EntityRef!.Tag).Write(_body);
        return _body;
    }
}

/// <summary>Does nothing but come back: by then the actor is loaded, and what is published is all that was durable when it was posted.</summary>
internal sealed class TouchCommand : EntityCommand
{
    private readonly TaskCompletionSource<bool> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public TouchCommand() => Kind = CommitKind.Barrier;

    /// <summary>False if the shard could not load the entity.</summary>
    public Task<bool> Done => _done.Task;

    public override void Complete() => _done.SetResult(Failure == CommitFailure.None);

    internal override void Judge(EntityActor actor, bool mayReadDisk) => actor.Judge(this);
}
