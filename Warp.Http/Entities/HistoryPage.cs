using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>A page of an entity's durable events, copied out of memtable and runs so that it pins neither.</summary>
public sealed class HistoryPage : IDisposable
{
    private readonly List<Entry> _entries = [];
    private RentedBytes _bytes;

    internal HistoryPage()
    {
    }

    public int Count => _entries.Count;

    /// <summary>The seq to go on with (from when ascending, to when descending); 0 when the range is exhausted.</summary>
    public long NextSeq { get; private set; }

    /// <summary>Borrowed from the page: valid until <see cref="Dispose"/>.</summary>
    public RecordedEvent GetEvent(int index)
    {
        var entry = _entries[index];
        ReadOnlySpan<byte> record = _bytes.Slice(entry.At, entry.Length);
        return new RecordedEvent(
            entry.Seq, entry.RecordedAtMs, EventRecord.Read(ref record), _bytes.Slice(entry.KeyAt, entry.KeyLength), entry.IndexInAppend);
    }

    public void Dispose()
    {
        _bytes.Dispose();
        _entries.Clear();
        _entries.Capacity = 0; // whoever still refers to the page holds nothing by it
    }

    /// <summary>Reads from <paramref name="view"/>, which the caller has leased. At least one event is read where there is one.</summary>
    internal static HistoryPage Read(View view, long entity, long from, long to, bool descending, int eventsMax, int bytesMax)
    {
        var page = new HistoryPage();
        if (from > to || eventsMax <= 0) return page;
        var visitor = new Visitor(page, from, to, descending, eventsMax, bytesMax);
        view.Visit(entity, from, to, descending, ref visitor);
        page.CheckGapless(from, to, descending);
        if (page.Count == 0) return page;
        var last = page._entries[^1].Seq;
        if (descending) page.NextSeq = last > from ? last - 1 : 0;
        else page.NextSeq = last < to ? last + 1 : 0;
        return page;
    }

    // Read back what was asserted when writing: a gap here would be a silent loss.
    private void CheckGapless(long from, long to, bool descending)
    {
        var due = descending ? to : from;
        foreach (var entry in _entries)
        {
            if (entry.Seq != due) throw new DamagedDataException($"An entity's history has seq {entry.Seq} where {due} is due.");
            due += descending ? -1 : 1;
        }

        if (_entries.Count == 0) throw new DamagedDataException($"An entity's history has nothing where seq {due} is due.");
    }

    private void Add(in EntitySlice slice, long seq, ReadOnlySpan<byte> record, int keyAt)
    {
        var at = _bytes.Append(record);
        _entries.Add(new Entry(seq, slice.CommittedMs, at, record.Length, keyAt, (byte)slice.Key.Length, slice.IndexInAppend + (int)(seq - slice.FirstSeq)));
    }

    private readonly record struct Entry(long Seq, long RecordedAtMs, int At, int Length, int KeyAt, byte KeyLength, int IndexInAppend);

    private readonly struct Visitor(HistoryPage page, long from, long to, bool descending, int eventsMax, int bytesMax) : ISliceVisitor
    {
        public bool Visit(in EntitySlice slice)
        {
            var keyAt = page._bytes.Append(slice.Key);
            var first = Math.Max(from, slice.FirstSeq);
            var last = Math.Min(to, slice.LastSeq);
            if (!descending) return VisitForward(slice, first, last, keyAt);

            // Records are chained forwards by their lengths: find where each begins, then go back.
            var starts = new (int At, int Length)[slice.Count];
            var rest = slice.Events;
            for (var i = 0; i < slice.Count; i++)
            {
                var at = slice.Events.Length - rest.Length;
                starts[i] = (at, EventRecord.Skip(ref rest).Length);
            }

            for (var seq = last; seq >= first; seq--)
            {
                var (at, length) = starts[seq - slice.FirstSeq];
                if (!Take(slice, seq, slice.Events.Slice(at, length), keyAt)) return false;
            }

            return true;
        }

        private bool VisitForward(in EntitySlice slice, long first, long last, int keyAt)
        {
            var rest = slice.Events;
            for (var seq = slice.FirstSeq; seq < first; seq++) EventRecord.Skip(ref rest);
            for (var seq = first; seq <= last; seq++)
                if (!Take(slice, seq, EventRecord.Skip(ref rest), keyAt)) return false;
            return true;
        }

        private bool Take(in EntitySlice slice, long seq, ReadOnlySpan<byte> record, int keyAt)
        {
            if (page.Count > 0 && page._bytes.Length + record.Length > bytesMax) return false;
            page.Add(slice, seq, record, keyAt);
            return page.Count < eventsMax;
        }
    }
}
