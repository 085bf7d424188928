using System.Globalization;
using Microsoft.Extensions.Logging;

namespace Warp.Http.Storage;

/// <summary>Brings a shard back from its files: runs as they are, journals row by row into memtables, each fact checked against the others.</summary>
/// <remarks>
/// Two steps, so that a start that some shard keeps from going on leaves all of them as they were: <see cref="Recover"/> reads,
/// <see cref="Settle"/> changes. Only what <see cref="ReadFailure"/> takes for damage puts a shard out of service; whatever else keeps a file
/// from being read is thrown as it came.
/// </remarks>
internal sealed partial class ShardRecovery(string directory, Catalog catalog, HighWaterMark mark, Action<DamagedDataException> onDamage, StoreOptions options, ILogger logger)
{
    /// <summary>Empty journals that a process may leave: the one in use, and the next. More of them are from starts that did not come to their end.</summary>
    private const int EmptyJournalsMax = 2;

    private readonly List<Run> _runs = [];
    private readonly List<Memtable> _memtables = [];
    private readonly List<long> _empty = [];
    private readonly List<MemState> _looseStates = [];

    /// <summary>
    /// With durability os a power cut leaves of the last moments what the kernel happened to have written, in any order: a hole in a journal, or
    /// the next journal without the end of this one. What stands before the hole counts, as whole appends; the rest is gone.
    /// </summary>
    private readonly bool _endMayBeLost = options.Durability == Durability.Os && !mark.SameBoot;

    /// <summary>
    /// Before the machine was started anew the page cache may show what a failed sync dropped, where the process was killed before it came to
    /// terms with that. A power cut would take it, and no sync writes it: only writing it again does.
    /// </summary>
    private readonly bool _cacheMayLie = mark.Latest is null || mark.SameBoot;

    private readonly List<(long Id, long End)> _cut = [];
    private readonly RowBuffer _rows = new();
    private long _lastPosition;
    private long _lastEntity;
    private long _lastMs;
    private bool _isEndLost;

    /// <summary>Reads everything. No byte of any file is another one afterwards.</summary>
    /// <exception cref="DamagedDataException">Stored facts contradict each other.</exception>
    public void Recover()
    {
        options.AtStep?.Invoke(StoreStep.Recovering);
        CheckThatTheCatalogIsNotOlder();
        _lastEntity = catalog.Counter("entity");
        foreach (var entry in catalog.Runs()) OpenRun(entry);
        foreach (var entry in catalog.Journals()) ReadJournal(entry);
        CompareWithMark();
    }

    /// <summary>Makes what was found durable and lets go of what does not count.</summary>
    public RecoveredShard Settle()
    {
        options.AtStep?.Invoke(StoreStep.Settling);
        if (_isEndLost) mark.Forget(); // under this boot it would be a contradiction
        // Before anything rests on it: below, what it does not name is unlinked.
        if (_cacheMayLie) catalog.WriteAgain();
        // From here on these journals end where they were found to end: the next start, in this boot, would take the holes for damage.
        foreach (var (id, end) in _cut) catalog.FailJournal(id, end);
        if (_empty.Count > EmptyJournalsMax)
        {
            // Each start makes one more, and a supervisor may start what can't start for days.
            catalog.Sealed(_empty, null, _lastEntity, []);
            _empty.Clear();
        }

        DeleteUnnamedFiles(); // last: what contradicts itself is left as it is
        return new RecoveredShard(_runs, _memtables, _empty, _looseStates, _lastPosition, _lastEntity, _lastMs);
    }

    /// <summary>Lets go of the runs, where no view takes them.</summary>
    public void Close()
    {
        foreach (var run in _runs) run.Dispose();
        _runs.Clear();
    }

