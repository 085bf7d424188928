using System.Diagnostics;

namespace Warp.Http.Storage;

internal sealed partial class ShardWriter
{
    /// <summary>Bytes of one group at most: bounds how long the first append of a group waits for the last.</summary>
    private const int GroupBytesMax = 4 * 1024 * 1024;

    private static readonly TimeSpan TroubleRetry = TimeSpan.FromSeconds(1);

    private readonly List<CommitItem> _group = []; // writer's thread only

    private void Loop()
    {
        try
        {
            while (true)
            {
                var taken = Take();
                if (taken is null)
                {
                    if (_stopping) return;
                    Sleep();
                    continue;
                }

                FillGroup(taken);
                if (_quarantined) RefuseGroup();
                else if (!CommitGroup()) Fail();
                if (_trouble is not null) return; // stopped without a new journal: the failed one is not written again
                RotateIfDue();
            }
        }
        catch (Exception e)
        {
            StopForGood(e);
        }
    }

    /// <summary>All that waits, oldest first: what the last group left over, then the queue.</summary>
    private CommitItem? Take()
    {
        var carried = _carried;
        _carried = null;
        return carried ?? _queue.TakeAll_WriterOnly();
    }

    private void Sleep()
    {
        if (!_queue.TryFallAsleep_WriterOnly()) return;
        _wake.WaitOne();
        _queue.GetUp_WriterOnly(); // after a wake that no item caused; else it does nothing
    }

    /// <summary>Takes items up to the size of a group; the rest is carried to the next, before anything newer.</summary>
    private void FillGroup(CommitItem first)
    {
        var bytes = 0;
        IQueued<CommitItem>? item = first;
        while (item is not null && bytes < GroupBytesMax)
        {
            var current = (CommitItem)item;
            item = item.Next;
            bytes += current.Body.Length;
            _group.Add(current);
            if (current.Kind == CommitKind.Rotate) break; // what follows belongs to the next journal
        }

        _carried = (CommitItem?)item;
    }

    /// <summary>Writes the group as one row and tells everybody. False if the disk refused: nothing of it was told.</summary>
    private bool CommitGroup()
    {
        var started = Stopwatch.GetTimestamp();
        RefuseStale();
        var row = BuildRow();
        if (row.Header.Records > 0)
        {
            var journalStarted = Stopwatch.GetTimestamp();
            if (!WriteRow(row)) return false;
            StorageMetrics.FsyncSeconds.Record(Stopwatch.GetElapsedTime(journalStarted).TotalSeconds);
            _rows.Take(row.Header.RawLength);
            _memtable.Link_WriterThreadOnly(row.Header, row.Chunk, row.At);
            var position = row.Header.FirstPosition;
            foreach (var item in _group)
            {
                item.CommittedMs = row.Header.CommittedMs;
                if (item.Failure != CommitFailure.None) continue;
                item.FirstPosition = position;
                if (item.Kind is CommitKind.Append or CommitKind.Fence) position += item.Count;
                item.OnCommitted_WriterThreadOnly();
            }

            Volatile.Write(ref _durablePosition, row.Header.LastPosition);
        }

        Acknowledge();
        if (row.Header.Records == 0) return true;
        Committed.Raise();
        Measure(row, started);
        return true;
    }

    private void Acknowledge()
    {
        // A rotation is the last of its group, and done before it is told, so that whoever asked finds the sealed memtable in the view.
        var rotation = _group[^1].Kind == CommitKind.Rotate ? _group[^1] : null;
        if (rotation is not null) _group.RemoveAt(_group.Count - 1);
        CompleteGroup();
        if (rotation is null) return;
        _group.Add(rotation);
        if (!_memtable.IsEmpty) Rotate();
        CompleteGroup();
    }

    /// <summary>
    /// An actor may have judged before it saw a failure; what stands on events that failed must not be written. A state stands on durable events
    /// alone, but one that comes after its life's fence would outlive the erasure.
    /// </summary>
    private void RefuseStale()
    {
        foreach (var item in _group)
        {
            if (item.Kind is CommitKind.State ? !_tombstones.IsFenced(item.EntityRef!.Number) : item.Kind is CommitKind.Rotate || item.Epoch == _epoch) continue;
            item.Failure = CommitFailure.Refused;
            item.OnFailed_WriterThreadOnly();
        }
    }

