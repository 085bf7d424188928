using System.Collections.Frozen;
using SQLitePCL;

namespace Warp.Http.Projections;

/// <summary>Decides what a statement may touch while SQLite compiles it, and notes which tables it reads.</summary>
/// <remarks>
/// Everything that is not named here is refused, so that what a later SQLite can do besides is refused, too. A base table is read through its view
/// alone. SQLite names the view, but a WITH of the same name looks alike to it; therefore a text with the reserved prefix in it is refused as a whole
/// (<see cref="QueryConnection"/>), and without it no base table and no lineage column can be named.
/// </remarks>
internal sealed class SqlGuard
{
    /// <summary>Table-valued functions that read their arguments alone.</summary>
    private static readonly FrozenSet<string> s_tableFunctions = Set("json_each", "json_tree");

    /// <summary>Functions whose result and cost follow from their arguments. Not among them: what loads, what makes bytes out of a number, and what tells of the host.</summary>
    private static readonly FrozenSet<string> s_functions = Set(
        "abs", "char", "coalesce", "concat", "concat_ws", "format", "glob", "hex", "if", "ifnull", "iif", "instr", "length", "like", "likelihood", "likely", "lower", "ltrim", "max", "min",
        "nullif", "octet_length", "printf", "quote", "random", "replace", "round", "rtrim", "sign", "substr", "substring", "trim", "typeof", "unicode", "unlikely", "upper",
        "avg", "count", "group_concat", "string_agg", "sum", "total", "median", "percentile", "percentile_cont", "percentile_disc",
        "row_number", "rank", "dense_rank", "percent_rank", "cume_dist", "ntile", "lag", "lead", "first_value", "last_value", "nth_value",
        "date", "time", "datetime", "julianday", "unixepoch", "strftime", "timediff", "current_date", "current_time", "current_timestamp",
        "json", "json_array", "json_array_length", "json_error_position", "json_extract", "->", "->>", "json_group_array", "json_group_object", "json_insert", "json_object",
        "json_patch", "json_pretty", "json_quote", "json_remove", "json_replace", "json_set", "json_type", "json_valid",
        "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "ceil", "ceiling", "cos", "cosh", "degrees", "exp", "floor", "ln", "log", "log10", "log2", "mod", "pi", "pow", "power",
        "radians", "sin", "sinh", "sqrt", "tan", "tanh", "trunc");

    private readonly Dictionary<string, string> _views = new(StringComparer.OrdinalIgnoreCase); // name of the view, its table
    private readonly Dictionary<string, string> _tables = new(StringComparer.OrdinalIgnoreCase); // the other way round
    private readonly HashSet<string> _others = new(StringComparer.OrdinalIgnoreCase); // tables and modules that are there and not for queries
    private readonly HashSet<string> _read = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>False while the connection runs statements of its own.</summary>
    public bool IsOn { get; private set; }

    /// <summary>What was refused first, in words; null = nothing was.</summary>
    public string? Refused { get; private set; }

    /// <summary>The views that are read.</summary>
    public IReadOnlyCollection<string> Read => _read;

    /// <param name="views">The views that may be read, each with its table.</param>
    /// <param name="others">Names of what else there is.</param>
    public void TurnOn(IEnumerable<(string View, string Table)> views, IEnumerable<string> others)
    {
        _views.Clear();
        _tables.Clear();
        foreach (var (view, table) in views) (_views[view], _tables[table]) = (table, view);
        _others.Clear();
        _others.UnionWith(others);
        _read.Clear();
        Refused = null;
        IsOn = true;
    }

    public void TurnOff() => IsOn = false;

    /// <summary>SQLite's authorizer: called while a statement is compiled, each time for one thing that it does.</summary>
    public int Authorize(int action, string? first, string? second, string? view)
    {
        if (!IsOn) return raw.SQLITE_OK;
        var error = action switch
        {
            raw.SQLITE_SELECT or raw.SQLITE_RECURSIVE => null,
            raw.SQLITE_FUNCTION => s_functions.Contains(second ?? "") ? null : $"The function {second} is not one that queries may use.",
            raw.SQLITE_READ => JudgeRead(first ?? "", second ?? "", view),
            raw.SQLITE_PRAGMA => $"PRAGMA {first} is not allowed.",
            raw.SQLITE_ATTACH or raw.SQLITE_DETACH => "ATTACH and DETACH are not allowed.",
            raw.SQLITE_TRANSACTION or raw.SQLITE_SAVEPOINT => "A query has no say in transactions.",
            _ => "Only one SELECT is allowed; it changes nothing.",
        };
        if (error is null) return raw.SQLITE_OK;
        Refused ??= error;
        return raw.SQLITE_DENY;
    }

    private string? JudgeRead(string table, string column, string? view)
    {
        if (_views.ContainsKey(table))
        {
            _read.Add(table);
            return null;
        }

        if (column.StartsWith(ProjectionTable.ReservedPrefix, StringComparison.OrdinalIgnoreCase)) return $"The column {column} is not for queries.";

        // Without a column SQLite asks when a view is merged into the statement, and then names no view: count(*) does so.
        if (_tables.TryGetValue(table, out var own) && (column.Length == 0 || string.Equals(view, own, StringComparison.OrdinalIgnoreCase)))
        {
            _read.Add(own);
            return null;
        }

        if (s_tableFunctions.Contains(table)) return null;

        // SQLite asks so, without a column, for a WITH as well if nothing of it is looked at: it is nobody's table then.
        var isNobodys = column.Length == 0 && !_others.Contains(table)
            && !table.StartsWith("sqlite_", StringComparison.OrdinalIgnoreCase)
            && !table.StartsWith("pragma_", StringComparison.OrdinalIgnoreCase)
            && !table.StartsWith(ProjectionTable.ReservedPrefix, StringComparison.OrdinalIgnoreCase);
        return isNobodys ? null : $"The table {table} is no projection's.";
    }

    private static FrozenSet<string> Set(params string[] names) => names.ToFrozenSet(StringComparer.OrdinalIgnoreCase);
}
