using Warp.Http.Events;

namespace Warp.Http.Storage;

internal enum FeedEntryKind : byte
{
    /// <summary>An event of a living entity.</summary>
    Event,

    /// <summary>An entity was erased: a consumer forgets what it holds of this number.</summary>
    Fence,
}

/// <summary>One entry of the feed, borrowed from its page.</summary>
internal readonly ref struct FeedEntry
{
    public required FeedEntryKind Kind { get; init; }

    /// <summary>The entity's number; of a fence the number that is gone.</summary>
    public required long Entity { get; init; }

    /// <summary>Null in a fence, which holds nothing of the name.</summary>
    public required EntityName? Name { get; init; }

    public required long Position { get; init; }

    /// <summary>Where a consumer goes on that has done this entry.</summary>
    public required FeedPlace Place { get; init; }

    /// <summary>The event; of a fence nothing but seq (the number of events it erased) and time.</summary>
    public required RecordedEvent Event { get; init; }

    /// <summary>A fence's receipt.</summary>
    public required Guid ReceiptId { get; init; }
}

/// <summary>A page of one shard's feed, copied out of memtables and runs so that it pins neither.</summary>
internal sealed class FeedPage : IDisposable
{
    private readonly List<Entry> _entries = [];
    private readonly int _entriesMax;
    private readonly int _bytesMax;
    private RentedBytes _bytes;

    internal FeedPage(FeedPlace from, int entriesMax, int bytesMax)
    {
        Next = from;
        (_entriesMax, _bytesMax) = (Math.Max(1, entriesMax), bytesMax);
    }

    public int Count => _entries.Count;

    /// <summary>
    /// Where the next page begins. It may have moved though the page is empty: over what was erased, or over a stretch of a run that lies
    /// outside the range.
    /// </summary>
    public FeedPlace Next { get; internal set; }

    /// <summary>True if there was nothing more when the page was read.</summary>
    public bool IsCaughtUp { get; internal set; }

    /// <summary>Borrowed from the page: valid until <see cref="Dispose"/>.</summary>
    public FeedEntry this[int index]
    {
        get
        {
            var entry = _entries[index];
            var isEvent = entry.Kind == FeedEntryKind.Event;
            ReadOnlySpan<byte> record = _bytes.Slice(entry.At, entry.Length);
            return new FeedEntry
            {
                Kind = entry.Kind,
                Entity = entry.Entity,
                Name = entry.Name,
                Position = entry.Position,
                Place = entry.Place,
                Event = new RecordedEvent(
                    entry.Seq, entry.RecordedAtMs, isEvent ? EventRecord.Read(ref record) : default, _bytes.Slice(entry.KeyAt, entry.KeyLength), entry.IndexInAppend),
                ReceiptId = entry.ReceiptId,
            };
        }
    }

    public void Dispose()
    {
        _bytes.Dispose();
        _entries.Clear();
        _entries.Capacity = 0; // whoever still refers to the page holds nothing by it
    }

    /// <summary>False if the page is full: then nothing was added. A page takes at least one entry.</summary>
    internal bool TryAddEvent(long entity, EntityName name, in EntitySlice slice, int index, ReadOnlySpan<byte> record, FeedPlace place)
    {
        if (IsFull(record.Length + slice.Key.Length)) return false;
        var keyAt = _bytes.Append(slice.Key);
        var at = _bytes.Append(record);
        _entries.Add(new Entry(
            FeedEntryKind.Event, entity, name, slice.FirstPosition + index, slice.FirstSeq + index, slice.CommittedMs, at, record.Length, keyAt,
            (byte)slice.Key.Length, slice.IndexInAppend + index, default, place));
        Next = place;
        return true;
    }

    /// <summary>False if the page is full: then nothing was added.</summary>
    internal bool TryAddFence(long entity, long position, long events, long committedMs, Guid receiptId, FeedPlace place)
    {
        if (IsFull(0)) return false;
        _entries.Add(new Entry(FeedEntryKind.Fence, entity, null, position, events, committedMs, 0, 0, 0, 0, 0, receiptId, place));
        Next = place;
        return true;
    }

    private bool IsFull(int bytes) => _entries.Count > 0 && (_entries.Count >= _entriesMax || _bytes.Length + bytes > _bytesMax);

    private readonly record struct Entry(
        FeedEntryKind Kind, long Entity, EntityName? Name, long Position, long Seq, long RecordedAtMs, int At, int Length, int KeyAt, byte KeyLength,
        int IndexInAppend, Guid ReceiptId, FeedPlace Place);
}
