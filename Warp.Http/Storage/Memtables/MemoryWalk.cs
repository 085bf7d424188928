using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>Receives what was committed, record by record in the order of positions, borrowed from memory and valid inside the visit only.</summary>
internal interface IRecordVisitor
{
    /// <param name="name">The entity's name where this is its first record; else empty.</param>
    void VisitAppend(long entity, ReadOnlySpan<byte> name, in EntitySlice slice);

    /// <param name="tag">Of the name that was erased.</param>
    void VisitFence(long entity, NameTag tag);
}

/// <summary>Walks through the rows of memtables from a position on. Nothing is copied, and nothing is judged: what was erased since is shown, too.</summary>
internal static class MemoryWalk
{
    /// <summary>Rows are taken until they have so many bytes, so that whoever holds a lock over the walk gives it back now and then.</summary>
    private const int BytesPerStep = 1024 * 1024;

    /// <summary>Visits the next rows behind <paramref name="position"/> up to <paramref name="watermark"/>, and moves the position past them.</summary>
    /// <returns>False if what follows is not in memory any more.</returns>
    public static bool TryStep<TVisitor>(View view, ref long position, long watermark, ref TVisitor visitor)
        where TVisitor : IRecordVisitor
    {
        var bytes = 0;
        foreach (var memtable in view.Memtables)
        {
            if (memtable.FirstPosition > position + 1) return false; // sealed; a memtable begins where the one before ends
            if (memtable.LastPosition <= position) continue;
            var rows = memtable.Rows;
            for (var i = FirstBeyond(rows, position); i < rows.Length && rows[i].LastPosition <= watermark; i++)
            {
                VisitRow(rows[i], ref visitor);
                position = rows[i].LastPosition;
                bytes += rows[i].Length;
                if (bytes >= BytesPerStep) return true;
            }
        }

        return true;
    }

    /// <summary>The first row that reaches beyond a position.</summary>
    public static int FirstBeyond(ReadOnlySpan<MemRow> rows, long position)
    {
        int low = 0, high = rows.Length;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (rows[middle].LastPosition <= position) low = middle + 1;
            else high = middle;
        }

        return low;
    }

    private static void VisitRow<TVisitor>(MemRow row, ref TVisitor visitor)
        where TVisitor : IRecordVisitor
    {
        ReadOnlySpan<byte> rest = row.Chunk.AsSpan(row.At, row.Length);
        var position = row.FirstPosition;
        while (!rest.IsEmpty)
        {
            var record = JournalRecord.ReadUnchecked(ref rest);
            switch (record.Kind)
            {
                case RecordKind.Fence:
                    visitor.VisitFence(record.Entity, FenceBody.Read(record.Body).Tag);
                    break;
                case RecordKind.Append:
                    visitor.VisitAppend(record.Entity, record.Name, new EntitySlice
                    {
                        FirstSeq = record.FirstSeq,
                        Count = record.Count,
                        FirstPosition = position,
                        CommittedMs = row.CommittedMs,
                        IndexInAppend = 0,
                        Key = record.Key,
                        Events = record.Body,
                    });
                    break;
            }

            position += record.Positions;
        }
    }
}
