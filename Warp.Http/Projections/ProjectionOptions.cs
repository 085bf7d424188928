using System.ComponentModel.DataAnnotations;

namespace Warp.Http.Projections;

/// <summary>How projections are built (<c>Warp:Projections</c>).</summary>
public sealed class ProjectionOptions
{
    public const string Section = "Warp:Projections";

    /// <summary>Bytes of folded states that one projection keeps to fold on; what is let go is folded anew when its entity's next event comes.</summary>
    [Range(1L << 20, 1L << 36)]
    public long MemoryBytes { get; init; } = 32L * 1024 * 1024;

    /// <summary>Events in one transaction: few commits where there is much to catch up, some 0.2 s each.</summary>
    [Range(1, 1_000_000)]
    public int BatchEvents { get; set; } = 65_536;

    /// <summary>Bytes of events in one page of the feed, of which one is in memory at a time.</summary>
    internal int PageBytes { get; init; } = 4 * 1024 * 1024;

    /// <summary>Comma-separated URLs of the nodes of an rqlite cluster, which then holds the tables; null = the embedded SQLite file does.</summary>
    public string? Rqlite { get; init; }

    /// <summary>For rqlite, if it wants credentials and the URLs have none.</summary>
    public string? RqliteUser { get; init; }

    /// <inheritdoc cref="RqliteUser"/>
    public string? RqlitePassword { get; init; }

    /// <summary>What rqlite may answer a query from that says nothing of it.</summary>
    [EnumDataType(typeof(ReadLevel))]
    public ReadLevel RqliteLevel { get; init; } = ReadLevel.Weak;

    /// <summary>Events in one page of the feed.</summary>
    internal int PageEvents { get; init; } = 16_384;
}
