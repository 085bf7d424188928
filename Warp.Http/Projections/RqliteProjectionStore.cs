using System.Text.Json;
using Warp.Http.Events;

namespace Warp.Http.Projections;

/// <summary>Tables in an rqlite cluster.</summary>
/// <remarks>
/// Any thread. Every change is one request and one transaction, and may be sent twice: batches by the guard, the rest because it says the same again. What
/// reads before it writes reads through the log (<c>level=strong</c>), so that it sees whatever may have happened. Split by role: this file is the tables,
/// .Apply writes rows, .Read reads them.
/// </remarks>
internal sealed partial class RqliteProjectionStore(RqliteClient client, ReadLevel queryLevel = ReadLevel.Weak) : IProjectionStore
{
    private volatile bool _hasSchema;

    public async ValueTask<IReadOnlyList<StoredTable>> ReadTablesAsync(CancellationToken cancellation)
    {
        await MakeSchemaAsync(cancellation);
        var found = await SelectAsync(
            ReadLevel.Strong, $"SELECT name, projection, view, published, pos, spec FROM {ProjectionSql.CheckpointTable} ORDER BY name", [], cancellation);
        return [.. found.Rows.Select(row => new StoredTable(Text(row[0]), Text(row[1]), Text(row[2]), row[3].GetInt64() != 0, Text(row[4]), Text(row[5])))];
    }

    public async ValueTask<NameOwner> FindNameAsync(string view, CancellationToken cancellation)
    {
        await MakeSchemaAsync(cancellation);
        var name = SqlValue.Of(view);
        if ((await SelectAsync(ReadLevel.Strong, "SELECT 1 FROM sqlite_master WHERE name = ? COLLATE NOCASE", [name], cancellation)).Rows.Count == 0) return default;
        var owner = await SelectAsync(
            ReadLevel.Strong, $"SELECT projection FROM {ProjectionSql.CheckpointTable} WHERE view = ? COLLATE NOCASE AND published = 1", [name], cancellation);
        return new NameOwner(true, owner.Rows.Count == 0 ? null : Text(owner.Rows[0][0]));
    }

    public async ValueTask CreateAsync(ProjectionTable table, string position, CancellationToken cancellation)
    {
        await MakeSchemaAsync(cancellation);
        using var body = new RqliteBody();
        body.Add(ProjectionSql.CreateTable(table)).Add(
            $"INSERT OR IGNORE INTO {ProjectionSql.CheckpointTable}(name, projection, view, published, pos, spec) VALUES(?, ?, ?, 0, ?, ?)",
            SqlValue.Of(table.Name), SqlValue.Of(table.Projection), SqlValue.Of(table.View), SqlValue.Of(position), SqlValue.Of(table.Spec));
        Done(await ExecuteAsync(body, cancellation));
    }

    public async ValueTask CreateIndexesAsync(ProjectionTable table, CancellationToken cancellation)
    {
        if (table.Indexes.Count == 0) return;
        using var body = new RqliteBody();
        foreach (var sql in ProjectionSql.CreateIndexes(table)) body.Add(sql);
        Done(await ExecuteAsync(body, cancellation));
    }

    public async ValueTask PublishAsync(ProjectionTable table, IReadOnlyList<StoredTable> replaced, CancellationToken cancellation)
    {
        if (await IsPublishedAsync(table.Name, cancellation)) return;
        using var body = new RqliteBody();
        foreach (var old in replaced) AddDrop(body, old, await IsPublishedAsync(old.Name, cancellation));
        body.Add(ProjectionSql.CreateView(table)).Add($"UPDATE {ProjectionSql.CheckpointTable} SET published = 1 WHERE name = ?", SqlValue.Of(table.Name));
        var reply = await ExecuteAsync(body, cancellation);

        // Sent a second time it is refused, since the view stands.
        if (reply.Status == RqliteStatus.Refused && reply.WasUnknown && await IsPublishedAsync(table.Name, cancellation)) return;
        Done(reply);
    }

    public async ValueTask DropAsync(StoredTable table, CancellationToken cancellation)
    {
        using var body = new RqliteBody();
        AddDrop(body, table, await IsPublishedAsync(table.Name, cancellation));
        Done(await ExecuteAsync(body, cancellation));
    }

    /// <remarks>What an rqlite node leaves in its files and in the log of its cluster is the business of who runs it: docs/queries.md.</remarks>
    public ValueTask<bool> PurgeAsync(CancellationToken cancellation) => ValueTask.FromResult(true);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    private static void AddDrop(RqliteBody body, StoredTable table, bool isPublished)
    {
        // A name that was never published may be somebody else's.
        if (isPublished) body.Add(ProjectionSql.DropView(table.View));
        body.Add(ProjectionSql.DropTable(table.Name));
        foreach (var of in (string[])[ProjectionSql.CheckpointTable, ProjectionSql.FailedTable]) body.Add($"DELETE FROM {of} WHERE name = ?", SqlValue.Of(table.Name));
    }

    private async ValueTask<bool> IsPublishedAsync(string table, CancellationToken cancellation)
    {
        var found = await SelectAsync(ReadLevel.Strong, $"SELECT published FROM {ProjectionSql.CheckpointTable} WHERE name = ?", [SqlValue.Of(table)], cancellation);
        return found.Rows.Count > 0 && found.Rows[0][0].GetInt64() != 0;
    }

    private async ValueTask MakeSchemaAsync(CancellationToken cancellation)
    {
        if (_hasSchema) return;
        using var body = new RqliteBody();
        foreach (var sql in ProjectionSql.Schema) body.Add(sql);
        Done(await ExecuteAsync(body, cancellation));
        _hasSchema = true;
    }

    private Task<RqliteReply> ExecuteAsync(RqliteBody body, CancellationToken cancellation) => client.ExecuteAsync(body.Finish(), body.Statements, cancellation);

    private async ValueTask<RqliteResult> SelectAsync(ReadLevel level, string sql, SqlValue[] parameters, CancellationToken cancellation)
    {
        using var body = new RqliteBody();
        body.Add(sql, parameters);
        return Done(await client.QueryAsync(body.Finish(), body.Statements, level, cancellation))[0];
    }

    private static IReadOnlyList<RqliteResult> Done(RqliteReply reply)
    {
        var results = DoneInPart(reply);
        return !reply.IsCut ? results : throw new ProjectionStoreException($"rqlite's answer has more than {reply.BytesMax} bytes.");
    }

    /// <summary>For whoever can do with the first rows of the last statement.</summary>
    private static IReadOnlyList<RqliteResult> DoneInPart(RqliteReply reply) => reply.Status == RqliteStatus.Done ? reply.Results : throw new ProjectionStoreException(reply.Error!);

    private static string Text(JsonElement value) => value.GetString()!;
}
