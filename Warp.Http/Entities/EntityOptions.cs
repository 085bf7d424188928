using System.ComponentModel.DataAnnotations;

namespace Warp.Http.Entities;

/// <summary>How much of the entities is kept in memory (<c>Warp:Entities</c>).</summary>
public sealed class EntityOptions
{
    public const string Section = "Warp:Entities";

    /// <summary>Bytes for live actors with their folded states; above it the least recently used are passivated. Unsealed events are not counted.</summary>
    [Range(1L << 20, 1L << 40)]
    public long MemoryBytes { get; init; } = 256L * 1024 * 1024;

    /// <summary>
    /// Events between two stored states of an aggregate. Folding as many takes about 3 ms, a tenth of which a stored state costs; so the first read of
    /// an entity folds no more than twice as many, however long its history is.
    /// </summary>
    internal int StoreStateEvents { get; init; } = 8192;
}
