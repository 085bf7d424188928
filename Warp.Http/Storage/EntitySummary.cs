namespace Warp.Http.Storage;

/// <summary>What a description of an entity says about its events, gathered over runs and memtables.</summary>
public sealed class EntitySummary
{
    private readonly AggregateNames _aggregates = new();

    /// <summary>The highest seq seen.</summary>
    public long LastSeq { get; private set; }

    public long FirstMs { get; private set; } = long.MaxValue;

    public long LastMs { get; private set; }

    /// <summary>Bytes of its events in stored form.</summary>
    public long Bytes { get; private set; }

    /// <summary>The aggregates its events name; an empty name stands for events that name none.</summary>
    public IReadOnlyList<string> Aggregates => _aggregates.Names;

    internal void Add(long lastSeq, long firstMs, long lastMs, long bytes, ReadOnlySpan<byte> aggregates)
    {
        LastSeq = Math.Max(LastSeq, lastSeq);
        FirstMs = Math.Min(FirstMs, firstMs);
        LastMs = Math.Max(LastMs, lastMs);
        Bytes += bytes;
        _aggregates.AddAll(aggregates);
    }

    internal void Add(in EntitySlice slice)
    {
        Add(slice.LastSeq, slice.CommittedMs, slice.CommittedMs, slice.Events.Length, default);
        var rest = slice.Events;
        for (var i = 0; i < slice.Count; i++) _aggregates.Add(Events.EventRecord.Read(ref rest).Aggregate);
    }
}
