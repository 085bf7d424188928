namespace Warp.Http.Storage;

internal enum JournalState
{
    /// <summary>Every row counts.</summary>
    Live = 1,

    /// <summary>A commit failed: rows beyond its end position are in doubt and were answered so; they must not come back.</summary>
    Failed = 2,
}

internal readonly record struct JournalEntry(long Id, JournalState State, long? EndPosition);

internal readonly record struct RunEntry(long Id, long FirstPosition, long LastPosition);

/// <summary>What is left of an erased life: the tag, never the name.</summary>
/// <param name="Position">The fence's place in the feed.</param>
public readonly record struct Tombstone(NameTag Tag, long Entity, Guid ReceiptId, long ErasedAtMs, long Events, long Position, bool Complete);

/// <summary>A small database: the only authority on which journals and runs are live, and on erasures. A file that it doesn't name is deleted at start.</summary>
/// <remarks>
/// The writer (failure only), the maintenance thread and readers of receipts share one connection; each call takes the lock for a few
/// milliseconds. No append waits for it.
/// </remarks>
internal sealed class Catalog : IDisposable
{
    private const string Schema =
        """
        CREATE TABLE IF NOT EXISTS journal(id INTEGER PRIMARY KEY, state INTEGER NOT NULL, end_pos INTEGER);
        CREATE TABLE IF NOT EXISTS run(id INTEGER PRIMARY KEY, first_pos INTEGER NOT NULL UNIQUE, last_pos INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS tombstone(receipt BLOB PRIMARY KEY, tag BLOB NOT NULL, entity INTEGER NOT NULL, erased_ms INTEGER NOT NULL,
          events INTEGER NOT NULL, position INTEGER NOT NULL, complete INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS counter(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
        """;

    private readonly string _path;
    private readonly Lock _lock = new();
    private SqliteDatabase? _database; // null while a write is in doubt

    public Catalog(string path)
    {
        _path = path;
        _database = Open(path);
        try
        {
            _database.Execute(Schema);
            DirectorySync.Flush(Path.GetDirectoryName(path)!);
        }
        catch
        {
            _database.Dispose();
            throw;
        }
    }

    public List<JournalEntry> Journals() => Read(
        "SELECT id, state, end_pos FROM journal ORDER BY id", s => new JournalEntry(s.Int64(0), (JournalState)s.Int64(1), s.IsNull(2) ? null : s.Int64(2)));

    public List<RunEntry> Runs() => Read("SELECT id, first_pos, last_pos FROM run ORDER BY first_pos", s => new RunEntry(s.Int64(0), s.Int64(1), s.Int64(2)));

    /// <summary>In the order of their fences.</summary>
    public List<Tombstone> Tombstones() => Read("SELECT tag, entity, receipt, erased_ms, events, position, complete FROM tombstone ORDER BY position", s => new Tombstone(
        NameTag.Read(s.Blob(0)), s.Int64(1), new Guid(s.Blob(2), bigEndian: true), s.Int64(3), s.Int64(4), s.Int64(5), s.Int64(6) != 0));

    /// <summary>The highest value ever kept under this name; numbers of files and entities are never used twice.</summary>
    public long Counter(string name) => Read("SELECT name, value FROM counter", s => (Name: s.Text(0), Value: s.Int64(1)))
        .Where(c => string.Equals(c.Name, name, StringComparison.Ordinal)).Select(c => c.Value).FirstOrDefault();

    /// <summary>The next file number; durable before it is used.</summary>
    public long NextFileId() => Write(() =>
    {
        Run("INSERT INTO counter VALUES('file', 1) ON CONFLICT(name) DO UPDATE SET value = value + 1");
        using var read = Database.PrepareOnce("SELECT value FROM counter WHERE name = 'file'");
        read.Step();
        return read.Int64(0);
    });

    /// <summary>Names a new journal, before its first row.</summary>
    public void AddJournal(long id) => Write(() => Run("INSERT INTO journal(id, state) VALUES(?, ?)", id, (long)JournalState.Live));

    /// <summary>After a failed commit: rows beyond <paramref name="endPosition"/> never count again.</summary>
    public void FailJournal(long id, long endPosition) =>
        Write(() => Run("UPDATE journal SET state = ?, end_pos = ? WHERE id = ?", (long)JournalState.Failed, endPosition, id));

    /// <summary>A journal's rows now stand in a run (null: it had none left), and its fences are kept.</summary>
    public void Sealed(IReadOnlyList<long> journals, RunEntry? run, long lastEntity, IEnumerable<Tombstone> fences) => Write(() =>
    {
        foreach (var id in journals) Run("DELETE FROM journal WHERE id = ?", id);
        if (run is { } added) Run("INSERT INTO run VALUES(?, ?, ?)", added.Id, added.FirstPosition, added.LastPosition);
        Run("INSERT INTO counter VALUES('entity', ?) ON CONFLICT(name) DO UPDATE SET value = max(value, excluded.value)", lastEntity);
        foreach (var fence in fences) AddTombstone(fence);
    });

