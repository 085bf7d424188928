using System.Runtime.InteropServices;
using SQLitePCL;

namespace Warp.Http.Storage;

/// <summary>A raw SQLite connection: what the hot paths need and nothing else. Used by one thread at a time.</summary>
/// <remarks>Prepared statements cost 8 bytes an insert where ADO.NET costs 890; see docs/adr/0001.</remarks>
internal sealed partial class SqliteDatabase : IDisposable
{
    private static readonly object Initialized = Initialize();
    private readonly List<SqliteStatement> _statements = [];

    private SqliteDatabase(sqlite3 handle, string path)
    {
        Handle = handle;
        Path = path;
    }

    public string Path { get; }

    /// <summary>Rows that the last INSERT, UPDATE or DELETE changed.</summary>
    public int Changes => raw.sqlite3_changes(Handle);

    internal sqlite3 Handle { get; }

    private string FileName => System.IO.Path.GetFileName(Path).Replace("?immutable=1", "", StringComparison.Ordinal);

    public static Version LibraryVersion
    {
        get
        {
            _ = Initialized;
            return Version.Parse(raw.sqlite3_libversion().utf8_to_string());
        }
    }

    /// <summary>Creates the file or opens it for reading and writing.</summary>
    public static SqliteDatabase OpenOrCreate(string path) => Open(path, raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_CREATE);

    /// <summary>The same for a file whose pages have checksums (<see cref="PageVfs"/>).</summary>
    public static SqliteDatabase OpenOrCreateChecked(string path)
    {
        var database = Open(path, raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_CREATE, PageVfs.Name);
        PageVfs.Reserve(database.Handle);
        return database;
    }

    /// <summary>Opens a file with checksums that nobody writes any more, without locks.</summary>
    public static SqliteDatabase OpenImmutable(string path) =>
        Open(new Uri(path).AbsoluteUri + "?immutable=1", raw.SQLITE_OPEN_READONLY | raw.SQLITE_OPEN_URI, PageVfs.Name);

    /// <summary>A statement for the connection's life; it goes with it.</summary>
    public SqliteStatement Prepare(string sql)
    {
        var statement = PrepareOnce(sql);
        _statements.Add(statement);
        return statement;
    }

    /// <summary>A statement that the caller disposes.</summary>
    public SqliteStatement PrepareOnce(string sql)
    {
        var code = raw.sqlite3_prepare_v2(Handle, sql, out var statement);
        if ((code & 0xff) == raw.SQLITE_ERROR)
        {
            // The statements of this service are right, so the tables are not.
            var error = Error(sql);
            throw new DamagedDataException(error.Message, error) { File = FileName };
        }

        Check(code, sql);
        return new SqliteStatement(this, statement);
    }

    public void Execute(string sql) => Check(raw.sqlite3_exec(Handle, sql), sql);

    /// <summary>Runs <paramref name="work"/> in one transaction; any error rolls back and is rethrown.</summary>
    public void InTransaction(Action work)
    {
        Execute("BEGIN IMMEDIATE");
        try
        {
            work();
            Execute("COMMIT");
        }
        catch
        {
            // After some errors SQLite has rolled back by itself; a second error here would hide the first.
            raw.sqlite3_exec(Handle, "ROLLBACK");
            throw;
        }
    }

    /// <summary>Keeps SQLite from checkpointing and deleting the WAL when the connection closes.</summary>
    public void DisableCheckpointOnClose() =>
        Check(raw.sqlite3_db_config(Handle, raw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, out _), "NO_CKPT_ON_CLOSE");

    public void Dispose()
    {
        foreach (var statement in _statements) statement.Dispose();
        raw.sqlite3_close_v2(Handle);
        Handle.Dispose();
    }

    internal void Check(int code, string doing)
    {
        if (code is raw.SQLITE_OK or raw.SQLITE_ROW or raw.SQLITE_DONE) return;
        throw Error(doing);
    }

    private StorageException Error(string doing)
    {
        var extended = raw.sqlite3_extended_errcode(Handle);
        var file = FileName;
        if (extended == PageVfs.IoErrorData) return new DamagedDataException($"{file}: the checksum of a page does not match, at: {doing}") { File = file };
        var primary = extended & 0xff;
        // SQLite says of a file that it can't be opened and not why: a missing permission, a limit of open files, a broken disk.
        var system = primary is raw.SQLITE_CANTOPEN or raw.SQLITE_IOERR ? SystemErrorOf(Handle.DangerousGetHandle()) : SystemErrors.Of(primary);
        var why = primary is raw.SQLITE_CANTOPEN or raw.SQLITE_IOERR && system != 0 ? $": {Marshal.GetPInvokeErrorMessage(system)}" : "";
        var text = $"SQLite error {extended} ({raw.sqlite3_errmsg(Handle).utf8_to_string()}{why}) in {file} at: {doing}";
        return ReadFailure.IsDamage(extended) || (primary == raw.SQLITE_CANTOPEN && system == SystemErrors.InputOutput)
            ? new DamagedDataException(text) { File = file }
            : new StorageException(text) { SystemError = system };
    }

    private static SqliteDatabase Open(string path, int flags, string? vfs = null)
    {
        _ = Initialized;
        var code = raw.sqlite3_open_v2(path, out var handle, flags | raw.SQLITE_OPEN_NOMUTEX, vfs);
        var database = new SqliteDatabase(handle, path);
        if (code == raw.SQLITE_OK)
        {
            // Without them a statement that runs others inside, as VACUUM does, forgets that what it met was a page without its checksum.
            database.Check(raw.sqlite3_extended_result_codes(handle, 1), "extended_result_codes");
            return database;
        }

        var error = database.Error("open");
        database.Dispose();
        throw error;
    }

    [LibraryImport(PageVfs.Library, EntryPoint = "sqlite3_system_errno")]
    private static partial int SystemErrorOf(nint database);

    private static object Initialize()
    {
        Batteries_V2.Init();
        PageVfs.Register();
        return new object();
    }
}
