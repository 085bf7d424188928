using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>Neighbouring events of one append, as stored; borrowed from a memtable or a piece and valid inside the visit only.</summary>
public readonly ref struct EntitySlice
{
    public required long FirstSeq { get; init; }

    public required int Count { get; init; }

    public required long FirstPosition { get; init; }

    public required long CommittedMs { get; init; }

    /// <summary>The first event's place in its append: above 0 where an append was split over pieces.</summary>
    public required int IndexInAppend { get; init; }

    /// <summary>The append's Idempotency-Key; empty if it had none.</summary>
    public required ReadOnlySpan<byte> Key { get; init; }

    /// <summary><see cref="Count"/> events as <see cref="EventRecord"/> writes them.</summary>
    public required ReadOnlySpan<byte> Events { get; init; }

    public long LastSeq => FirstSeq + Count - 1;
}

/// <summary>Receives slices in the order asked for.</summary>
public interface ISliceVisitor
{
    /// <summary>False = enough.</summary>
    bool Visit(in EntitySlice slice);
}
