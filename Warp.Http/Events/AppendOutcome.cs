namespace Warp.Http.Events;

/// <summary>How an append ended. Each case but <see cref="Appended"/> and <see cref="Replayed"/> stored nothing, or is in doubt and says so.</summary>
public enum AppendStatus
{
    /// <summary>Durable at FirstSeq to LastSeq.</summary>
    Appended,

    /// <summary>The same append was stored before, at FirstSeq to LastSeq.</summary>
    Replayed,

    /// <summary>LastSeq is the entity's last seq, which is not the expected one (or its life is another).</summary>
    SeqMismatch,

    /// <summary><c>expect.when</c> was false at LastSeq.</summary>
    ConditionFalse,

    /// <summary>An event id of this life was used with other content, or only part of the append is a replay: ConflictingId at FirstSeq.</summary>
    EventIdConflict,

    /// <summary>An id has the form of the ids the service itself gives in this life, but names no stored event.</summary>
    ReservedEventId,

    /// <summary>The entity was erased.</summary>
    Erased,

    /// <summary>The append, or the condition on it, does not fold; Reason is the failure.</summary>
    FoldFailed,

    /// <summary>An invariant does not hold after the append; Reason is the violation.</summary>
    InvariantViolated,

    /// <summary>The entity's mailbox was full; nothing was stored.</summary>
    MailboxFull,

    /// <summary>The shard takes no more for now; nothing was stored.</summary>
    Overloaded,

    /// <summary>The disk has no room; nothing was stored.</summary>
    StorageFull,

    /// <summary>The shard is out of service; nothing was stored.</summary>
    Unavailable,

    /// <summary>The commit failed: whether the events are stored is not known to the caller; sending them again with the same ids tells.</summary>
    InDoubt,
}

/// <summary>The result of an append; which members speak depends on <see cref="Status"/>.</summary>
/// <param name="Detail">ConditionFalse: the condition. EventIdConflict, ReservedEventId: the id.</param>
/// <param name="Reason">The typed cause where a text is not enough; its type is that of the aggregates' failures.</param>
public readonly record struct AppendOutcome(AppendStatus Status, Life Life = default, long FirstSeq = 0, long LastSeq = 0, string? Detail = null, object? Reason = null);
