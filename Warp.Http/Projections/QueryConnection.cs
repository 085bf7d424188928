using System.Text;
using SQLitePCL;

namespace Warp.Http.Projections;

/// <summary>A connection that answers statements from strangers. One thread at a time.</summary>
/// <remarks>
/// Four walls, each enough alone against writing: the file is opened read-only, <c>query_only</c> is on, the guard allows reading only, and SQLite itself
/// says whether a compiled statement writes. Against cost: the clock (asked every <see cref="OpsPerLook"/> operations), the length of values, the size of
/// statements, and the memory that all of SQLite holds. Split by role: this file opens, judges and runs, .Read is the values.
/// </remarks>
internal sealed partial class QueryConnection : IDisposable
{
    /// <summary>Operations of SQLite's machine between two looks at the clock: some tens of microseconds, unless each moves much.</summary>
    private const int OpsPerLook = 200;

    /// <summary>What SQLite's memory, of the whole process, may grow by during a statement.</summary>
    private const long MemoryGrowthMax = 512L * 1024 * 1024;

    private const int BusyMs = 1000;

    private static readonly (int Id, int Max)[] s_limits =
    [
        (raw.SQLITE_LIMIT_EXPR_DEPTH, 200),
        (raw.SQLITE_LIMIT_COMPOUND_SELECT, 100),
        (raw.SQLITE_LIMIT_VDBE_OP, 100_000),
        (raw.SQLITE_LIMIT_ATTACHED, 0),
        (raw.SQLITE_LIMIT_FUNCTION_ARG, 100),
        (raw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000),
        (raw.SQLITE_LIMIT_VARIABLE_NUMBER, 1000),
        (raw.SQLITE_LIMIT_TRIGGER_DEPTH, 1),
        (raw.SQLITE_LIMIT_WORKER_THREADS, 0),
    ];

    private readonly sqlite3 _handle;
    private readonly TimeProvider _time;
    private readonly SqlGuard _guard = new();
    private readonly HashSet<string> _modules = new(StringComparer.OrdinalIgnoreCase);
    private CancellationToken _cancellation; // of the statement that runs
    private long _startedAt;
    private TimeSpan _timeMax;
    private long _memoryAtStart;
    private bool _isTooLarge;

    private QueryConnection(sqlite3 handle, TimeProvider time)
    {
        _handle = handle;
        _time = time;
    }

