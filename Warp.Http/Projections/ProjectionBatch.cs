namespace Warp.Http.Projections;

/// <summary>What one step of a projection changes in its table. It is written as a whole, with the checkpoint, or not at all.</summary>
/// <remarks>
/// In this order: rows are removed, failed rows are written, rows are written. A row of a <see cref="ProjectionSource.State"/> table is replaced only by one
/// of a higher seq, so that a row cannot go back whatever is written twice.
/// </remarks>
internal sealed class ProjectionBatch(ProjectionTable table, string expected)
{
    public ProjectionTable Table { get; } = table;

    /// <summary>The checkpoint that it goes on from.</summary>
    public string Expected { get; } = expected;

    /// <summary>The checkpoint after it.</summary>
    public string Next { get; set; } = expected;

    /// <summary>Entities whose rows and failed rows up to a seq go.</summary>
    public List<RowKey> Removed { get; } = [];

    /// <summary>Entities whose failed rows up to a seq go, for they have a row again.</summary>
    public List<RowKey> Healed { get; } = [];

    public List<FailedRow> Failed { get; } = [];

    /// <summary>The rows' keys, in ascending order: neighbours in the table are written together.</summary>
    public List<RowKey> Keys { get; } = [];

    /// <summary>The rows' values, as many for each key as the table has columns.</summary>
    public List<SqlValue> Values { get; } = [];

    public bool ChangesRows => Removed.Count + Healed.Count + Failed.Count + Keys.Count > 0;

    public ReadOnlySpan<SqlValue> ValuesOf(int row) =>
        System.Runtime.InteropServices.CollectionsMarshal.AsSpan(Values).Slice(row * Table.Columns.Count, Table.Columns.Count);
}
