namespace Warp.Http.Storage;

public enum CommitKind
{
    Append,
    Fence,

    /// <summary>A folded state; takes no position.</summary>
    State,

    /// <summary>Writes nothing; ends when everything enqueued before it is durable, or fails with it.</summary>
    Barrier,

    /// <summary>Writes nothing; a new journal is begun after it.</summary>
    Rotate,
}

public enum CommitFailure
{
    None,

    /// <summary>The row was handed to the disk and came back with an error: it may be there or not.</summary>
    InDoubt,

    /// <summary>It was never written.</summary>
    Refused,
}

/// <summary>What an actor hands to its shard's writer, in the order in which it judged.</summary>
/// <remarks>The actor fills it and lets go of it with Enqueue; the writer owns it until the completion, which a pool thread runs.</remarks>
public abstract class CommitItem : IQueued<CommitItem>
{
    CommitItem? IQueued<CommitItem>.Next { get; set; }

    public CommitKind Kind { get; protected internal set; }

    /// <summary>The shard's epoch under which the actor judged; the writer refuses items of an earlier one.</summary>
    public int Epoch { get; set; }

    /// <summary>The life that an append or a fence belongs to.</summary>
    public EntityRef? EntityRef { get; set; }

    /// <summary>Seq of an append's first event; a fence's is the number of events it erases, a state's the seq that it covers.</summary>
    public long FirstSeq { get; set; }

    /// <summary>Events of an append; 1 for a fence, 0 for a state.</summary>
    public virtual int Count => 0;

    public virtual ReadOnlySpan<byte> Key => default;

    public virtual ReadOnlySpan<byte> Body => default;

    public virtual uint BodyCrc => 0;

    /// <summary>True if this item made the entity and carries its name; set by the writer.</summary>
    public bool IsFirstOfEntity { get; internal set; }

    /// <summary>Unix milliseconds of the group commit; set by the writer.</summary>
    public long CommittedMs { get; internal set; }

    /// <summary>The position of its first event, or of a fence; set by the writer.</summary>
    public long FirstPosition { get; internal set; }

    /// <summary>Set by the writer before the completion.</summary>
    public CommitFailure Failure { get; internal set; }

    /// <summary>It is durable and in the memtable: publish what readers may see. Must be short and call nobody.</summary>
    public virtual void OnCommitted_WriterThreadOnly()
    {
    }

    /// <summary>It is not, or may not be, durable.</summary>
    public virtual void OnFailed_WriterThreadOnly()
    {
    }

    /// <summary>Ends it on a pool thread. Runs the caller's continuation inline.</summary>
    public abstract void Complete();
}