    /// <param name="valueBytes">Longest value, and row, that it reads or makes.</param>
    /// <exception cref="ProjectionStoreException">It can't be opened.</exception>
    public static QueryConnection Open(string path, int valueBytes, TimeProvider time)
    {
        Batteries_V2.Init();
        var code = raw.sqlite3_open_v2(path, out var handle, raw.SQLITE_OPEN_READONLY | raw.SQLITE_OPEN_NOMUTEX, null);
        var connection = new QueryConnection(handle, time);
        try
        {
            if (code != raw.SQLITE_OK) throw connection.Trouble();
            connection.Prepare(valueBytes);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>A connection to an empty copy of tables that stand elsewhere, for judging only.</summary>
    /// <param name="schema">The statements that make it.</param>
    public static QueryConnection OpenCopy(IEnumerable<string> schema, int valueBytes, TimeProvider time)
    {
        Batteries_V2.Init();
        var code = raw.sqlite3_open_v2(":memory:", out var handle, raw.SQLITE_OPEN_READWRITE | raw.SQLITE_OPEN_NOMUTEX, null);
        var connection = new QueryConnection(handle, time);
        try
        {
            if (code != raw.SQLITE_OK) throw connection.Trouble();
            foreach (var sql in schema) connection.Own(sql);
            connection.Prepare(valueBytes);
            return connection;
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Judges a statement; with caps it also runs it.</summary>
    /// <exception cref="ProjectionStoreException">The file can't be read; the connection is to be thrown away.</exception>
    public QueryOutcome Run(SqlQuery query, QueryCaps? caps, CancellationToken cancellation)
    {
        // Names that begin with it can be written in no other way than letter by letter, and the text of a value can be a parameter.
        if (query.Sql.Contains(ProjectionTable.ReservedPrefix, StringComparison.OrdinalIgnoreCase))
            return new QueryOutcome(QueryStatus.Invalid, $"Names with {ProjectionTable.ReservedPrefix} belong to the service; pass a value that holds it as a parameter.");
        if (query.Sql.Contains('\0', StringComparison.Ordinal)) return new QueryOutcome(QueryStatus.Invalid, "The statement holds a NUL character.");
        (_cancellation, _startedAt, _timeMax) = (cancellation, _time.GetTimestamp(), caps?.Time ?? TimeSpan.FromSeconds(1));
        (_memoryAtStart, _isTooLarge) = (raw.sqlite3_memory_used(), false);
        Own("BEGIN"); // the list of tables, their checkpoints and the answer are of one moment
        try
        {
            var tables = ReadTables();
            _guard.TurnOn(tables.Select(table => (table.View, table.Table.Name)), _modules.Concat(ReadNames()));
            try
            {
                return Answer(query, caps, [.. tables]);
            }
            finally
            {
                _guard.TurnOff();
            }
        }
        finally
        {
            raw.sqlite3_progress_handler(_handle, 0, null, null);
            raw.sqlite3_exec(_handle, "ROLLBACK");
        }
    }

    public void Dispose()
    {
        raw.sqlite3_close_v2(_handle);
        _handle.Dispose();
    }

    private QueryOutcome Answer(SqlQuery query, QueryCaps? caps, (string View, ReadTable Table)[] tables)
    {
        raw.sqlite3_progress_handler(_handle, OpsPerLook, _ => IsOver() ? 1 : 0, null);
        var code = raw.sqlite3_prepare_v2(_handle, query.Sql, out var statement, out var tail);
        using (statement)
        {
            if (code != raw.SQLITE_OK) return Failed(code);
            if (statement.IsInvalid) return new QueryOutcome(QueryStatus.Invalid, "There is no statement.");
            var columns = ReadColumns(statement);
            var problem = JudgeTail(tail) ?? JudgeForm(statement) ?? JudgeColumns(columns) ?? Bind(statement, query);
            if (problem is not null) return problem;
            var read = tables.Where(table => _guard.Read.Contains(table.View, StringComparer.OrdinalIgnoreCase)).Select(table => table.Table).ToList();
            var outcome = new QueryOutcome(QueryStatus.Answered) { Columns = columns, Tables = read, Statement = raw.sqlite3_sql(statement).utf8_to_string().TrimEnd().TrimEnd(';') };
            return caps is null ? outcome : ReadRows(statement, caps, outcome);
        }
    }

    private QueryOutcome? JudgeTail(string? tail)
    {
        if (string.IsNullOrWhiteSpace(tail)) return null;
        while (!string.IsNullOrWhiteSpace(tail))
        {
            // What compiles to nothing is a comment or a semicolon.
            var code = raw.sqlite3_prepare_v2(_handle, tail, out var second, out var rest);
            using (second)
                if (code != raw.SQLITE_OK || !second.IsInvalid) return new QueryOutcome(QueryStatus.Invalid, "There is more than one statement; send one.");
            if (rest is null || rest.Length >= tail.Length) break;
            tail = rest;
        }

        return null;
    }

    private static QueryOutcome? JudgeForm(sqlite3_stmt statement)
    {
        if (raw.sqlite3_stmt_isexplain(statement) != 0) return new QueryOutcome(QueryStatus.Invalid, "EXPLAIN is not allowed.");
        return raw.sqlite3_stmt_readonly(statement) != 0 && raw.sqlite3_column_count(statement) > 0
            ? null
            : new QueryOutcome(QueryStatus.Invalid, "Only one SELECT is allowed; it changes nothing.");
    }

    /// <summary>What an error of SQLite means: the statement's fault, or the file's.</summary>
    private QueryOutcome Failed(int code)
    {
        switch (code & 0xff)
        {
            case raw.SQLITE_INTERRUPT:
                _cancellation.ThrowIfCancellationRequested();
                return _isTooLarge
                    ? new QueryOutcome(QueryStatus.Invalid, "The statement needs more memory than it may have.")
                    : new QueryOutcome(QueryStatus.TimedOut);
            case raw.SQLITE_NOMEM:
                return new QueryOutcome(QueryStatus.Invalid, "The statement needs more memory than it may have.");
            case raw.SQLITE_BUSY or raw.SQLITE_LOCKED or raw.SQLITE_IOERR or raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB or raw.SQLITE_CANTOPEN or raw.SQLITE_FULL or raw.SQLITE_PROTOCOL:
                throw Trouble();
            default:
                return new QueryOutcome(QueryStatus.Invalid, _guard.Refused ?? raw.sqlite3_errmsg(_handle).utf8_to_string());
        }
    }

    private bool IsOver()
    {
        _isTooLarge |= raw.sqlite3_memory_used() - _memoryAtStart > MemoryGrowthMax;
        return _isTooLarge || _cancellation.IsCancellationRequested || _time.GetElapsedTime(_startedAt) > _timeMax;
    }

    private void Prepare(int valueBytes)
    {
        Own($"PRAGMA busy_timeout = {BusyMs}; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -4096; PRAGMA trusted_schema = OFF;");
        raw.sqlite3_db_config(_handle, raw.SQLITE_DBCONFIG_DEFENSIVE, 1, out _);
        raw.sqlite3_db_config(_handle, raw.SQLITE_DBCONFIG_DQS_DML, 0, out _); // "x" is a name, and never a text because there is no such name
        raw.sqlite3_limit(_handle, raw.SQLITE_LIMIT_LENGTH, valueBytes);
        foreach (var (id, max) in s_limits) raw.sqlite3_limit(_handle, id, max);
        _modules.UnionWith(OwnRows("SELECT name FROM pragma_module_list", row => Text(row, 0)));
        AddSearches();
        var code = raw.sqlite3_set_authorizer(_handle, (_, action, first, second, _, view) => _guard.Authorize(action, first, second, view), null);
        if (code != raw.SQLITE_OK) throw Trouble();
    }

    private List<(string View, ReadTable Table)> ReadTables() => OwnRows(
        $"SELECT view, name, projection, pos FROM {ProjectionSql.CheckpointTable} WHERE published = 1",
        row => (Text(row, 0), new ReadTable(Text(row, 1), Text(row, 2), Text(row, 3))));

    private List<string> ReadNames() => OwnRows("SELECT name FROM sqlite_schema", row => Text(row, 0));

    /// <summary>Statements of the service itself, which are right: what fails is the file.</summary>
    private void Own(string sql)
    {
        if (raw.sqlite3_exec(_handle, sql) != raw.SQLITE_OK) throw Trouble();
    }

    private List<T> OwnRows<T>(string sql, Func<sqlite3_stmt, T> read)
    {
        if (raw.sqlite3_prepare_v2(_handle, sql, out var statement) != raw.SQLITE_OK) throw Trouble();
        using (statement)
        {
            var rows = new List<T>();
            int code;
            while ((code = raw.sqlite3_step(statement)) == raw.SQLITE_ROW) rows.Add(read(statement));
            return code == raw.SQLITE_DONE ? rows : throw Trouble();
        }
    }

    private ProjectionStoreException Trouble() =>
        new($"SQLite error {raw.sqlite3_extended_errcode(_handle)} ({raw.sqlite3_errmsg(_handle).utf8_to_string()}) while projections were queried.");

    private static string Text(sqlite3_stmt row, int column) => Encoding.UTF8.GetString(raw.sqlite3_column_blob(row, column));
}