    /// <summary>Neighbouring runs were written again as one, or one without its erased entities.</summary>
    public void Replaced(IEnumerable<long> oldRuns, RunEntry newRun) => Write(() =>
    {
        foreach (var id in oldRuns) Run("DELETE FROM run WHERE id = ?", id);
        Run("INSERT INTO run VALUES(?, ?, ?)", newRun.Id, newRun.FirstPosition, newRun.LastPosition);
    });

    /// <summary>No file holds anything of these any more.</summary>
    public void Completed(IEnumerable<Guid> receipts) => Write(() =>
    {
        Span<byte> id = stackalloc byte[16];
        using var update = Database.PrepareOnce("UPDATE tombstone SET complete = 1 WHERE receipt = ?");
        foreach (var receipt in receipts)
        {
            receipt.TryWriteBytes(id, bigEndian: true, out _);
            update.Bind(1, id).Run();
            if (Database.Changes != 1) throw new DamagedDataException($"{_path}: the erasure with receipt {receipt:N} is to be noted as complete, but is not there.");
        }
    });

    /// <summary>As after a write in doubt: what it says from here on is what a power cut leaves.</summary>
    public void WriteAgain()
    {
        lock (_lock)
        {
            GiveUpConnection();
            _ = Database;
        }
    }

    /// <summary>Each page's checksum on disk, and what the runs' positions say: from the first on, without a hole.</summary>
    public List<(string Where, string What)> Check()
    {
        var problems = new List<(string, string)>();
        lock (_lock) // nobody writes meanwhile
        {
            _ = Database; // after a write in doubt the file may be half written until it was rolled back
            using var scan = new PageScan(_path);
            while (scan.Step((page, what) => problems.Add(($"page {page}", what))) > 0)
            {
            }

            long position = 0;
            foreach (var run in Runs())
            {
                if (run.FirstPosition != position + 1 || run.LastPosition < run.FirstPosition)
                    problems.Add(($"run {run.Id}", $"It covers {run.FirstPosition} to {run.LastPosition}; position {position + 1} is due."));
                position = run.LastPosition;
            }
        }

        return problems;
    }

    public void Dispose() => _database?.Dispose();

    private void AddTombstone(in Tombstone tombstone)
    {
        Span<byte> receipt = stackalloc byte[16];
        tombstone.ReceiptId.TryWriteBytes(receipt, bigEndian: true, out _);
        Span<byte> tag = stackalloc byte[NameTag.Bytes];
        tombstone.Tag.Write(tag);
        using var insert = Database.PrepareOnce("INSERT OR IGNORE INTO tombstone VALUES(?, ?, ?, ?, ?, ?, 0)");
        insert.Bind(1, receipt).Bind(2, tag).Bind(3, tombstone.Entity).Bind(4, tombstone.ErasedAtMs).Bind(5, tombstone.Events).Bind(6, tombstone.Position).Run();
    }

    /// <summary>
    /// The connection. After a write in doubt it is opened anew, which rolls back what SQLite finds unfinished, and then every page is written
    /// again: after a failed sync the page cache may show what the disk does not have, and what is read here must be what a power cut leaves.
    /// </summary>
    private SqliteDatabase Database
    {
        get
        {
            if (_database is not null) return _database;
            var database = Open(_path);
            try
            {
                database.Execute("VACUUM");
            }
            catch
            {
                database.Dispose();
                throw;
            }

            return _database = database;
        }
    }

    private static SqliteDatabase Open(string path)
    {
        var database = SqliteDatabase.OpenOrCreateChecked(path);
        try
        {
            database.Execute("PRAGMA page_size=4096; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=TRUNCATE; PRAGMA synchronous=FULL");
            return database;
        }
        catch
        {
            // It may hold the lock already, as where rolling back what it found failed: the next try would find the file locked, for ever.
            database.Dispose();
            throw;
        }
    }

    private List<T> Read<T>(string sql, Func<SqliteStatement, T> row)
    {
        lock (_lock)
        {
            using var statement = Database.PrepareOnce(sql);
            var rows = new List<T>();
            while (statement.Step()) rows.Add(row(statement));
            return rows;
        }
    }

    private void Run(string sql, params ReadOnlySpan<long> parameters)
    {
        using var statement = Database.PrepareOnce(sql);
        for (var i = 0; i < parameters.Length; i++) statement.Bind(i + 1, parameters[i]);
        statement.Run();
    }

    private void Write(Action work)
    {
        lock (_lock)
        {
            try
            {
                Database.InTransaction(work);
            }
            catch
            {
                // What failed may have been the last sync: the transaction may stand in the file or not.
                GiveUpConnection();
                throw;
            }
        }
    }

    private void GiveUpConnection()
    {
        _database?.Dispose();
        _database = null;
    }

    private T Write<T>(Func<T> work)
    {
        T result = default!;
        Write(() => { result = work(); });
        return result;
    }
}
