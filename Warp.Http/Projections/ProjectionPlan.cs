using System.Buffers.Binary;
using System.Globalization;
using System.IO.Hashing;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Warp.Http.Aggregates;
using Warp.Http.Entities;

namespace Warp.Http.Projections;

/// <summary>All that decides what rows a table gets: a version of the projection, and the aggregate as it was defined then.</summary>
internal sealed class ProjectionPlan
{
    private readonly byte[] _aggregateUtf8;
    private readonly DefaultOwner? _owner; // of the one kind; null over all kinds

    private ProjectionPlan(int version, ProjectionDefinition definition, string? aggregate, AggregateSet definitions, ulong fingerprint)
    {
        Version = version;
        Definition = definition;
        Aggregate = aggregate;
        _aggregateUtf8 = Encoding.UTF8.GetBytes(aggregate ?? "");
        Definitions = definitions;
        AggregateEntry = aggregate is null ? null : definitions.Find(aggregate);
        Fingerprint = fingerprint;
        if (aggregate is null) _owner = DefaultOwner.Other;
        else if (definition.Kind is not null) _owner = definitions.OwnerOfDefault(definition.KindUtf8.Span, aggregate);
    }

    public int Version { get; }

    public ProjectionDefinition Definition { get; }

    /// <summary>Null where rows of events are of any aggregate and need no state.</summary>
    public string? Aggregate { get; }

    /// <summary>Null folds by default merge.</summary>
    public AggregateEntry? AggregateEntry { get; }

    /// <summary>The aggregates that states are folded by.</summary>
    public AggregateSet Definitions { get; }

    /// <summary>Another one makes other rows, so that the table is built anew.</summary>
    public ulong Fingerprint { get; }

    /// <summary>The plan of a version by the aggregates that stand.</summary>
    /// <param name="conflict">Set if there is none: several aggregates claim the kind.</param>
    public static ProjectionPlan? TryMake(ProjectionEntry entry, AggregateSet definitions, out string? conflict)
    {
        conflict = null;
        var definition = entry.Definition;
        var aggregate = definition.Aggregate;
        if (aggregate is null && definition.Kind is not null)
        {
            var resolved = definitions.ResolveDefault(definition.KindUtf8.Span);
            if (resolved.Conflict is { } claims)
            {
                conflict = $"The aggregates {string.Join(" and ", claims)} both claim the kind {definition.Kind}: name one of them in the projection.";
                return null;
            }

            aggregate = resolved.Name;
        }

        return new ProjectionPlan(entry.Version, definition, aggregate, definitions, FingerprintOf(definition, aggregate, definitions));
    }

    /// <summary>The plan that a table was begun by, though definitions may have changed since.</summary>
    /// <returns>Null if the text is not what <see cref="ToSpec"/> wrote.</returns>
    public static ProjectionPlan? TryRestore(string spec, AggregateSet current, out PlanSpec? read)
    {
        read = null;
        try
        {
            read = JsonSerializer.Deserialize(spec, PlanSpecJson.Default.PlanSpec);
        }
        catch (JsonException)
        {
            return null;
        }

        if (read is null || ProjectionDefinition.Parse(Encoding.UTF8.GetBytes(read.Definition), ProjectionCatalog.StoredLimits, out _) is not { } definition) return null;
        var name = read.Aggregate;
        var entries = current.All.Where(entry => !string.Equals(entry.Name, name, StringComparison.Ordinal));
        if (read.AggregateDefinition is { } body)
        {
            if (AggregateDefinition.Parse(Encoding.UTF8.GetBytes(body), ProjectionCatalog.StoredLimits, out _) is not { } aggregate) return null;
            entries = entries.Append(new AggregateEntry(name!, read.AggregateVersion, aggregate, 0, 0));
        }

        if (!ulong.TryParse(read.Fingerprint, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var fingerprint)) return null;
        return new ProjectionPlan(read.Version, definition, read.Aggregate, new AggregateSet(entries), fingerprint);
    }

    /// <param name="began">Every shard's durable watermark when the table was begun.</param>
    public string ToSpec(string began) => JsonSerializer.Serialize(
        new PlanSpec(
            Version, Encoding.UTF8.GetString(Definition.Source.Span), Aggregate, AggregateEntry?.Version ?? 0,
            AggregateEntry is { } entry ? Encoding.UTF8.GetString(entry.Definition.Source.Span) : null, Fingerprint.ToString("x16", CultureInfo.InvariantCulture), began),
        PlanSpecJson.Default.PlanSpec);

    public ProjectionTable TableOf(string name, string projection, string spec) => new()
    {
        Name = name,
        Projection = projection,
        View = Definition.Table,
        Source = Definition.From,
        Columns = [.. Definition.Columns.Select(column => column.Column)],
        Indexes = Definition.Indexes,
        Spec = spec,
    };

    /// <summary>Whose an event is that names no aggregate, as this plan sees it.</summary>
    public DefaultOwner OwnerOfDefault(ReadOnlySpan<byte> kind) => _owner ?? Definitions.OwnerOfDefault(kind, Aggregate!);

    /// <summary>True if the event belongs to the plan's aggregate.</summary>
    public bool IsMine(ReadOnlySpan<byte> aggregate, DefaultOwner owner) => aggregate.IsEmpty ? owner != DefaultOwner.Other : aggregate.SequenceEqual(_aggregateUtf8);

    private static ulong FingerprintOf(ProjectionDefinition definition, string? aggregate, AggregateSet definitions)
    {
        var hash = new XxHash3();
        hash.Append(Encoding.UTF8.GetBytes(aggregate ?? ""));
        Span<byte> number = stackalloc byte[sizeof(ulong)];
        var owner = definition.Kind is null || aggregate is null ? DefaultOwner.Other : definitions.OwnerOfDefault(definition.KindUtf8.Span, aggregate);
        var folding = StateFold.FingerprintOf(aggregate is null ? null : definitions.Find(aggregate)?.Definition, owner);
        BinaryPrimitives.WriteUInt64LittleEndian(number, folding);
        hash.Append(number);
        if (definition.Kind is null && aggregate is not null)
        {
            // Over all kinds, who claims which of them decides whose an event is that names none.
            foreach (var entry in definitions.All)
                if (entry.Definition.DefaultForKind is { } claimed) hash.Append(Encoding.UTF8.GetBytes($"{entry.Name}/{claimed}\n"));
        }

        return hash.GetCurrentHashAsUInt64();
    }
}

/// <summary>What a table keeps of its plan.</summary>
internal sealed record PlanSpec(
    int Version, string Definition, string? Aggregate, int AggregateVersion, string? AggregateDefinition, string Fingerprint, string Began);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(PlanSpec))]
internal sealed partial class PlanSpecJson : JsonSerializerContext;
