using Warp.Http.Events;

namespace Warp.Http.Projections;

/// <content>Writing a batch: the guard first, then rows in bulk.</content>
internal sealed partial class RqliteProjectionStore
{
    /// <summary>Bytes of rows in one statement; what a parameter holds is copied several times on its way through the cluster's log.</summary>
    private const int BytesPerStatement = 256 * 1024;

    public async ValueTask<bool> ApplyAsync(ProjectionBatch batch, CancellationToken cancellation)
    {
        var table = batch.Table;
        var name = SqlValue.Of(table.Name);
        using var body = new RqliteBody();

        // Where the checkpoint is another one, pos would become NULL, which it must not be: the whole transaction fails.
        body.Add(
            $"UPDATE {ProjectionSql.CheckpointTable} SET pos = CASE WHEN pos = ? THEN ? END WHERE name = ?", SqlValue.Of(batch.Expected), SqlValue.Of(batch.Next), name);
        AddKeys(body, batch.Removed, Remove(table));
        AddKeys(body, batch.Removed, Heal(table));
        AddKeys(body, batch.Healed, Heal(table));
        AddFailed(body, batch);
        AddRows(body, batch);
        var reply = await ExecuteAsync(body, cancellation);
        if (reply.Status == RqliteStatus.Done) return reply.Results[0].RowsAffected == 1;

        // Refused by the guard: it was applied by an attempt that got no answer, or somebody else moved the checkpoint. Refused by what follows: an error.
        if (reply.Status == RqliteStatus.Refused)
        {
            var position = await ReadPositionAsync(table.Name, cancellation);
            if (!string.Equals(position, batch.Expected, StringComparison.Ordinal)) return reply.WasUnknown && string.Equals(position, batch.Next, StringComparison.Ordinal);
        }

        throw new ProjectionStoreException(reply.Error!);
    }

    /// <summary>
    /// Rows are found by the keys that go, and not each row held against all of them: that is a minute for some thousands of either, and the cluster does
    /// nothing else meanwhile.
    /// </summary>
    private static string Remove(ProjectionTable table)
    {
        const string entity = ProjectionTable.EntityColumn, seq = ProjectionTable.SeqColumn;
        var (key, found) = table.Source == ProjectionSource.State ? (entity, $"r.{entity}") : ($"({entity}, {seq})", $"r.{entity}, r.{seq}");
        var quoted = ProjectionSql.Quote(table.Name);
        return $"DELETE FROM {quoted} WHERE {key} IN (SELECT {found} FROM json_each(?) AS k CROSS JOIN {quoted} AS r WHERE r.{entity} = k.value->>0 AND r.{seq} <= k.value->>1)";
    }

    /// <inheritdoc cref="Remove"/>
    /// <remarks>Table names hold letters, digits and underscores, so one can stand in a text of SQL.</remarks>
    private static string Heal(ProjectionTable table) =>
        $"DELETE FROM {ProjectionSql.FailedTable} WHERE (name, entity, seq) IN (SELECT r.name, r.entity, r.seq FROM json_each(?) AS k CROSS JOIN {ProjectionSql.FailedTable} AS r WHERE r.name = '{table.Name}' AND r.entity = k.value->>0 AND r.seq <= k.value->>1)";

    private static void AddKeys(RqliteBody body, List<RowKey> keys, string sql)
    {
        if (keys.Count == 0) return;
        using var rows = JsonBuffer.Rent();
        foreach (var key in keys) WriteRow(rows, SqlValue.Of(key.Entity), SqlValue.Of(key.Seq));
        rows.Raw((byte)']');
        body.AddRows(sql, rows);
    }

    private static void AddFailed(RqliteBody body, ProjectionBatch batch)
    {
        if (batch.Failed.Count == 0) return;
        using var rows = JsonBuffer.Rent();
        foreach (var failed in batch.Failed)
            WriteRow(rows, SqlValue.Of(batch.Table.Name), SqlValue.Of(failed.Entity), SqlValue.Of(failed.Seq), SqlValue.Of(failed.Name), SqlValue.Of(ProjectionSql.Shortened(failed.Error)));
        rows.Raw((byte)']');
        body.AddRows(
            $"INSERT INTO {ProjectionSql.FailedTable}(name, entity, seq, entity_name, error) SELECT value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?) WHERE true ON CONFLICT DO UPDATE SET error = excluded.error",
            rows);
    }

    private static void AddRows(RqliteBody body, ProjectionBatch batch)
    {
        if (batch.Keys.Count == 0) return;
        var columns = string.Join(", ", Enumerable.Range(0, batch.Table.Columns.Count + 2).Select(i => $"value->>{i}"));
        var upsert = ProjectionSql.Upsert(batch.Table, $"SELECT {columns} FROM json_each(?) WHERE true");
        using var rows = JsonBuffer.Rent();
        for (var i = 0; i < batch.Keys.Count; i++)
        {
            WriteRow(rows, [SqlValue.Of(batch.Keys[i].Entity), SqlValue.Of(batch.Keys[i].Seq), .. batch.ValuesOf(i)]);
            if (rows.Length < BytesPerStatement && i < batch.Keys.Count - 1) continue;
            rows.Raw((byte)']');
            body.AddRows(upsert, rows);
            rows.Clear();
        }
    }

    private static void WriteRow(JsonBuffer rows, params ReadOnlySpan<SqlValue> values)
    {
        rows.Raw(rows.Length == 0 ? "[["u8 : ",["u8);
        for (var i = 0; i < values.Length; i++)
        {
            if (i > 0) rows.Raw((byte)',');
            values[i].WriteTo(rows);
        }

        rows.Raw((byte)']');
    }
}