    /// <summary>
    /// The catalog counts a file before it is made. A file beyond its count means that the catalog was lost or set back: then what it does not
    /// name is not left over but all there is.
    /// </summary>
    private void CheckThatTheCatalogIsNotOlder()
    {
        var counted = catalog.Counter("file");
        foreach (var path in DatabaseFiles())
        {
            var name = Path.GetFileName(path);
            var digits = name.AsSpan(name.IndexOf('-', StringComparison.Ordinal) + 1);
            if (digits.IndexOf('.') is >= 0 and var dot && long.TryParse(digits[..dot], NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id > counted)
                throw new DamagedDataException($"{name} is there, but the catalog has counted {counted} files only: it is older than the files, or new.");
        }
    }

    private IEnumerable<string> DatabaseFiles() =>
        Directory.EnumerateFiles(directory, "journal-*").Concat(Directory.EnumerateFiles(directory, "run-*"));

    /// <summary>Left over from a seal or a rotation that a crash cut off: the catalog never named them, so nothing in them was acknowledged.</summary>
    private void DeleteUnnamedFiles()
    {
        var named = catalog.Journals().Select(j => Journal.PathOf(directory, j.Id))
            .Concat(catalog.Runs().Select(r => RunBuilder.PathOf(directory, r.Id))).Select(Path.GetFileName).ToHashSet(StringComparer.Ordinal);
        foreach (var path in DatabaseFiles().ToList())
        {
            var name = Path.GetFileName(path);
            var database = name[..(name.IndexOf(".db", StringComparison.Ordinal) is var dot and >= 0 ? dot + 3 : name.Length)];
            if (!named.Contains(database)) File.Delete(path);
        }
    }

    private void OpenRun(RunEntry entry)
    {
        options.AtStep?.Invoke(StoreStep.Recovering);
        var run = Run.Open(directory, entry.Id, onDamage);
        _runs.Add(run);
        if (run.FirstPosition != entry.FirstPosition || run.LastPosition != entry.LastPosition || run.FirstPosition != _lastPosition + 1)
            throw new DamagedDataException($"Run {entry.Id} covers {run.FirstPosition} to {run.LastPosition}; the catalog says {entry.FirstPosition} to {entry.LastPosition}, and {_lastPosition + 1} is due.");
        _lastPosition = run.LastPosition;
        _lastMs = Math.Max(_lastMs, run.Meta.LastMs);
    }

    private void ReadJournal(JournalEntry entry)
    {
        var path = Journal.PathOf(directory, entry.Id);
        options.AtStep?.Invoke(StoreStep.Recovering);
        // A failed journal's pages beyond its end may be missing: that is why it ends there.
        var rows = entry.State == JournalState.Live && !_endMayBeLost ? WalScan.Check(path + "-wal") - 1 : 0; // the first transaction makes the table
        if (_cacheMayLie && rows > RowsMarked(entry.Id)) DirectorySync.WriteAgain(path + "-wal");
        SyncBeforeTrusting(path);
        var memtable = new Memtable(entry.Id, _lastPosition + 1);
        options.AtStep?.Invoke(StoreStep.Recovering);
        ReadRows(path, entry, memtable);
        if (_endMayBeLost) _cut.Add((entry.Id, _lastPosition));
        else if (entry.EndPosition is { } end && _lastPosition < end)
            throw new DamagedDataException($"Journal {entry.Id} ends at position {_lastPosition}; it was durable up to {end}.");
        if (memtable.IsEmpty)
        {
            _empty.Add(entry.Id);
            _looseStates.AddRange(memtable.States);
        }
        else Add(memtable);
    }

    /// <summary>Those were synced with success; what follows may be what was being written, or what failed to be, when the process was killed.</summary>
    private int RowsMarked(long journal) => mark.Latest is not { } marked || journal > marked.JournalId ? 0
        : journal == marked.JournalId ? marked.RowOrdinal + 1 : int.MaxValue;

    /// <summary>
    /// After kill -9 the page cache may hold rows that the disk doesn't. A caller who asks again will be told that they are stored,
    /// so they must be on disk before anything is answered.
    /// </summary>
    private void SyncBeforeTrusting(string path)
    {
        if (!File.Exists(path)) throw new DamagedDataException($"{Path.GetFileName(path)} is named by the catalog but is not there.");
        DirectorySync.FlushFile(path);
        if (File.Exists(path + "-wal")) DirectorySync.FlushFile(path + "-wal");
        DirectorySync.Flush(directory);
    }

    private void ReadRows(string path, JournalEntry entry, Memtable memtable)
    {
        using var database = SqliteDatabase.OpenOrCreate(path);
        database.Execute("PRAGMA locking_mode=EXCLUSIVE");
        database.DisableCheckpointOnClose();
        using var rows = database.PrepareOnce("SELECT ordinal, header, body FROM row ORDER BY ordinal");
        ulong previousHash = 0;
        for (var ordinal = 0; rows.Step(); ordinal++)
        {
            var header = JournalRowHeader.Read(rows.Blob(1), rows.Blob(2));
            if (header.LastPosition > entry.EndPosition) return;
            if (_endMayBeLost && ordinal == 0 && header.FirstPosition > _lastPosition + 1) return; // the end of the journal before it is lost
            if (rows.Int64(0) != ordinal || header.RowOrdinal != ordinal || header.JournalId != entry.Id || header.FirstPosition != _lastPosition + 1
                || header.PreviousRowHash != previousHash || header.CommittedMs < _lastMs)
                throw new DamagedDataException($"Journal {entry.Id}, row {ordinal}, does not follow from the row before it.");
            previousHash = JournalRowHeader.Hash(rows.Blob(1));
            var (chunk, at) = Copy(rows.Blob(2));
            CheckRecords(header, chunk.AsSpan(at, header.RawLength));
            memtable.Link_WriterThreadOnly(header, chunk, at);
            _lastPosition = header.LastPosition;
            _lastMs = header.CommittedMs;
            if (mark.Latest is { } marked && marked.JournalId == entry.Id && marked.RowOrdinal == ordinal && marked.RowHash != previousHash)
                throw new DamagedDataException($"Journal {entry.Id}, row {ordinal}, is not the row that was acknowledged.");
        }
    }

    /// <summary>Into chunks, as the writer does it: as thousands of arrays the collector would move them twice while a start goes on.</summary>
    private (byte[] Chunk, int At) Copy(ReadOnlySpan<byte> body)
    {
        var (chunk, at) = _rows.Reserve(body.Length);
        body.CopyTo(chunk.AsSpan(at));
        _rows.Take(body.Length);
        return (chunk, at);
    }

    private void CheckRecords(in JournalRowHeader header, ReadOnlySpan<byte> body)
    {
        var rest = body;
        for (var i = 0; i < header.Records; i++)
        {
            var record = JournalRecord.Read(ref rest);
            _lastEntity = Math.Max(_lastEntity, record.Entity);
        }

        if (!rest.IsEmpty) throw new DamagedDataException($"Journal {header.JournalId}, row {header.RowOrdinal}: {rest.Length} bytes stand behind its records.");
    }

    /// <summary>Within a memtable each append follows from the one before it when it is linked; here the first ones follow from the journals before.</summary>
    private void Add(Memtable memtable)
    {
        if (_memtables.Count > 0)
        {
            foreach (var entity in memtable.Entities)
            {
                var first = memtable.Slices(entity)[0].FirstSeq;
                var due = _memtables.AsEnumerable().Reverse().Select(earlier => NextSeq(earlier, entity)).FirstOrDefault(next => next != 0);
                if (due != 0 && first != due) throw new DamagedDataException($"Journal {memtable.JournalId} begins an entity at seq {first} where {due} is due.");
            }
        }

        _memtables.Add(memtable);

        static long NextSeq(Memtable memtable, long entity) => memtable.Slices(entity) is [.., var last] ? last.NextSeq : 0;
    }

    private void CompareWithMark()
    {
        if (mark.Latest is not { } marked || marked.Position <= _lastPosition) return;
        if (!_endMayBeLost) throw new DamagedDataException($"Position {marked.Position} was acknowledged; the files end at {_lastPosition}.");
        LogLostByPowerCut(logger, marked.Position, _lastPosition);
        _isEndLost = true;
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Acknowledged up to position {Marked}, but a power cut left {Last}; durability is os, so the shard goes on from there.")]
    private static partial void LogLostByPowerCut(ILogger logger, long marked, long last);
}
