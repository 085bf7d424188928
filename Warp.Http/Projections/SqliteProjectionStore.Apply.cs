using Warp.Http.Storage;

namespace Warp.Http.Projections;

/// <content>Writing a batch: statements are prepared once a table.</content>
internal sealed partial class SqliteProjectionStore
{
    /// <summary>Tables whose statements are kept; more projections than that prepare theirs anew.</summary>
    private const int StatementsMax = 256;

    private readonly Dictionary<string, TableStatements> _statements = new(StringComparer.Ordinal); // under _turn

    public ValueTask<bool> ApplyAsync(ProjectionBatch batch, CancellationToken cancellation) => RunAsync(database =>
    {
        var statements = StatementsOf(database, batch.Table);
        var isApplied = false;
        database.InTransaction(() =>
        {
            if (!statements.Advance(batch.Expected, batch.Next)) return;
            statements.Write(batch);
            isApplied = true;
        });
        return isApplied;
    }, cancellation);

    private TableStatements StatementsOf(SqliteDatabase database, ProjectionTable table)
    {
        if (_statements.TryGetValue(table.Name, out var known)) return known;
        if (_statements.Count == StatementsMax) foreach (var name in _statements.Keys.ToList()) ForgetStatements(name);
        return _statements[table.Name] = new TableStatements(database, table);
    }

    private void ForgetStatements(string table)
    {
        if (_statements.Remove(table, out var statements)) statements.Dispose();
    }

    private sealed class TableStatements : IDisposable
    {
        private readonly SqliteDatabase _database;
        private readonly ProjectionTable _table;
        private readonly SqliteStatement _advance;
        private readonly SqliteStatement _upsert;
        private readonly SqliteStatement _remove;
        private readonly SqliteStatement _heal;
        private readonly SqliteStatement _fail;

        public TableStatements(SqliteDatabase database, ProjectionTable table)
        {
            (_database, _table) = (database, table);
            var name = ProjectionSql.Quote(table.Name);
            _advance = database.PrepareOnce($"UPDATE {ProjectionSql.CheckpointTable} SET pos = ? WHERE name = ? AND pos = ?");
            _upsert = database.PrepareOnce(ProjectionSql.Upsert(table, $"VALUES({string.Join(", ", Enumerable.Repeat("?", table.Columns.Count + 2))})"));
            _remove = database.PrepareOnce($"DELETE FROM {name} WHERE {ProjectionTable.EntityColumn} = ? AND {ProjectionTable.SeqColumn} <= ?");
            _heal = database.PrepareOnce($"DELETE FROM {ProjectionSql.FailedTable} WHERE name = ? AND entity = ? AND seq <= ?").Bind(1, table.Name);
            _fail = database.PrepareOnce(
                $"INSERT INTO {ProjectionSql.FailedTable}(name, entity, seq, entity_name, error) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET error = excluded.error")
                .Bind(1, table.Name);
        }

        /// <summary>False if the checkpoint is another.</summary>
        public bool Advance(string expected, string next)
        {
            _advance.Bind(1, next).Bind(2, _table.Name).Bind(3, expected).Run();
            return _database.Changes == 1;
        }

        public void Write(ProjectionBatch batch)
        {
            foreach (var row in batch.Removed)
            {
                _remove.Bind(1, row.Entity).Bind(2, row.Seq).Run();
                _heal.Bind(2, row.Entity).Bind(3, row.Seq).Run();
            }

            foreach (var row in batch.Healed) _heal.Bind(2, row.Entity).Bind(3, row.Seq).Run();
            foreach (var failed in batch.Failed)
                _fail.Bind(2, failed.Entity).Bind(3, failed.Seq).Bind(4, failed.Name).Bind(5, ProjectionSql.Shortened(failed.Error)).Run();
            for (var i = 0; i < batch.Keys.Count; i++)
            {
                _upsert.Bind(1, batch.Keys[i].Entity).Bind(2, batch.Keys[i].Seq);
                var parameter = 3;
                foreach (var value in batch.ValuesOf(i)) Bind(_upsert, parameter++, value);
                _upsert.Run();
            }
        }

        public void Dispose()
        {
            foreach (var statement in (SqliteStatement[])[_advance, _upsert, _remove, _heal, _fail]) statement.Dispose();
        }

        private static void Bind(SqliteStatement statement, int parameter, in SqlValue value)
        {
            switch (value.Kind)
            {
                case SqlKind.Integer:
                    statement.Bind(parameter, value.Integer);
                    break;
                case SqlKind.Real:
                    statement.Bind(parameter, value.Real);
                    break;
                case SqlKind.Text:
                    statement.BindText(parameter, value.Text);
                    break;
                default:
                    statement.BindNull(parameter);
                    break;
            }
        }
    }
}
