using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Projections;

/// <content>Rows that were not made, an entity's rows, who needs an aggregate, and how far erasures are.</content>
internal sealed partial class Projector
{
    /// <summary>Failed rows that are listed; all are counted.</summary>
    public const int FailedListed = 100;

    /// <summary>Rows of an entity that are read at once.</summary>
    private const int RowsPerRead = 1000;

    private static readonly FailedRows NoneFailed = new(0, []);

    /// <exception cref="ProjectionStoreException">The store can't be read.</exception>
    public ValueTask<FailedRows> ReadFailedAsync(ProjectionLoop loop, CancellationToken cancellation) =>
        loop.Table is { } table ? _context.Tables.ReadFailedAsync(table.Name, FailedListed, cancellation) : ValueTask.FromResult(NoneFailed);

    /// <summary>The rows that tables hold of a life, projection by projection.</summary>
    /// <exception cref="ProjectionStoreException">The store can't be read.</exception>
    public async IAsyncEnumerable<(ProjectionTable Table, StoredRow Row)> ReadRowsAsync(
        Life life, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellation)
    {
        foreach (var table in Loops.Select(loop => loop.Table).OfType<ProjectionTable>())
        {
            IReadOnlyList<StoredRow> rows;
            long after = 0;
            do
            {
                rows = await _context.Tables.ReadRowsAsync(table, RowKey.Of(life), after, RowsPerRead, cancellation);
                foreach (var row in rows)
                {
                    yield return (table, row);
                    after = row.Seq;
                }
            }
            while (rows.Count > 0); // few may be as many as an answer holds
        }
    }

    /// <inheritdoc/>
    public IReadOnlyCollection<string> UsersOf(string aggregate) =>
        [.. _catalog.All.Where(entry => Uses(entry.Definition, aggregate)).Select(entry => $"projection {entry.Name}")];

    private bool Uses(ProjectionDefinition definition, string aggregate)
    {
        var name = definition.Aggregate;
        if (name is null && definition is { UsesState: true, Kind: not null }) name = _context.Aggregates.Current.ResolveDefault(definition.KindUtf8.Span).Name;
        return string.Equals(name, aggregate, StringComparison.Ordinal);
    }

    string IErasedStore.Name => DirectoryName;

    /// <summary>A row comes from an event.</summary>
    ValueTask<bool> IErasedStore.MayNameAsync(ReadOnlyMemory<byte> entity, CancellationToken cancellation) => ValueTask.FromResult(false);

    /// <inheritdoc/>
    public async Task EraseAsync(int shard, Tombstone tombstone, CancellationToken cancellation)
    {
        foreach (var loop in _loops.Values) await loop.WhenErasedAsync(shard, tombstone.Position, tombstone.Entity, cancellation);
    }

    /// <inheritdoc/>
    public ValueTask<string> DescribeAsync(int shard, Tombstone tombstone, CancellationToken cancellation)
    {
        var loops = _loops;
        if (loops.Count == 0) return ValueTask.FromResult("none");
        return ValueTask.FromResult(loops.Values.All(loop => loop.HasErased(shard, tombstone.Position, tombstone.Entity)) ? "erased" : "erasing");
    }
}
