using Warp.Http.Events;

namespace Warp.Http.Entities;

public readonly record struct EntityDescription(Life Life, long Seq, long CreatedAtMs, long UpdatedAtMs, IReadOnlyList<string> Aggregates, long Bytes);

/// <summary>A folded state, immutable. Body is the whole answer of GET …/aggregates/{a} as UTF-8 JSON; State the state alone.</summary>
public sealed class StateSnapshot
{
    public required long Seq { get; init; }
    public required int? DefinitionVersion { get; init; }
    public required string ETag { get; init; }
    public required ReadOnlyMemory<byte> State { get; init; }
    public required ReadOnlyMemory<byte> Body { get; init; }
}

public enum StateStatus { Found, NoSuchAggregate, FoldFailed, BeyondLastSeq, Erased }

/// <summary>FoldFailed: FailedSeq, Expression, Line, Column and Message say where.</summary>
public readonly record struct StateResult(StateStatus Status, StateSnapshot? Snapshot = null, long FailedSeq = 0, string? Expression = null, int Line = 0, int Column = 0, string? Message = null);

/// <summary>SKETCH of the face; the body lands from another branch.</summary>
public sealed class EntityActor
{
    public EntityName Name => throw new NotSupportedException();

    public Life Life => throw new NotSupportedException();

    /// <summary>The last durable seq; what is not durable is shown nowhere.</summary>
    public long DurableSeq => throw new NotSupportedException();

    /// <summary>The state as of DurableSeq if it is folded already: the hot path, allocates nothing.</summary>
    public StateSnapshot? TryGetState(string aggregate) => throw new NotSupportedException();

    public ValueTask<StateResult> GetStateAsync(string aggregate, CancellationToken cancellation) => throw new NotSupportedException();

    /// <summary>Time travel: the state after atSeq (or after the last event recorded at or before atMs), folded from the start, not kept.</summary>
    public ValueTask<StateResult> GetStateAtAsync(string aggregate, long? atSeq, long? atMs, CancellationToken cancellation) => throw new NotSupportedException();

    /// <summary>Completes with true when DurableSeq reaches minSeq, false after the wait.</summary>
    public ValueTask<bool> WaitForSeqAsync(long minSeq, TimeSpan wait, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask<EntityDescription> DescribeAsync(CancellationToken cancellation) => throw new NotSupportedException();

    /// <summary>
    /// One page of durable events with seq in from..to (clipped to what is there), ascending or descending; at most maxEvents and about maxBytes
    /// (at least one event where there is one). Dispose returns its buffer.
    /// </summary>
    public ValueTask<HistoryPage> ReadAsync(long from, long to, bool descending, int maxEvents, int maxBytes, CancellationToken cancellation) => throw new NotSupportedException();
}

/// <summary>SKETCH. Use: foreach index 0..Count-1: page.GetEvent(i) gives a RecordedEvent (a ref struct) borrowed from the page's buffer.</summary>
public sealed class HistoryPage : IDisposable
{
    public int Count => throw new NotSupportedException();

    public RecordedEvent GetEvent(int index) => throw new NotSupportedException();

    /// <summary>The seq to go on with (from for ascending, to for descending); 0 when the range is exhausted.</summary>
    public long NextSeq => throw new NotSupportedException();

    public void Dispose() => throw new NotSupportedException();
}
