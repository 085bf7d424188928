using SQLitePCL;

namespace Warp.Http.Storage;

/// <summary>A prepared statement that is bound, stepped and reset again and again. Parameters and columns count from 1 and 0, as in SQLite.</summary>
internal sealed class SqliteStatement(SqliteDatabase database, sqlite3_stmt handle) : IDisposable
{
    public SqliteStatement Bind(int parameter, long value)
    {
        database.Check(raw.sqlite3_bind_int64(handle, parameter, value), "bind");
        return this;
    }

    public SqliteStatement Bind(int parameter, ReadOnlySpan<byte> value)
    {
        // A null pointer would bind NULL; an empty blob is a value.
        database.Check(
            value.IsEmpty ? raw.sqlite3_bind_zeroblob(handle, parameter, 0) : raw.sqlite3_bind_blob(handle, parameter, value), "bind");
        return this;
    }

    public SqliteStatement Bind(int parameter, string value)
    {
        database.Check(raw.sqlite3_bind_text(handle, parameter, value), "bind");
        return this;
    }

    public SqliteStatement Bind(int parameter, double value)
    {
        database.Check(raw.sqlite3_bind_double(handle, parameter, value), "bind");
        return this;
    }

    /// <summary>Binds UTF-8 as a text.</summary>
    public SqliteStatement BindText(int parameter, ReadOnlySpan<byte> utf8)
    {
        // A null pointer would bind NULL; an empty text is a value.
        database.Check(utf8.IsEmpty ? raw.sqlite3_bind_text(handle, parameter, "") : raw.sqlite3_bind_text(handle, parameter, utf8), "bind");
        return this;
    }

    public SqliteStatement BindNull(int parameter)
    {
        database.Check(raw.sqlite3_bind_null(handle, parameter), "bind");
        return this;
    }

    /// <summary>True while there is a row to read.</summary>
    public bool Step()
    {
        var code = raw.sqlite3_step(handle);
        if (code == raw.SQLITE_ROW) return true;
        if (code == raw.SQLITE_DONE) return false;
        raw.sqlite3_reset(handle);
        database.Check(code, raw.sqlite3_sql(handle).utf8_to_string());
        return false;
    }

    /// <summary>Runs a statement that gives no rows.</summary>
    public void Run()
    {
        Step();
        Reset();
    }

    public long Int64(int column) => raw.sqlite3_column_int64(handle, column);

    /// <summary>Valid until the next step or reset.</summary>
    public ReadOnlySpan<byte> Blob(int column) => raw.sqlite3_column_blob(handle, column);

    public double Real(int column) => raw.sqlite3_column_double(handle, column);

    /// <summary>One of SQLite's codes, as <see cref="raw.SQLITE_INTEGER"/>.</summary>
    public int Type(int column) => raw.sqlite3_column_type(handle, column);

    public string Text(int column) => raw.sqlite3_column_text(handle, column).utf8_to_string();

    public bool IsNull(int column) => raw.sqlite3_column_type(handle, column) == raw.SQLITE_NULL;

    public void Reset() => raw.sqlite3_reset(handle);

    public void Dispose() => handle.Dispose();
}
