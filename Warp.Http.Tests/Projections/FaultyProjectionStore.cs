using Warp.Http.Projections;

namespace Warp.Http.Tests.Projections;

public enum StoreFault
{
    None,

    /// <summary>The call fails and nothing happens.</summary>
    Before,

    /// <summary>The call happens and fails all the same: its outcome is not known.</summary>
    After,
}

/// <summary>A store whose calls fail as a test wants.</summary>
/// <param name="fault">Asked at each call, by the name of the method.</param>
internal sealed class FaultyProjectionStore(IProjectionStore inner, Func<string, StoreFault> fault) : IProjectionStore
{
    public ValueTask<IReadOnlyList<StoredTable>> ReadTablesAsync(CancellationToken cancellation) => RunAsync(nameof(ReadTablesAsync), () => inner.ReadTablesAsync(cancellation));

    public ValueTask<NameOwner> FindNameAsync(string view, CancellationToken cancellation) => RunAsync(nameof(FindNameAsync), () => inner.FindNameAsync(view, cancellation));

    public async ValueTask CreateAsync(ProjectionTable table, string position, CancellationToken cancellation) =>
        await RunAsync(nameof(CreateAsync), () => Done(inner.CreateAsync(table, position, cancellation)));

    public ValueTask<bool> ApplyAsync(ProjectionBatch batch, CancellationToken cancellation) => RunAsync(nameof(ApplyAsync), () => inner.ApplyAsync(batch, cancellation));

    public ValueTask<string?> ReadPositionAsync(string table, CancellationToken cancellation) => RunAsync(nameof(ReadPositionAsync), () => inner.ReadPositionAsync(table, cancellation));

    public async ValueTask CreateIndexesAsync(ProjectionTable table, CancellationToken cancellation) =>
        await RunAsync(nameof(CreateIndexesAsync), () => Done(inner.CreateIndexesAsync(table, cancellation)));

    public async ValueTask PublishAsync(ProjectionTable table, IReadOnlyList<StoredTable> replaced, CancellationToken cancellation) =>
        await RunAsync(nameof(PublishAsync), () => Done(inner.PublishAsync(table, replaced, cancellation)));

    public async ValueTask DropAsync(StoredTable table, CancellationToken cancellation) => await RunAsync(nameof(DropAsync), () => Done(inner.DropAsync(table, cancellation)));

    public ValueTask<FailedRows> ReadFailedAsync(string table, int rowsMax, CancellationToken cancellation) =>
        RunAsync(nameof(ReadFailedAsync), () => inner.ReadFailedAsync(table, rowsMax, cancellation));

    public ValueTask<IReadOnlyList<StoredRow>> ReadRowsAsync(ProjectionTable table, long entity, long afterSeq, int rowsMax, CancellationToken cancellation) =>
        RunAsync(nameof(ReadRowsAsync), () => inner.ReadRowsAsync(table, entity, afterSeq, rowsMax, cancellation));

    public ValueTask<bool> PurgeAsync(CancellationToken cancellation) => RunAsync(nameof(PurgeAsync), () => inner.PurgeAsync(cancellation));

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private static async ValueTask<bool> Done(ValueTask done)
    {
        await done;
        return true;
    }

    private async ValueTask<T> RunAsync<T>(string method, Func<ValueTask<T>> call)
    {
        var chosen = fault(method);
        if (chosen == StoreFault.Before) throw new ProjectionStoreException($"{method} failed before it happened.");
        var result = await call();
        return chosen == StoreFault.After ? throw new ProjectionStoreException($"{method} failed after it had happened.") : result;
    }
}
