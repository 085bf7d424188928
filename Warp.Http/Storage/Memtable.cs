using System.Collections.Concurrent;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>Where one append stands in a memtable's row bodies.</summary>
internal readonly record struct MemSlice(
    byte[] Chunk, int BodyAt, int BodyLength, byte KeyLength, int Count, long FirstSeq, long FirstPosition, long CommittedMs)
{
    // The key stands right before the events in the record.
    public EntitySlice Open() => new()
    {
        FirstSeq = FirstSeq,
        Count = Count,
        FirstPosition = FirstPosition,
        CommittedMs = CommittedMs,
        IndexInAppend = 0,
        Key = Chunk.AsSpan(BodyAt - KeyLength, KeyLength),
        Events = Chunk.AsSpan(BodyAt, BodyLength),
    };
}

internal readonly record struct MemName(long Entity, NameTag Tag, byte[] Chunk, int At, int Length)
{
    public ReadOnlySpan<byte> Name => Chunk.AsSpan(At, Length);
}

/// <summary>A state as it stands in a memtable; the one before it, of the same entity and another aggregate, hangs behind.</summary>
internal sealed record MemState(long Entity, ReadOnlyMemory<byte> Body, MemState? Next);

internal readonly record struct MemFence(long Entity, FenceBody Body, long Events, long CommittedMs, long Position);

/// <summary>One row's body, for who reads by position.</summary>
internal readonly record struct MemRow(byte[] Chunk, int At, int Length, long FirstPosition, long LastPosition, long CommittedMs);

/// <summary>A journal's rows in memory, indexed by entity, until they are sealed into a run. Holds durable rows only.</summary>
/// <remarks>The writer's thread links rows in after their commit; any thread reads. What is linked never changes.</remarks>
internal sealed class Memtable(long journalId, long firstPosition)
{
    private readonly ConcurrentDictionary<long, AppendOnlyList<MemSlice>> _logs = new();
    private readonly ConcurrentDictionary<NameTag, long> _byName = new();
    private readonly ConcurrentDictionary<long, MemState> _states = new();
    private readonly AppendOnlyList<MemName> _names = new();
    private readonly AppendOnlyList<MemFence> _fences = new();
    private readonly AppendOnlyList<MemRow> _rows = new();
    private long _bytes;
    private long _lastPosition = firstPosition - 1;

    public long JournalId { get; } = journalId;

    public long FirstPosition { get; } = firstPosition;

    public long LastPosition => Volatile.Read(ref _lastPosition);

    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>When the first row was committed, Unix milliseconds; 0 while empty.</summary>
    public long FirstCommittedMs { get; private set; }

    /// <summary>When the last row was committed, Unix milliseconds.</summary>
    public long LastCommittedMs { get; private set; }

    public bool IsEmpty => LastPosition < FirstPosition;

    public ReadOnlySpan<MemName> Names => _names.Items;

    public ReadOnlySpan<MemFence> Fences => _fences.Items;

    /// <summary>The rows in order of position.</summary>
    public ReadOnlySpan<MemRow> Rows => _rows.Items;

    public ICollection<long> Entities => _logs.Keys;

    /// <summary>The newest state of each entity and aggregate.</summary>
    public IEnumerable<MemState> States
    {
        get
        {
            foreach (var (_, first) in _states)
                for (var state = first; state is not null; state = state.Next) yield return state;
        }
    }

    /// <summary>The newest state of an entity and aggregate.</summary>
    public bool TryFindState(long entity, ReadOnlySpan<byte> aggregate, out ReadOnlyMemory<byte> body)
    {
        for (var state = _states.GetValueOrDefault(entity); state is not null; state = state.Next)
        {
            body = state.Body;
            if (StateBody.Read(body.Span).Aggregate.SequenceEqual(aggregate)) return true;
        }

        body = default;
        return false;
    }

    public ReadOnlySpan<MemSlice> Slices(long entity) => _logs.TryGetValue(entity, out var log) ? log.Items : default;

    /// <summary>The number under which a name was first seen in this memtable; of two lives the later.</summary>
    public bool TryFindName(NameTag tag, out long entity) => _byName.TryGetValue(tag, out entity);

    /// <summary>The name of an entity that was first seen in this memtable; empty if it was not.</summary>
    public ReadOnlySpan<byte> NameOf(long entity)
    {
        // Numbers are given in the order of commits, so the names stand in ascending order.
        var names = _names.Items;
        int low = 0, high = names.Length;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (names[middle].Entity < entity) low = middle + 1;
            else high = middle;
        }

        return low < names.Length && names[low].Entity == entity ? names[low].Name : default;
    }

    /// <summary>Makes a committed row visible. The row's body stands in <paramref name="chunk"/> from <paramref name="at"/>.</summary>
    public void Link_WriterThreadOnly(in JournalRowHeader header, byte[] chunk, int at)
    {
        ReadOnlySpan<byte> rest = chunk.AsSpan(at, header.RawLength);
        var position = header.FirstPosition;
        for (var i = 0; i < header.Records; i++)
        {
            var record = JournalRecord.ReadUnchecked(ref rest);
            var end = at + header.RawLength - rest.Length;
            if (!record.Name.IsEmpty)
            {
                var nameAt = record.NameOffset + end - record.Length;
                _names.Append_WriterThreadOnly(new MemName(record.Entity, record.Tag, chunk, nameAt, record.Name.Length));
                _byName[record.Tag] = record.Entity;
            }

            if (record.Kind == RecordKind.Fence)
            {
                _fences.Append_WriterThreadOnly(new MemFence(record.Entity, FenceBody.Read(record.Body), record.FirstSeq, header.CommittedMs, position));
            }
            else if (record.Kind == RecordKind.State)
            {
                LinkState(record.Entity, chunk.AsMemory(end - record.Body.Length, record.Body.Length));
            }
            else
            {
                if (!_logs.TryGetValue(record.Entity, out var log)) _logs[record.Entity] = log = new AppendOnlyList<MemSlice>();
                log.Append_WriterThreadOnly(new MemSlice(
                    chunk, end - record.Body.Length, record.Body.Length, (byte)record.Key.Length, record.Count, record.FirstSeq, position, header.CommittedMs));
            }

            position += record.Positions;
        }

        if (header.Positions > 0) _rows.Append_WriterThreadOnly(new MemRow(chunk, at, header.RawLength, header.FirstPosition, header.LastPosition, header.CommittedMs));
        LastCommittedMs = header.CommittedMs;
        if (FirstCommittedMs == 0) FirstCommittedMs = header.CommittedMs;
        Volatile.Write(ref _bytes, _bytes + header.RawLength);
        Volatile.Write(ref _lastPosition, header.LastPosition);
    }

    /// <summary>The chain is never changed but replaced: a reader that has its head sees it whole.</summary>
    private void LinkState(long entity, ReadOnlyMemory<byte> body)
    {
        var aggregate = StateBody.Read(body.Span).Aggregate;
        MemState? chain = null;
        for (var known = _states.GetValueOrDefault(entity); known is not null; known = known.Next)
            if (!StateBody.Read(known.Body.Span).Aggregate.SequenceEqual(aggregate)) chain = known with { Next = chain };
        _states[entity] = new MemState(entity, body, chain);
    }
}
