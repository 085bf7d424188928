using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Aggregates.Expressions;
using Warp.Http.Events;

namespace Warp.Http.Projections;

/// <summary>A column and the expression that gives its value.</summary>
internal sealed record DefinedColumn(ProjectionColumn Column, Expression Expression);

/// <summary>A compiled definition of a projection. Immutable.</summary>
public sealed class ProjectionDefinition
{
    private ProjectionDefinition(ProjectionParts parts, byte[] source)
    {
        Source = source;
        Kind = parts.Kind;
        KindUtf8 = Encoding.UTF8.GetBytes(parts.Kind ?? "");
        Aggregate = parts.Aggregate;
        From = parts.Source;
        Table = parts.Table;
        Columns = parts.Columns;
        Indexes = parts.Indexes;
        Payload = parts.Payload;
        UsesState = parts.UsesState;
    }

    /// <summary>The body as it was sent, UTF-8 JSON.</summary>
    public ReadOnlyMemory<byte> Source { get; }

    /// <summary>Null: entities of all kinds, but for those of the service itself.</summary>
    public string? Kind { get; }

    /// <summary>Null: the kind's default aggregate, or for events those of any.</summary>
    public string? Aggregate { get; }

    /// <summary>The name that queries use.</summary>
    public string Table { get; }

    internal ReadOnlyMemory<byte> KindUtf8 { get; }

    internal ProjectionSource From { get; }

    internal IReadOnlyList<DefinedColumn> Columns { get; }

    internal IReadOnlyList<IReadOnlyList<string>> Indexes { get; }

    /// <summary>What the columns read of an event's payload.</summary>
    internal PayloadPlan Payload { get; }

    /// <summary>True if rows need the folded state: those of a state always, those of an event if an expression asks for it.</summary>
    internal bool UsesState { get; }

    /// <summary>Reads the body of <c>PUT /v1/projections/{name}</c> and compiles every expression in it.</summary>
    /// <param name="body">UTF-8 JSON; copied.</param>
    /// <param name="errors">Everything that is wrong with it; empty on success.</param>
    /// <returns>Null if there are errors.</returns>
    public static ProjectionDefinition? Parse(ReadOnlySpan<byte> body, Limits limits, out IReadOnlyList<DefinitionError> errors)
    {
        var source = body.ToArray();
        var reader = new ProjectionReader(limits);
        var parts = reader.Read(source);
        errors = reader.Errors;
        return reader.Errors.Count == 0 ? new ProjectionDefinition(parts, source) : null;
    }
}

/// <summary>The members of a definition's body as they are read, with their defaults.</summary>
internal sealed class ProjectionParts
{
    public string? Kind { get; set; }

    public string? Aggregate { get; set; }

    public ProjectionSource Source { get; set; }

    public string Table { get; set; } = "";

    public List<DefinedColumn> Columns { get; } = [];

    public List<IReadOnlyList<string>> Indexes { get; } = [];

    public PayloadPlan Payload { get; } = new();

    public bool UsesState { get; set; }
}
