using System.Text;
using System.Text.Unicode;
using SQLitePCL;

namespace Warp.Http.Projections;

/// <content>Parameters in, columns and rows out.</content>
internal sealed partial class QueryConnection
{
    /// <summary>Longest text that <c>instr</c> and <c>replace</c> look for: like LIKE's, since SQLite asks nobody while one call lasts.</summary>
    private const int SoughtBytesMax = 1000;

    private static List<string> ReadColumns(sqlite3_stmt statement) =>
        [.. Enumerable.Range(0, raw.sqlite3_column_count(statement)).Select(i => raw.sqlite3_column_name(statement, i).utf8_to_string())];

    /// <summary>A row is an object, which has no room for two members of one name.</summary>
    private static QueryOutcome? JudgeColumns(List<string> columns)
    {
        var twice = columns.GroupBy(name => name, StringComparer.Ordinal).FirstOrDefault(same => same.Count() > 1);
        return twice is null ? null : new QueryOutcome(QueryStatus.Invalid, $"Two columns are called \"{twice.Key}\"; name them apart with AS.");
    }

    private QueryOutcome? Bind(sqlite3_stmt statement, SqlQuery query)
    {
        var count = raw.sqlite3_bind_parameter_count(statement);
        if (query.Named is null && count != query.Positional.Count)
            return new QueryOutcome(QueryStatus.WrongParameters, $"The statement has {count} parameters; {query.Positional.Count} are given.");
        var used = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 1; i <= count; i++)
        {
            SqlValue value;
            if (query.Named is null)
            {
                value = query.Positional[i - 1];
            }
            else
            {
                var name = raw.sqlite3_bind_parameter_name(statement, i).utf8_to_string() ?? "?";
                if (name[0] == '?') return new QueryOutcome(QueryStatus.WrongParameters, $"Parameter {i} has no name; give the parameters as a list, or name all.");
                if (!query.Named.TryGetValue(name[1..], out value)) return new QueryOutcome(QueryStatus.WrongParameters, $"The parameter {name} is not given.");
                used.Add(name[1..]);
            }

            var code = Bind(statement, i, value);
            if (code != raw.SQLITE_OK) return Failed(code);
        }

        var unused = query.Named?.Keys.FirstOrDefault(name => !used.Contains(name));
        return unused is null ? null : new QueryOutcome(QueryStatus.WrongParameters, $"The statement has no parameter \"{unused}\".");
    }

    private static int Bind(sqlite3_stmt statement, int parameter, SqlValue value) => value.Kind switch
    {
        SqlKind.Integer => raw.sqlite3_bind_int64(statement, parameter, value.Integer),
        SqlKind.Real => raw.sqlite3_bind_double(statement, parameter, value.Real),
        SqlKind.Text => value.Text.IsEmpty ? raw.sqlite3_bind_text(statement, parameter, "") : raw.sqlite3_bind_text(statement, parameter, value.Text),
        _ => raw.sqlite3_bind_null(statement, parameter),
    };

    private QueryOutcome ReadRows(sqlite3_stmt statement, QueryCaps caps, QueryOutcome outcome)
    {
        var rows = new List<SqlValue[]>();
        long bytes = 0;
        int code;
        while ((code = raw.sqlite3_step(statement)) == raw.SQLITE_ROW)
        {
            if (rows.Count == caps.Rows || bytes > caps.Bytes) return outcome with { Rows = rows, IsTruncated = true };
            var row = new SqlValue[outcome.Columns.Count];
            for (var i = 0; i < row.Length; i++)
            {
                if (raw.sqlite3_column_type(statement, i) == raw.SQLITE_BLOB)
                    return new QueryOutcome(QueryStatus.Invalid, $"The column \"{outcome.Columns[i]}\" is a BLOB, which JSON can't hold; use hex().");
                row[i] = Read(statement, i);
                bytes += 1 + row[i].Text.Length;
            }

            rows.Add(row);
        }

        return code == raw.SQLITE_DONE ? outcome with { Rows = rows } : Failed(code);
    }

    private static SqlValue Read(sqlite3_stmt row, int column) => raw.sqlite3_column_type(row, column) switch
    {
        raw.SQLITE_INTEGER => SqlValue.Of(raw.sqlite3_column_int64(row, column)),
        raw.SQLITE_FLOAT => SqlValue.Of(raw.sqlite3_column_double(row, column)),
        raw.SQLITE_TEXT => SqlValue.Of(Clean(raw.sqlite3_column_blob(row, column))),
        _ => SqlValue.Null,
    };

    /// <summary>SQL can cut a text inside a character; JSON must not show that.</summary>
    private static byte[] Clean(ReadOnlySpan<byte> text) => Utf8.IsValid(text) ? text.ToArray() : Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(text));

    /// <summary><c>instr</c> and <c>replace</c> again, with a bound: the built-in ones compare for minutes if both texts are long and alike.</summary>
    private void AddSearches()
    {
        raw.sqlite3_create_function(_handle, "instr", 2, raw.SQLITE_UTF8 | raw.SQLITE_DETERMINISTIC, null, (context, _, arguments) =>
        {
            if (arguments.Any(IsNull))
            {
                raw.sqlite3_result_null(context);
                return;
            }

            var text = raw.sqlite3_value_text(arguments[0]).utf8_to_string();
            var sought = raw.sqlite3_value_text(arguments[1]).utf8_to_string();
            if (IsTooLong(context, sought)) return;
            var at = text.IndexOf(sought, StringComparison.Ordinal);
            raw.sqlite3_result_int64(context, at < 0 ? 0 : text.AsSpan(0, at).ToString().EnumerateRunes().Count() + 1);
        });
        raw.sqlite3_create_function(_handle, "replace", 3, raw.SQLITE_UTF8 | raw.SQLITE_DETERMINISTIC, null, (context, _, arguments) =>
        {
            if (arguments.Any(IsNull))
            {
                raw.sqlite3_result_null(context);
                return;
            }

            var text = raw.sqlite3_value_text(arguments[0]).utf8_to_string();
            var sought = raw.sqlite3_value_text(arguments[1]).utf8_to_string();
            var other = raw.sqlite3_value_text(arguments[2]).utf8_to_string();
            if (IsTooLong(context, sought)) return;
            if (sought.Length == 0)
            {
                raw.sqlite3_result_text(context, text);
                return;
            }

            // What it would become is known before it is made.
            long found = 0;
            for (var at = text.IndexOf(sought, StringComparison.Ordinal); at >= 0; at = text.IndexOf(sought, at + sought.Length, StringComparison.Ordinal)) found++;
            if (text.Length + (found * (other.Length - sought.Length)) > raw.sqlite3_limit(_handle, raw.SQLITE_LIMIT_LENGTH, -1)) raw.sqlite3_result_error_toobig(context);
            else raw.sqlite3_result_text(context, text.Replace(sought, other, StringComparison.Ordinal));
        });
    }

    private static bool IsNull(sqlite3_value value) => raw.sqlite3_value_type(value) == raw.SQLITE_NULL;

    private static bool IsTooLong(sqlite3_context context, string sought)
    {
        if (sought.Length <= SoughtBytesMax) return false;
        raw.sqlite3_result_error(context, $"instr() and replace() look for at most {SoughtBytesMax} characters.");
        return true;
    }
}
