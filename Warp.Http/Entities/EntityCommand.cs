using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>What is posted to an actor, and what the actor hands on to the writer: one object all the way, so that an append allocates nothing.</summary>
public abstract class EntityCommand : CommitItem, IMailed<EntityCommand>, IThreadPoolWorkItem
{
    EntityCommand? IQueued<EntityCommand>.Next { get; set; }

    int IMailed<EntityCommand>.Waiting { get; set; }

    internal EntityActor? Actor { get; set; }

    /// <summary>The life that an append or a fence belongs to; set when it is submitted.</summary>
    internal EntityLife? Life { get; set; }

    /// <summary>Called by the drainer: ends in an answer, a submission or a suspension.</summary>
    internal abstract void Judge(EntityActor actor, bool mayReadDisk);

    /// <summary>The command ends without the writer: nothing was in flight that its answer depends on.</summary>
    void IThreadPoolWorkItem.Execute() => Complete();

    /// <summary>Makes a used command ready for another use.</summary>
    protected void ResetItem()
    {
        Actor = null;
        Life = null;
        EntityRef = null;
        Kind = CommitKind.Append;
        Failure = CommitFailure.None;
        IsFirstOfEntity = false;
        FirstSeq = 0;
        CommittedMs = 0;
        Epoch = 0;
    }
}
