using System.Globalization;

namespace Warp.Http.Projections;

/// <summary>What makes a row: the state of an entity, or an event.</summary>
internal enum ProjectionSource : byte
{
    /// <summary>One row an entity.</summary>
    State,

    /// <summary>One row an event.</summary>
    Event,
}

/// <param name="Type"><c>TEXT</c>, <c>INTEGER</c>, <c>REAL</c>, or empty: the column takes values as they are.</param>
internal sealed record ProjectionColumn(string Name, string Type);

/// <summary>One table of a projection: a definition has a new one each time that it is built anew.</summary>
internal sealed record ProjectionTable
{
    /// <summary>Every name that begins with it belongs to the service.</summary>
    public const string ReservedPrefix = "warp_";

    /// <summary>The row's entity (<see cref="RowKey"/>) and the seq that it is of: what a row is replaced and erased by. No view shows them.</summary>
    public const string EntityColumn = "warp_entity";

    /// <inheritdoc cref="EntityColumn"/>
    public const string SeqColumn = "warp_seq";

    /// <summary>Its own name, which no other table ever had: <c>warp_accounts_1790000000000</c>.</summary>
    public required string Name { get; init; }

    /// <summary>The projection's name.</summary>
    public required string Projection { get; init; }

    /// <summary>The name that queries use, once it is published.</summary>
    public required string View { get; init; }

    public required ProjectionSource Source { get; init; }

    public required IReadOnlyList<ProjectionColumn> Columns { get; init; }

    /// <summary>Lists of names of columns.</summary>
    public required IReadOnlyList<IReadOnlyList<string>> Indexes { get; init; }

    /// <summary>All that the rows are made by, for the projector; the store keeps it and does not look inside.</summary>
    public required string Spec { get; init; }

    public static string NameOf(string view, long generation) => string.Create(CultureInfo.InvariantCulture, $"{ReservedPrefix}{view}_{generation}");

    /// <summary>The generation in a name that <see cref="NameOf"/> made; 0 for others.</summary>
    public static long GenerationOf(string name) => long.TryParse(name.AsSpan(name.LastIndexOf('_') + 1), CultureInfo.InvariantCulture, out var generation) ? generation : 0;
}

/// <summary>A table as the store knows it.</summary>
/// <param name="Position">Its checkpoint.</param>
/// <param name="IsPublished">True if its view shows it.</param>
internal sealed record StoredTable(string Name, string Projection, string View, bool IsPublished, string Position, string Spec);
