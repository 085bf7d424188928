using System.Globalization;
using System.Text.Json;

namespace Warp.Http.Projections;

/// <content>Queries: judged here first, on an empty copy of the tables, by the very guard that the embedded store has; then asked of the cluster.</content>
internal sealed partial class RqliteProjectionStore : IQueryStore
{
    /// <summary>Longest value that the judging makes, for constants are computed while a statement is compiled.</summary>
    private const int ValueBytes = 1024 * 1024;

    /// <summary>Of an answer more is read than a client gets: rqlite escapes more characters, and the checkpoints come first.</summary>
    private static int AnswerBytes(QueryCaps caps) => (int)Math.Min(Array.MaxLength / 2, (2L * caps.Bytes) + (1024 * 1024));

    public async ValueTask<QueryOutcome> CheckAsync(SqlQuery query, CancellationToken cancellation)
    {
        // Nothing is made through a leader for whoever does without one.
        var level = query.Level ?? queryLevel;
        if (level != ReadLevel.None) await MakeSchemaAsync(cancellation);
        var found = await SelectAsync(
            level,
            $"SELECT view, name, projection, pos, (SELECT sql FROM sqlite_master WHERE name = c.name), (SELECT sql FROM sqlite_master WHERE name = c.view) FROM {ProjectionSql.CheckpointTable} AS c WHERE published = 1",
            [], cancellation);
        var schema = new List<string>(ProjectionSql.Schema);
        foreach (var row in found.Rows)
        {
            schema.Add(Text(row[4]));
            schema.Add(Text(row[5]));
            schema.Add($"INSERT INTO {ProjectionSql.CheckpointTable} VALUES({Literal(row[1])}, {Literal(row[2])}, {Literal(row[0])}, 1, {Literal(row[3])}, '')");
        }

        return await Task.Run(
            () =>
            {
                using var copy = QueryConnection.OpenCopy(schema, ValueBytes, TimeProvider.System);
                return copy.Run(query, null, cancellation);
            },
            CancellationToken.None);
    }

    public async ValueTask<QueryOutcome> QueryAsync(SqlQuery query, QueryCaps caps, CancellationToken cancellation)
    {
        var check = await CheckAsync(query, cancellation);
        if (check.Status != QueryStatus.Answered) return check;
        if (query.Positional.Concat(query.Named?.Values ?? []).Any(LooksLikeBlob))
            return new QueryOutcome(QueryStatus.WrongParameters, "rqlite would take a text of the form x'…' for a BLOB; give it inside a JSON text.");

        // Checkpoints first: what is read after them is as far at least. The statement goes on lines of its own, since it may end in a comment.
        var columns = string.Join(", ", check.Columns.Select(ProjectionSql.Quote));
        var sql = string.Create(CultureInfo.InvariantCulture, $"SELECT {columns} FROM (\n{check.Statement}\n) LIMIT {caps.Rows + 1}");
        using var body = new RqliteBody();
        body.Add($"SELECT name, pos FROM {ProjectionSql.CheckpointTable} WHERE published = 1");
        if (query.Named is null) body.Add(sql, [.. query.Positional]);
        else body.AddNamed(sql, query.Named);
        var reply = await client.QueryAsync(body.Finish(), body.Statements, query.Level ?? queryLevel, cancellation, caps.Time, AnswerBytes(caps));
        if (reply.Status == RqliteStatus.Refused)
        {
            return reply.Error!.Contains("interrupted", StringComparison.OrdinalIgnoreCase) || reply.Error.Contains("timeout", StringComparison.OrdinalIgnoreCase)
                ? new QueryOutcome(QueryStatus.TimedOut)
                : new QueryOutcome(QueryStatus.Invalid, reply.Error);
        }

        var results = DoneInPart(reply);
        var positions = results[0].Rows.ToDictionary(row => Text(row[0]), row => Text(row[1]), StringComparer.Ordinal);
        if (check.Tables.Any(table => !positions.ContainsKey(table.Name))) throw new ProjectionStoreException("A table was replaced while it was queried.");
        var rows = new List<SqlValue[]>();
        long bytes = 0;
        foreach (var row in results[1].Rows)
        {
            if (rows.Count == caps.Rows || bytes > caps.Bytes) break;
            SqlValue[] values = [.. row.Select((value, i) => Value(value, i < results[1].Types.Count && results[1].Types[i] is "real"))];
            bytes += values.Sum(value => 1L + value.Text.Length);
            rows.Add(values);
        }

        return check with
        {
            Rows = rows,
            IsTruncated = rows.Count < results[1].Rows.Count || reply.IsCut,
            Tables = [.. check.Tables.Select(table => table with { Position = positions[table.Name] })],
        };
    }

    private static bool LooksLikeBlob(SqlValue value) => value.Text is [(byte)'x' or (byte)'X', (byte)'\'', .., (byte)'\''];

    private static SqlValue Value(JsonElement value, bool isReal) => value.ValueKind switch
    {
        JsonValueKind.String => SqlValue.Of(Text(value)),
        JsonValueKind.Number when !isReal && value.TryGetInt64(out var integer) => SqlValue.Of(integer),
        JsonValueKind.Number => SqlValue.Of(value.GetDouble()),
        JsonValueKind.True => SqlValue.Of(1),
        JsonValueKind.False => SqlValue.Of(0),
        _ => SqlValue.Null,
    };

    private static string Literal(JsonElement text) => $"'{Text(text).Replace("'", "''", StringComparison.Ordinal)}'";
}
