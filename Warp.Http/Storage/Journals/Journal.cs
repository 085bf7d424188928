using System.Globalization;

namespace Warp.Http.Storage;

/// <summary>
/// The append-only file of one shard and one process life: a SQLite database in WAL mode that is never checkpointed; each group commit is one row.
/// After any error, and after a restart, it is only read.
/// </summary>
/// <remarks>Made by the maintenance thread, then owned by the writer's. <see cref="Dispose"/> writes nothing.</remarks>
internal sealed class Journal : IDisposable
{
    private readonly SqliteDatabase _database;
    private readonly SqliteStatement _insert;

    private Journal(long id, string path, SqliteDatabase database)
    {
        Id = id;
        Path = path;
        _database = database;
        _insert = database.Prepare("INSERT INTO row(ordinal, header, body) VALUES(?, ?, ?)");
    }

    public long Id { get; }

    public string Path { get; }

    /// <summary>Rows written so far; the next row has this ordinal.</summary>
    public int Rows { get; private set; }

    public static string PathOf(string directory, long id) => System.IO.Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"journal-{id}.db"));

    /// <summary>Creates the next file, makes it and its directory entry durable, and has the catalog name it.</summary>
    public static Journal Create(string directory, Catalog catalog, StoreOptions options)
    {
        var id = catalog.NextFileId();
        options.AtStep?.Invoke(StoreStep.MakingJournal);
        var journal = Create(directory, id, options.Durability);
        try
        {
            catalog.AddJournal(journal.Id);
            return journal;
        }
        catch
        {
            // Named or not, which after an error nobody knows: it stays empty, and the next start drops it.
            journal.Dispose();
            throw;
        }
    }

    private static Journal Create(string directory, long id, Durability durability)
    {
        var path = PathOf(directory, id);
        Delete(path);
        var database = SqliteDatabase.OpenOrCreate(path);
        try
        {
            // Exclusive locking before the first access keeps the WAL index in the heap: no -shm file, no locks on the append's way.
            database.Execute("PRAGMA page_size=4096; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0;");
            database.DisableCheckpointOnClose();
            database.Execute("PRAGMA synchronous=FULL");
            database.Execute("CREATE TABLE row(ordinal INTEGER PRIMARY KEY, header BLOB NOT NULL, body BLOB NOT NULL)");
            if (durability == Durability.Os) database.Execute("PRAGMA synchronous=OFF");
            DirectorySync.Flush(directory);
            return new Journal(id, path, database);
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    /// <summary>Commits one row; on return it is as durable as configured.</summary>
    /// <exception cref="StorageException">The row may or may not be on disk. The journal must not be written again.</exception>
    public void Append(ReadOnlySpan<byte> header, ReadOnlySpan<byte> body)
    {
        _insert.Bind(1, Rows).Bind(2, header).Bind(3, body).Run();
        Rows++;
    }

    public static void Delete(string path)
    {
        File.Delete(path + "-wal");
        File.Delete(path + "-shm");
        File.Delete(path + "-journal");
        File.Delete(path);
    }

    public void Dispose() => _database.Dispose();
}
