namespace Warp.Http.Events;

/// <summary>A stored event as consumers see it: its fields with the place and time that the service gave it.</summary>
public readonly ref struct RecordedEvent
{
    public RecordedEvent(long seq, long recordedAtMs, EventFields fields, ReadOnlySpan<byte> idempotencyKey, int indexInAppend)
    {
        Seq = seq;
        RecordedAtMs = recordedAtMs;
        Fields = fields;
        IdempotencyKey = idempotencyKey;
        IndexInAppend = indexInAppend;
    }

    /// <summary>From 1, without gaps within a life.</summary>
    public long Seq { get; }

    /// <summary>Unix milliseconds of the group commit; never decreasing within an entity.</summary>
    public long RecordedAtMs { get; }

    public EventFields Fields { get; }

    /// <summary>The append's Idempotency-Key; empty if it had none.</summary>
    public ReadOnlySpan<byte> IdempotencyKey { get; }

    /// <summary>The event's place in its append, from 0: with the key it makes the id <c>key:index</c>.</summary>
    public int IndexInAppend { get; }
}
