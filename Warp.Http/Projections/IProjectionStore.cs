namespace Warp.Http.Projections;

/// <summary>Where the tables of projections stand: rows, and beside them how far each table is.</summary>
/// <remarks>
/// Any thread; a store serves one call after another where it must. Each call either happens as a whole or not at all. One that fails with
/// <see cref="ProjectionStoreException"/> may have happened all the same: whoever writes asks for the position again before it goes on.
/// </remarks>
internal interface IProjectionStore : IAsyncDisposable
{
    /// <summary>The tables that stand, those that are still being built included.</summary>
    ValueTask<IReadOnlyList<StoredTable>> ReadTablesAsync(CancellationToken cancellation);

    /// <summary>Who has a name that queries may use.</summary>
    ValueTask<NameOwner> FindNameAsync(string view, CancellationToken cancellation);

    /// <summary>Makes an empty table that nobody sees yet; nothing happens if it stands already.</summary>
    /// <param name="position">Its checkpoint, an opaque text.</param>
    ValueTask CreateAsync(ProjectionTable table, string position, CancellationToken cancellation);

    /// <summary>
    /// Moves the checkpoint from <see cref="ProjectionBatch.Expected"/> to <see cref="ProjectionBatch.Next"/> and writes everything of the batch, in one
    /// transaction.
    /// </summary>
    /// <returns>False if the checkpoint is not the expected one: then nothing was written.</returns>
    ValueTask<bool> ApplyAsync(ProjectionBatch batch, CancellationToken cancellation);

    /// <summary>A table's checkpoint, from the newest that is committed; null if there is no such table.</summary>
    ValueTask<string?> ReadPositionAsync(string table, CancellationToken cancellation);

    /// <summary>Makes the table's indexes; those that stand already are left alone.</summary>
    ValueTask CreateIndexesAsync(ProjectionTable table, CancellationToken cancellation);

    /// <summary>
    /// Shows the table under its <see cref="ProjectionTable.View"/> and drops the tables that it takes the place of, all in one transaction. Nothing
    /// happens if it is shown already.
    /// </summary>
    /// <param name="replaced">Tables of the same projection.</param>
    /// <exception cref="ProjectionStoreException">The view's name is somebody else's.</exception>
    ValueTask PublishAsync(ProjectionTable table, IReadOnlyList<StoredTable> replaced, CancellationToken cancellation);

    /// <summary>Drops a table with its view and its failed rows; nothing happens if it is gone already.</summary>
    ValueTask DropAsync(StoredTable table, CancellationToken cancellation);

    /// <summary>The table's failed rows: how many there are, and the first of them in order of entity and seq.</summary>
    ValueTask<FailedRows> ReadFailedAsync(string table, int rowsMax, CancellationToken cancellation);

    /// <summary>An entity's rows with a seq above <paramref name="afterSeq"/>, in order of seq; none only if there are none.</summary>
    ValueTask<IReadOnlyList<StoredRow>> ReadRowsAsync(ProjectionTable table, long entity, long afterSeq, int rowsMax, CancellationToken cancellation);

    /// <summary>Removes what deleted rows left behind in the store's files, as far as the store can.</summary>
    /// <returns>False if readers keep it from that now: it is to be asked for again.</returns>
    ValueTask<bool> PurgeAsync(CancellationToken cancellation);
}

/// <summary>Whose a name is.</summary>
/// <param name="IsTaken">True if a table or view has it.</param>
/// <param name="Projection">The projection that shows a table under it; null if no projection made what has the name.</param>
internal readonly record struct NameOwner(bool IsTaken, string? Projection);

/// <summary>A row as it is read back.</summary>
/// <param name="Values">One for each column.</param>
internal sealed record StoredRow(long Seq, IReadOnlyList<SqlValue> Values);

/// <summary>A row that could not be made, in the place of the row.</summary>
/// <param name="Entity">The row's key (<see cref="RowKey"/>).</param>
/// <param name="Seq">The event after which it could not be made.</param>
/// <param name="Name">The entity's name.</param>
/// <param name="Error">Why.</param>
internal readonly record struct FailedRow(long Entity, long Seq, string Name, string Error);

internal sealed record FailedRows(long Count, IReadOnlyList<FailedRow> First);
