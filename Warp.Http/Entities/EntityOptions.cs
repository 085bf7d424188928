using System.ComponentModel.DataAnnotations;

namespace Warp.Http.Entities;

/// <summary>How much of the entities is kept in memory (<c>Warp:Entities</c>).</summary>
public sealed class EntityOptions
{
    public const string Section = "Warp:Entities";

    /// <summary>Bytes for live actors with their folded states; above it the least recently used are passivated. Unsealed events are not counted.</summary>
    [Range(1L << 20, 1L << 40)]
    public long MemoryBytes { get; init; } = 256L * 1024 * 1024;
}
