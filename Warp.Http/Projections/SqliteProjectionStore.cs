using Warp.Http.Storage;

namespace Warp.Http.Projections;

/// <summary>Tables in one SQLite file of the data directory.</summary>
/// <remarks>
/// Any thread; one connection writes, one call after another. WAL, so that queries read beside it. synchronous=NORMAL: a power cut takes the last
/// transactions, rows and checkpoints together, and the log has them still; only an erasure has to be durable before it is told, which
/// <see cref="PurgeAsync"/> sees to. Split by role: this file is the connection and the tables, .Apply writes rows, .Read reads them,
/// .Query answers strangers.
/// </remarks>
internal sealed partial class SqliteProjectionStore(string path) : IProjectionStore
{
    /// <summary>How long a call waits for another process that holds the file, such as a person with the sqlite3 shell.</summary>
    private const int BusyMs = 1000;

    private readonly SemaphoreSlim _turn = new(1);
    private SqliteDatabase? _database; // under _turn
    private volatile bool _isClosed; // set under _turn

    public string Path => path;

    public ValueTask<IReadOnlyList<StoredTable>> ReadTablesAsync(CancellationToken cancellation) => RunAsync<IReadOnlyList<StoredTable>>(database =>
    {
        using var select = database.PrepareOnce($"SELECT name, projection, view, published, pos, spec FROM {ProjectionSql.CheckpointTable} ORDER BY name");
        var tables = new List<StoredTable>();
        while (select.Step())
            tables.Add(new StoredTable(select.Text(0), select.Text(1), select.Text(2), select.Int64(3) != 0, select.Text(4), select.Text(5)));
        return tables;
    }, cancellation);

    public ValueTask<NameOwner> FindNameAsync(string view, CancellationToken cancellation) => RunAsync(database =>
    {
        // SQLite's names are the same in upper and lower case.
        using var find = database.PrepareOnce("SELECT 1 FROM sqlite_master WHERE name = ? COLLATE NOCASE");
        if (!find.Bind(1, view).Step()) return default;
        using var owner = database.PrepareOnce($"SELECT projection FROM {ProjectionSql.CheckpointTable} WHERE view = ? COLLATE NOCASE AND published = 1");
        return new NameOwner(true, owner.Bind(1, view).Step() ? owner.Text(0) : null);
    }, cancellation);

    public ValueTask CreateAsync(ProjectionTable table, string position, CancellationToken cancellation) => RunAsync(database => database.InTransaction(() =>
    {
        database.Execute(ProjectionSql.CreateTable(table));
        using var insert = database.PrepareOnce($"INSERT OR IGNORE INTO {ProjectionSql.CheckpointTable}(name, projection, view, published, pos, spec) VALUES(?, ?, ?, 0, ?, ?)");
        insert.Bind(1, table.Name).Bind(2, table.Projection).Bind(3, table.View).Bind(4, position).Bind(5, table.Spec).Run();
    }), cancellation);

    public ValueTask CreateIndexesAsync(ProjectionTable table, CancellationToken cancellation) => RunAsync(database => database.InTransaction(() =>
    {
        foreach (var sql in ProjectionSql.CreateIndexes(table)) database.Execute(sql);
    }), cancellation);

    public ValueTask PublishAsync(ProjectionTable table, IReadOnlyList<StoredTable> replaced, CancellationToken cancellation) => RunAsync(database =>
    {
        foreach (var old in replaced) ForgetStatements(old.Name);
        database.InTransaction(() =>
        {
            using (var standing = database.PrepareOnce($"SELECT published FROM {ProjectionSql.CheckpointTable} WHERE name = ?"))
                if (standing.Bind(1, table.Name).Step() && standing.Int64(0) != 0) return;
            foreach (var old in replaced) Drop(database, old);
            database.Execute(ProjectionSql.CreateView(table));
            using var publish = database.PrepareOnce($"UPDATE {ProjectionSql.CheckpointTable} SET published = 1 WHERE name = ?");
            publish.Bind(1, table.Name).Run();
        });
    }, cancellation);

    public ValueTask DropAsync(StoredTable table, CancellationToken cancellation) => RunAsync(database =>
    {
        ForgetStatements(table.Name);
        database.InTransaction(() => Drop(database, table));
    }, cancellation);

    /// <remarks>secure_delete overwrites what is deleted in the file; what stands in the WAL goes when that is emptied. Both are fsynced by it.</remarks>
    public ValueTask<bool> PurgeAsync(CancellationToken cancellation) => RunAsync(database =>
    {
        using var checkpoint = database.PrepareOnce("PRAGMA wal_checkpoint(TRUNCATE)");
        return checkpoint.Step() && checkpoint.Int64(0) == 0;
    }, cancellation);

    public async ValueTask DisposeAsync()
    {
        await _turn.WaitAsync();
        try
        {
            _isClosed = true;
            Close();
        }
        finally
        {
            _turn.Release();
        }
    }

    private static void Drop(SqliteDatabase database, StoredTable table)
    {
        // The row says whether the view is this table's: a name that was never published may be somebody else's.
        using (var standing = database.PrepareOnce($"SELECT published FROM {ProjectionSql.CheckpointTable} WHERE name = ?"))
            if (standing.Bind(1, table.Name).Step() && standing.Int64(0) != 0) database.Execute(ProjectionSql.DropView(table.View));
        database.Execute(ProjectionSql.DropTable(table.Name));
        foreach (var of in (string[])[ProjectionSql.CheckpointTable, ProjectionSql.FailedTable])
        {
            using var delete = database.PrepareOnce($"DELETE FROM {of} WHERE name = ?");
            delete.Bind(1, table.Name).Run();
        }
    }

    private ValueTask RunAsync(Action<SqliteDatabase> work, CancellationToken cancellation)
    {
        return AsTask(RunAsync(database =>
        {
            work(database);
            return true;
        }, cancellation));

        static async ValueTask AsTask(ValueTask<bool> done) => await done;
    }

    private async ValueTask<T> RunAsync<T>(Func<SqliteDatabase, T> work, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation);
        try
        {
            ObjectDisposedException.ThrowIf(_isClosed, this);
            return work(_database ??= Open());
        }
        catch (StorageException e)
        {
            // Whatever the connection holds by now, the next call begins with a new one.
            Close();
            throw new ProjectionStoreException(e.Message, e) { IsTransient = e is not DamagedDataException };
        }
        finally
        {
            _turn.Release();
        }
    }

    private SqliteDatabase Open()
    {
        var database = SqliteDatabase.OpenOrCreate(path);
        try
        {
            database.Execute(
                $"""
                PRAGMA busy_timeout = {BusyMs};
                PRAGMA journal_mode = WAL;
                PRAGMA synchronous = NORMAL;
                PRAGMA secure_delete = ON;
                PRAGMA temp_store = MEMORY;
                PRAGMA cache_size = -32768;
                PRAGMA wal_autocheckpoint = 4000;
                PRAGMA journal_size_limit = 67108864;
                """);
            database.InTransaction(() =>
            {
                foreach (var sql in ProjectionSql.Schema) database.Execute(sql);
            });
            return database;
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    private void Close()
    {
        CloseQueries();
        foreach (var statements in _statements.Values) statements.Dispose();
        _statements.Clear();
        _database?.Dispose();
        _database = null;
    }
}
