using System.Text.Json;

namespace Warp.Http.Projections;

/// <content>What the projector and exports read back.</content>
internal sealed partial class RqliteProjectionStore
{
    public async ValueTask<string?> ReadPositionAsync(string table, CancellationToken cancellation)
    {
        await MakeSchemaAsync(cancellation);
        var found = await SelectAsync(ReadLevel.Strong, $"SELECT pos FROM {ProjectionSql.CheckpointTable} WHERE name = ?", [SqlValue.Of(table)], cancellation);
        return found.Rows.Count == 0 ? null : Text(found.Rows[0][0]);
    }

    public async ValueTask<FailedRows> ReadFailedAsync(string table, int rowsMax, CancellationToken cancellation)
    {
        await MakeSchemaAsync(cancellation);
        using var body = new RqliteBody();
        body.Add($"SELECT count(*) FROM {ProjectionSql.FailedTable} WHERE name = ?", SqlValue.Of(table))
            .Add($"SELECT entity, seq, entity_name, error FROM {ProjectionSql.FailedTable} WHERE name = ? ORDER BY entity, seq LIMIT ?", SqlValue.Of(table), SqlValue.Of(rowsMax));
        var results = Done(await client.QueryAsync(body.Finish(), body.Statements, ReadLevel.Weak, cancellation));
        return new FailedRows(
            results[0].Rows[0][0].GetInt64(), [.. results[1].Rows.Select(row => new FailedRow(row[0].GetInt64(), row[1].GetInt64(), Text(row[2]), Text(row[3])))]);
    }

    public async ValueTask<IReadOnlyList<StoredRow>> ReadRowsAsync(ProjectionTable table, long entity, long afterSeq, int rowsMax, CancellationToken cancellation)
    {
        // Of a column without a type rqlite does not say what a value is, and JSON has one kind of number: so each value's type is asked for, too.
        var columns = string.Concat(table.Columns.Select(column => $", {ProjectionSql.Quote(column.Name)}, typeof({ProjectionSql.Quote(column.Name)})"));
        using var body = new RqliteBody();
        body.Add(
            $"SELECT {ProjectionTable.SeqColumn}{columns} FROM {ProjectionSql.Quote(table.Name)} WHERE {ProjectionTable.EntityColumn} = ? AND {ProjectionTable.SeqColumn} > ? ORDER BY {ProjectionTable.SeqColumn} LIMIT ?",
            SqlValue.Of(entity), SqlValue.Of(afterSeq), SqlValue.Of(rowsMax));
        var reply = await client.QueryAsync(body.Finish(), body.Statements, ReadLevel.Weak, cancellation);
        var found = DoneInPart(reply)[0].Rows;
        if (found.Count == 0 && reply.IsCut) throw new ProjectionStoreException($"A row has more than {reply.BytesMax} bytes.") { IsTransient = false };
        return [.. found.Select(row => new StoredRow(row[0].GetInt64(), [.. table.Columns.Select((_, i) => Value(row[1 + (2 * i)], Text(row[2 + (2 * i)])))]))];
    }

    private static SqlValue Value(JsonElement value, string type) => type switch
    {
        "integer" => SqlValue.Of(value.GetInt64()),
        "real" => SqlValue.Of(value.GetDouble()),
        "text" => SqlValue.Of(Text(value)),
        _ => SqlValue.Null,
    };
}
