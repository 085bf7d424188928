using System.Collections.Concurrent;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>One row's body, shared by the slices in it.</summary>
internal sealed record MemRow(byte[] Chunk, int At, int Length, long FirstPosition, long LastPosition, long CommittedMs);

/// <summary>Where one append stands in a memtable's row bodies: 32 bytes, for each append in memory has one.</summary>
internal readonly struct MemSlice(MemRow row, int bodyAt, int bodyLength, int keyLength, int count, long firstSeq, int positionInRow)
{
    private const int KeyBits = 8;
    private readonly int _countAndKey = (count << KeyBits) | keyLength;

    public MemRow Row { get; } = row;

    public long FirstSeq { get; } = firstSeq;

    public int Count => _countAndKey >>> KeyBits;

    public int KeyLength => _countAndKey & ((1 << KeyBits) - 1);

    public long NextSeq => FirstSeq + Count;

    // The key stands right before the events in the record.
    public EntitySlice Open() => new()
    {
        FirstSeq = FirstSeq,
        Count = Count,
        FirstPosition = Row.FirstPosition + positionInRow,
        CommittedMs = Row.CommittedMs,
        IndexInAppend = 0,
        Key = Row.Chunk.AsSpan(bodyAt - KeyLength, KeyLength),
        Events = Row.Chunk.AsSpan(bodyAt, bodyLength),
    };
}

internal readonly record struct MemName(long Entity, NameTag Tag, byte[] Chunk, int At, int Length)
{
    public ReadOnlySpan<byte> Name => Chunk.AsSpan(At, Length);
}

/// <summary>A state as it stands in a memtable; the one before it, of the same entity and another aggregate, hangs behind.</summary>
internal sealed record MemState(long Entity, ReadOnlyMemory<byte> Body, MemState? Next);

internal readonly record struct MemFence(long Entity, FenceBody Body, long Events, long CommittedMs, long Position);

/// <summary>A journal's rows in memory, indexed by entity, until they are sealed into a run. Holds durable rows only.</summary>
/// <remarks>The writer's thread links rows in after their commit; any thread reads. What is linked never changes.</remarks>
internal sealed class Memtable(long journalId, long firstPosition)
{
    private readonly MemtableIndex _index = new();
    private readonly ConcurrentDictionary<long, MemState> _states = new(concurrencyLevel: 1, capacity: 0);
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

    /// <summary>The names of the entities that were first seen in this memtable, in ascending order of number.</summary>
    public IEnumerable<MemName> Names => _index.Names;

    public ReadOnlySpan<MemFence> Fences => _fences.Items;

    /// <summary>The rows in order of position.</summary>
    public ReadOnlySpan<MemRow> Rows => _rows.Items;

    public IEnumerable<long> Entities => _index.Entities;

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

    public ReadOnlySpan<MemSlice> Slices(long entity) => _index.Slices(entity);

    /// <summary>The number under which a name was first seen in this memtable; of two lives the later.</summary>
    public bool TryFindName(NameTag tag, out long entity) => _index.TryFindEntity(tag, out entity);

    /// <summary>The name of an entity that was first seen in this memtable; empty if it was not.</summary>
    public ReadOnlySpan<byte> NameOf(long entity) => _index.TryFindName(entity, out var name) ? name.Name : default;

    /// <summary>Makes a committed row visible. The row's body stands in <paramref name="chunk"/> from <paramref name="at"/>.</summary>
    public void Link_WriterThreadOnly(in JournalRowHeader header, byte[] chunk, int at)
    {
        ReadOnlySpan<byte> rest = chunk.AsSpan(at, header.RawLength);
        var row = new MemRow(chunk, at, header.RawLength, header.FirstPosition, header.LastPosition, header.CommittedMs);
        var position = 0;
        for (var i = 0; i < header.Records; i++)
        {
            var record = JournalRecord.ReadUnchecked(ref rest);
            var end = at + header.RawLength - rest.Length;
            switch (record.Kind)
            {
                case RecordKind.Append:
                    var slice = new MemSlice(row, end - record.Body.Length, record.Body.Length, record.Key.Length, record.Count, record.FirstSeq, position);
                    _index.Add(record.Entity, slice, record.Tag, end - record.Length + record.NameOffset, record.Name.Length);
                    break;
                case RecordKind.Fence:
                    _fences.Append_WriterThreadOnly(
                        new MemFence(record.Entity, FenceBody.Read(record.Body), record.FirstSeq, header.CommittedMs, header.FirstPosition + position));
                    break;
                case RecordKind.State:
                    LinkState(record.Entity, chunk.AsMemory(end - record.Body.Length, record.Body.Length));
                    break;
            }

            position += record.Positions;
        }

        if (header.Positions > 0) _rows.Append_WriterThreadOnly(row);
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
