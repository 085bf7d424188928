using SQLitePCL;
using Warp.Http.Storage;

namespace Warp.Http.Projections;

/// <content>What the projector and exports read back; queries have connections of their own.</content>
internal sealed partial class SqliteProjectionStore
{
    public ValueTask<string?> ReadPositionAsync(string table, CancellationToken cancellation) => RunAsync(database =>
    {
        using var select = database.PrepareOnce($"SELECT pos FROM {ProjectionSql.CheckpointTable} WHERE name = ?");
        return select.Bind(1, table).Step() ? select.Text(0) : null;
    }, cancellation);

    public ValueTask<FailedRows> ReadFailedAsync(string table, int rowsMax, CancellationToken cancellation) => RunAsync(database =>
    {
        using var count = database.PrepareOnce($"SELECT count(*) FROM {ProjectionSql.FailedTable} WHERE name = ?");
        count.Bind(1, table).Step();
        using var select = database.PrepareOnce(
            $"SELECT entity, seq, entity_name, error FROM {ProjectionSql.FailedTable} WHERE name = ? ORDER BY entity, seq LIMIT ?");
        select.Bind(1, table).Bind(2, rowsMax);
        var first = new List<FailedRow>();
        while (select.Step()) first.Add(new FailedRow(select.Int64(0), select.Int64(1), select.Text(2), select.Text(3)));
        return new FailedRows(count.Int64(0), first);
    }, cancellation);

    public ValueTask<IReadOnlyList<StoredRow>> ReadRowsAsync(ProjectionTable table, long entity, long afterSeq, int rowsMax, CancellationToken cancellation) =>
        RunAsync<IReadOnlyList<StoredRow>>(database =>
        {
            var columns = string.Concat(table.Columns.Select(column => ", " + ProjectionSql.Quote(column.Name)));
            using var select = database.PrepareOnce(
                $"SELECT {ProjectionTable.SeqColumn}{columns} FROM {ProjectionSql.Quote(table.Name)} WHERE {ProjectionTable.EntityColumn} = ? AND {ProjectionTable.SeqColumn} > ? ORDER BY {ProjectionTable.SeqColumn} LIMIT ?");
            select.Bind(1, entity).Bind(2, afterSeq).Bind(3, rowsMax);
            var rows = new List<StoredRow>();
            while (select.Step()) rows.Add(new StoredRow(select.Int64(0), [.. table.Columns.Select((_, i) => Read(select, i + 1))]));
            return rows;
        }, cancellation);

    private static SqlValue Read(SqliteStatement row, int column) => row.Type(column) switch
    {
        raw.SQLITE_INTEGER => SqlValue.Of(row.Int64(column)),
        raw.SQLITE_FLOAT => SqlValue.Of(row.Real(column)),
        raw.SQLITE_TEXT => SqlValue.Of(row.Blob(column).ToArray()),
        _ => SqlValue.Null,
    };
}
