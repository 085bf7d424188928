using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>Checks what a journal's rows are in memory: records with their checksums, seqs after those of the runs, positions without a hole.</summary>
internal sealed class MemtableCheck(Memtable memtable, MemRow[] rows, SeqTable seqs, Tombstones tombstones, Action<string, string> onProblem)
{
    /// <returns>The events found.</returns>
    public long Check()
    {
        var position = memtable.FirstPosition;
        long events = 0;
        for (var i = 0; i < rows.Length; i++)
        {
            var row = rows[i];
            if (row.FirstPosition != position) onProblem($"row {i}", $"Position {row.FirstPosition} stands where {position} is due.");
            try
            {
                events += CheckRow(row, $"row {i}");
            }
            catch (Exception e) when (e is DamagedDataException or InvalidDataException)
            {
                onProblem($"row {i}", e.Message);
            }

            position = row.LastPosition + 1;
        }

        return events;
    }

    private long CheckRow(in MemRow row, string where)
    {
        ReadOnlySpan<byte> rest = row.Chunk.AsSpan(row.At, row.Length);
        long positions = 0, events = 0;
        while (!rest.IsEmpty)
        {
            var record = JournalRecord.Read(ref rest);
            positions += record.Positions;
            if (record.Kind == RecordKind.State) _ = StateBody.Read(record.Body);
            if (record.Kind != RecordKind.Append) continue;
            events += record.Count;
            CheckAppend(record, where);
        }

        if (positions != row.LastPosition - row.FirstPosition + 1) onProblem(where, $"Its records take {positions} positions.");
        return events;
    }

    private void CheckAppend(in JournalRecord record, string where)
    {
        var events = record.Body;
        for (var i = 0; i < record.Count; i++) EventRecord.Read(ref events);
        if (!events.IsEmpty) onProblem(where, $"{events.Length} bytes stand behind the events of an append.");
        var known = seqs[record.Entity];
        var last = record.FirstSeq + record.Count - 1;
        if (last <= known) return; // sealed meanwhile and seen in its run
        if (record.FirstSeq != known + 1 && !seqs.HasHoles && !tombstones.IsFenced(record.Entity))
            onProblem(where, $"Entity {record.Entity} goes on with seq {record.FirstSeq} where {known + 1} is due.");
        seqs[record.Entity] = last;
    }
}