    private BuiltRow BuildRow()
    {
        int bytes = 0, records = 0, positions = 0, appends = 0;
        foreach (var item in _group)
        {
            if (item.Failure != CommitFailure.None || item.Kind is CommitKind.Barrier or CommitKind.Rotate) continue;
            if (item.Kind == CommitKind.Append) appends++;
            if (item.EntityRef!.Number == 0)
            {
                item.EntityRef.Number = ++_lastEntity;
                item.IsFirstOfEntity = true;
            }

            bytes += JournalRecord.Size(item.EntityRef.Number, item.FirstSeq, item.Count, NameOf(item), item.Key, item.Body.Length);
            positions += item.Count;
            records++;
        }

        if (records == 0) return default;
        _lastMs = Math.Max(_lastMs, _time.GetUtcNow().ToUnixTimeMilliseconds());
        var (chunk, at) = _rows.Reserve(bytes);
        var to = chunk.AsSpan(at, bytes);
        foreach (var item in _group)
        {
            if (item.Failure != CommitFailure.None || item.Kind is CommitKind.Barrier or CommitKind.Rotate) continue;
            var kind = item.Kind switch { CommitKind.Fence => RecordKind.Fence, CommitKind.State => RecordKind.State, _ => RecordKind.Append };
            var written = JournalRecord.Write(to, kind, item.EntityRef!.Number, item.FirstSeq, item.Count, item.EntityRef.Tag, NameOf(item), item.Key, item.Body, item.BodyCrc);
            to = to[written..];
        }

        Debug.Assert(to.IsEmpty, "The records take exactly the bytes that were counted.");
        var header = new JournalRowHeader(_journal.Id, _journal.Rows, records, _durablePosition + 1, positions, bytes, _lastMs, _rowHash);
        return new BuiltRow(header, chunk, at, appends);

        // A life that is fenced before it had an event leaves no name.
        static ReadOnlySpan<byte> NameOf(CommitItem item) => item.IsFirstOfEntity && item.Kind != CommitKind.Fence ? item.EntityRef!.Name.Utf8 : default;
    }

    private bool WriteRow(in BuiltRow row)
    {
        Span<byte> header = stackalloc byte[JournalRowHeader.Bytes];
        var body = row.Chunk.AsSpan(row.At, row.Header.RawLength);
        row.Header.Write(header, body);
        try
        {
            _options.AtStep?.Invoke(StoreStep.BeforeRow);
            _journal.Append(header, body);
            _options.AtStep?.Invoke(StoreStep.AfterRow);
            _rowHash = JournalRowHeader.Hash(header);
            _mark.Write(row.Header.LastPosition, _journal.Id, row.Header.RowOrdinal, _rowHash);
            return true;
        }
        catch (IOException e)
        {
            _failure = e;
            return false;
        }
    }

    private static void Measure(in BuiltRow row, long started)
    {
        StorageMetrics.Appends.Add(row.Appends);
        StorageMetrics.Events.Add(row.Header.Positions);
        StorageMetrics.JournalBytes.Add(row.Header.RawLength);
        StorageMetrics.GroupCommitAppends.Record(row.Appends);
        StorageMetrics.GroupCommitSeconds.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    /// <summary>
    /// Begins a new journal at its size. While a seal runs, or the next journal is not there yet, it goes on in the one it has: a wait here is a
    /// wait of every caller. It waits only where sealing is so far behind that memory would grow without bound.
    /// </summary>
    private void RotateIfDue()
    {
        if (_memtable.Bytes < _options.SealBytes) return;
        while (!_stopping && !_quarantined)
        {
            var memtables = _views.Current.Memtables;
            if (memtables.Length == 1 && HasNextJournal)
            {
                Rotate();
                return;
            }

            _maintenanceDue();
            if (memtables.Sum(m => m.Bytes) < _options.UnsealedBytesMax) return;
            _wake.WaitOne(TroubleRetry);
        }
    }

    /// <summary>Goes on in the next journal; the memtable so far is maintenance's to seal. Without a next journal it stays as it is.</summary>
    private void Rotate()
    {
        if (TakeNextJournal() is not { } next) return;
        _journal.Dispose();
        BeginJournal(next);
        _maintenanceDue();
    }

    /// <summary>
    /// Recovery reads journals in the order of their numbers. One that maintenance began to make before a failure, and gave after the writer had
    /// made another, would stand before rows that are older than its own: it stays empty, and the next start drops it.
    /// </summary>
    private Journal? TakeNextJournal()
    {
        var next = Interlocked.Exchange(ref _nextJournal, null);
        if (next is null || next.Id > _journal.Id) return next;
        next.Dispose();
        _maintenanceDue();
        return null;
    }

    private void BeginJournal(Journal journal)
    {
        _journal = journal;
        _rowHash = 0;
        _memtable = new Memtable(journal.Id, _durablePosition + 1);
        _views.Replace(view => new View(view.Runs, view.Memtables.Add(_memtable)));
    }

    private readonly record struct BuiltRow(JournalRowHeader Header, byte[] Chunk, int At, int Appends);
}
