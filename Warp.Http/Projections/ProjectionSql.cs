using System.Text;

namespace Warp.Http.Projections;

/// <summary>The statements that both stores send: tables, views, and the tables of the service beside them.</summary>
internal static class ProjectionSql
{
    /// <summary>One row a table: how far it is, whose it is, and what its rows are made by.</summary>
    public const string CheckpointTable = "warp_checkpoint";

    /// <summary>One row for each row that could not be made.</summary>
    public const string FailedTable = "warp_failed";

    /// <summary>Beyond it an error says no more.</summary>
    public const int ErrorChars = 500;

    public static readonly IReadOnlyList<string> Schema =
    [
        $"CREATE TABLE IF NOT EXISTS {CheckpointTable}(name TEXT PRIMARY KEY NOT NULL, projection TEXT NOT NULL, view TEXT NOT NULL, published INTEGER NOT NULL, pos TEXT NOT NULL, spec TEXT NOT NULL)",
        $"CREATE TABLE IF NOT EXISTS {FailedTable}(name TEXT NOT NULL, entity INTEGER NOT NULL, seq INTEGER NOT NULL, entity_name TEXT NOT NULL, error TEXT NOT NULL, PRIMARY KEY(name, entity, seq)) WITHOUT ROWID",
    ];

    /// <summary>A name as SQL text: definitions allow no quote in it.</summary>
    public static string Quote(string identifier) => $"\"{identifier.Replace("\"", "\"\"", StringComparison.Ordinal)}\"";

    public static string CreateTable(ProjectionTable table)
    {
        var sql = new StringBuilder($"CREATE TABLE IF NOT EXISTS {Quote(table.Name)}(");
        sql.Append(table.Source == ProjectionSource.State
            ? $"{ProjectionTable.EntityColumn} INTEGER PRIMARY KEY NOT NULL, {ProjectionTable.SeqColumn} INTEGER NOT NULL"
            : $"{ProjectionTable.EntityColumn} INTEGER NOT NULL, {ProjectionTable.SeqColumn} INTEGER NOT NULL");
        foreach (var column in table.Columns) sql.Append($", {Quote(column.Name)} {column.Type}");
        if (table.Source == ProjectionSource.State) return sql.Append(')').ToString();
        return sql.Append($", PRIMARY KEY({ProjectionTable.EntityColumn}, {ProjectionTable.SeqColumn})) WITHOUT ROWID").ToString();
    }

    public static IEnumerable<string> CreateIndexes(ProjectionTable table) => table.Indexes.Select((columns, i) =>
        $"CREATE INDEX IF NOT EXISTS {Quote($"{table.Name}_i{i}")} ON {Quote(table.Name)}({string.Join(", ", columns.Select(Quote))})");

    /// <summary>Fails if a table or view has the name: one that no projection made is never dropped.</summary>
    public static string CreateView(ProjectionTable table) =>
        $"CREATE VIEW {Quote(table.View)} AS SELECT {string.Join(", ", table.Columns.Select(column => Quote(column.Name)))} FROM {Quote(table.Name)}";

    public static string DropView(string view) => $"DROP VIEW IF EXISTS {Quote(view)}";

    public static string DropTable(string name) => $"DROP TABLE IF EXISTS {Quote(name)}";

    /// <summary>The upsert of one row, with values as given: <c>?, ?, ?</c>, or what a bulk form selects.</summary>
    /// <param name="source"><c>VALUES(…)</c> or <c>SELECT …</c>; a SELECT needs a WHERE, or ON is taken for a join's.</param>
    public static string Upsert(ProjectionTable table, string source)
    {
        var columns = table.Columns.Select(column => Quote(column.Name)).Prepend(ProjectionTable.SeqColumn).ToList();
        var insert = $"INSERT INTO {Quote(table.Name)}({ProjectionTable.EntityColumn}, {string.Join(", ", columns)}) {source} ON CONFLICT";
        // What an event was does not change: its row is written once.
        if (table.Source == ProjectionSource.Event) return $"{insert} DO NOTHING";
        var assignments = string.Join(", ", columns.Select(column => $"{column} = excluded.{column}"));
        return $"{insert}({ProjectionTable.EntityColumn}) DO UPDATE SET {assignments} WHERE excluded.{ProjectionTable.SeqColumn} > {Quote(table.Name)}.{ProjectionTable.SeqColumn}";
    }

    public static string Shortened(string error) => error.Length <= ErrorChars ? error : error[..ErrorChars] + "…";
}
