using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>Fills one page from one view: run after run by entity, then the memtables by position, until the page is full or all is read.</summary>
internal sealed class FeedReader(View view, Tombstones tombstones, FeedPage page, long watermark, int workMax)
{
    /// <summary>
    /// Pieces whose heads one page looks at. A merged run may be far larger than the range that is read of it: the page ends with what it has, so
    /// that it neither holds its view for long nor keeps a reader's thread.
    /// </summary>
    public const int WorkMax = 20_000;

    /// <summary>A piece that is opened counts as so many heads: it may be 256 KiB, and have nothing in the range after all.</summary>
    private const int WorkOfOpening = 16;

    private readonly Dictionary<long, EntityName> _names = [];
    private readonly int _workMax = Math.Max(1, workMax);
    private int _work;

    /// <summary>The run that holds a position; null if it is in memory or beyond.</summary>
    public static Run? RunAt(View view, long position)
    {
        int low = 0, high = view.Runs.Length;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (view.Runs[middle].LastPosition < position) low = middle + 1;
            else high = middle;
        }

        return low < view.Runs.Length && view.Runs[low].FirstPosition <= position ? view.Runs[low] : null;
    }

    public void Read()
    {
        while (RunAt(view, page.Next.Position + 1) is { } run)
        {
            var begun = page.Next;
            if (!HasEnd(begun)) page.Next = begun with { Until = run.LastPosition };
            if (!ReadRange(run))
            {
                if (page.Next.Entity == 0) page.Next = begun; // the page was full before: nothing of the range is done
                return;
            }

            page.Next = FeedPlace.At(page.Next.Until);
        }

        foreach (var memtable in view.Memtables)
            if (memtable.LastPosition > page.Next.Position && !ReadMemory(memtable)) return;
    }

    // A range that was begun ends where it ended then, however far the run that holds it now reaches.
    private static bool HasEnd(FeedPlace place) => !place.IsPlain;

    /// <summary>True if the range is exhausted.</summary>
    private bool ReadRange(Run run)
    {
        var place = page.Next;
        var fences = tombstones.Between(place.Position, place.Until);
        fences.RemoveAll(f => f.Entity < place.Entity || (f.Entity == place.Entity && place.Seq == FeedPlace.WholeEntity));
        fences.Sort(static (a, b) => a.Entity.CompareTo(b.Entity));
        return run.Read(new RangeVisitor(this, place, fences), static (reader, visitor) =>
            reader.VisitPieces(visitor.FirstEntity, visitor.FirstSeq, ref visitor) && visitor.AddFencesBelow(long.MaxValue));
    }

    /// <summary>True if everything of the memtable that is durable is read.</summary>
    private bool ReadMemory(Memtable memtable)
    {
        var rows = memtable.Rows;
        for (var i = MemoryWalk.FirstBeyond(rows, page.Next.Position); i < rows.Length && rows[i].LastPosition <= watermark; i++)
            if (!ReadRow(rows[i])) return false;
        return true;
    }

    private bool ReadRow(in MemRow row)
    {
        ReadOnlySpan<byte> rest = row.Chunk.AsSpan(row.At, row.Length);
        var position = row.FirstPosition;
        while (!rest.IsEmpty)
        {
            var record = JournalRecord.ReadUnchecked(ref rest);
            var last = position + record.Positions - 1;
            if (record.Positions > 0 && last > page.Next.Position && !ReadRecord(record, position, row.CommittedMs)) return false;
            position = last + 1;
        }

        return true;
    }

    private bool ReadRecord(in JournalRecord record, long position, long committedMs)
    {
        if (record.Kind == RecordKind.Fence)
        {
            var fence = FenceBody.Read(record.Body);
            return page.TryAddFence(record.Entity, position, record.FirstSeq, committedMs, fence.ReceiptId, FeedPlace.At(position));
        }

        if (tombstones.IsFenced(record.Entity))
        {
            page.Next = FeedPlace.At(position + record.Positions - 1);
            return true;
        }

        var slice = new EntitySlice
        {
            FirstSeq = record.FirstSeq,
            Count = record.Count,
            FirstPosition = position,
            CommittedMs = committedMs,
            IndexInAppend = 0,
            Key = record.Key,
            Events = record.Body,
        };
        var name = NameOf(record.Entity);
        var events = slice.Events;
        for (var i = 0; i < slice.Count; i++)
        {
            var e = EventRecord.Skip(ref events);
            if (position + i <= page.Next.Position) continue;
            if (name is null) page.Next = FeedPlace.At(position + i);
            else if (!page.TryAddEvent(record.Entity, name, slice, i, e, FeedPlace.At(position + i))) return false;
        }

        return true;
    }

    private bool IsFenced(long entity) => tombstones.IsFenced(entity);

    private void SkipTo(FeedPlace place) => page.Next = place;

    private bool TryAddFence(in Tombstone fence, FeedPlace place) =>
        page.TryAddFence(fence.Entity, fence.Position, fence.Events, fence.ErasedAtMs, fence.ReceiptId, place);

    /// <summary>Null if the entity was erased meanwhile.</summary>
    private EntityName? NameOf(long entity)
    {
        if (_names.TryGetValue(entity, out var name)) return name;
        name = view.FindNameOf(entity);
        if (name is not null) return _names[entity] = name;
        // A rewrite drops the name of what is fenced; whoever reads it from an older view finds it still.
        if (tombstones.IsFenced(entity)) return null;
        throw new DamagedDataException("An event belongs to an entity whose name is nowhere.");
    }

    /// <summary>Adds the next event of a range; false if the page is full.</summary>
    private bool TryAdd(long entity, in EntitySlice slice, int index, ReadOnlySpan<byte> record, FeedPlace place)
    {
        if (NameOf(entity) is { } name) return page.TryAddEvent(entity, name, slice, index, record, place);
        page.Next = place;
        return true;
    }

    /// <summary>Walks one range of a run by entity, with the fences of the same range between the entities.</summary>
    private struct RangeVisitor(FeedReader owner, FeedPlace range, List<Tombstone> fences) : IPieceVisitor
    {
        private FeedPlace? _done; // up to the end of the piece before
        private int _fence;

        public readonly long FirstEntity => range.Seq == FeedPlace.WholeEntity ? range.Entity + 1 : range.Entity;

        public readonly long FirstSeq => range.Seq == FeedPlace.WholeEntity ? 1 : range.Seq + 1;

        public PieceChoice Choose(long id, long lastSeq, long firstPosition, long lastPosition)
        {
            // Whatever the piece before gave, nothing of it is left: without this a page that finds nothing would end where it began.
            if (_done is { } done) owner.SkipTo(done);
            var entity = Piece.EntityOf(id);
            if (owner._work >= owner._workMax || !AddFencesBelow(entity)) return PieceChoice.Stop;
            _done = range.After(entity, lastSeq);
            var isInRange = lastPosition > range.Position && firstPosition <= range.Until && !owner.IsFenced(entity);
            owner._work += isInRange ? WorkOfOpening : 1;
            return isInRange ? PieceChoice.Read : PieceChoice.Skip;
        }

        public readonly bool Visit(long entity, in EntitySlice slice)
        {
            if (slice.FirstPosition + slice.Count <= range.Position || slice.FirstPosition > range.Until) return true;
            var events = slice.Events;
            for (var i = 0; i < slice.Count; i++)
            {
                var e = EventRecord.Skip(ref events);
                var (position, seq) = (slice.FirstPosition + i, slice.FirstSeq + i);
                if (position <= range.Position || position > range.Until || (entity == range.Entity && seq <= range.Seq)) continue;
                if (!owner.TryAdd(entity, slice, i, e, range.After(entity, seq))) return false;
            }

            return true;
        }

        public bool AddFencesBelow(long entity)
        {
            for (; _fence < fences.Count && fences[_fence].Entity < entity; _fence++)
                if (!owner.TryAddFence(fences[_fence], range.After(fences[_fence].Entity, FeedPlace.WholeEntity))) return false;
            return true;
        }
    }
}
