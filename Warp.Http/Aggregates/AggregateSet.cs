using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates;

/// <summary>All definitions at one moment. Immutable: who folds several aggregates takes one set and sees them agree.</summary>
public sealed class AggregateSet
{
    /// <summary>Where events without an aggregate belong if no definition claims their kind.</summary>
    public const string DefaultName = "Default";

    private readonly FrozenDictionary<string, AggregateEntry> _byName;
    private readonly FrozenDictionary<byte[], AggregateEntry>.AlternateLookup<ReadOnlySpan<byte>> _byUtf8;
    private readonly FrozenDictionary<byte[], DefaultAggregate>.AlternateLookup<ReadOnlySpan<byte>> _byKind;
    private readonly DefaultAggregate _default;

    internal AggregateSet(IEnumerable<AggregateEntry> entries)
    {
        All = [.. entries.OrderBy(entry => entry.Name, StringComparer.Ordinal)];
        _byName = All.ToFrozenDictionary(entry => entry.Name, StringComparer.Ordinal);
        _byUtf8 = All.ToFrozenDictionary(entry =>
            Encoding.UTF8.GetBytes(entry.Name), Utf8Comparer.Instance).GetAlternateLookup<ReadOnlySpan<byte>>();
        _byKind = All.Where(entry => entry.Definition.DefaultForKind is not null)
            .GroupBy(entry => entry.Definition.DefaultForKind!, StringComparer.Ordinal)
            .ToFrozenDictionary(claims => Encoding.UTF8.GetBytes(claims.Key), Resolve, Utf8Comparer.Instance)
            .GetAlternateLookup<ReadOnlySpan<byte>>();
        _default = new DefaultAggregate(DefaultName, Find(DefaultName), Conflict: null);
    }

    /// <summary>In order of name.</summary>
    public ImmutableArray<AggregateEntry> All { get; }

    /// <summary>Null if the name is not defined: then it folds by default merge.</summary>
    public AggregateEntry? Find(string name) => _byName.GetValueOrDefault(name);

    /// <inheritdoc cref="Find(string)"/>
    public AggregateEntry? Find(ReadOnlySpan<byte> name) => _byUtf8.TryGetValue(name, out var entry) ? entry : null;

    /// <summary>The aggregate of an event that names none: the definition that claims its entity's kind, or <see
    /// cref="DefaultName"/>.</summary>
    public DefaultAggregate ResolveDefault(ReadOnlySpan<byte> kind) => _byKind.TryGetValue(kind, out var claimed) ? claimed : _default;

    /// <summary>Whose the events are that name no aggregate, as one aggregate sees it.</summary>
    public DefaultOwner OwnerOfDefault(ReadOnlySpan<byte> kind, string aggregate)
    {
        var resolved = ResolveDefault(kind);
        if (resolved.Conflict is { } claims) return claims.Contains(aggregate, StringComparer.Ordinal) ? DefaultOwner.Contested : DefaultOwner.Other;
        return string.Equals(resolved.Name, aggregate, StringComparison.Ordinal) ? DefaultOwner.Own : DefaultOwner.Other;
    }

    /// <summary>The definitions that contend with this aggregate for a kind's events that name none; null = nobody does.</summary>
    public IReadOnlyList<string>? ContendersOf(ReadOnlySpan<byte> kind, string aggregate) =>
        OwnerOfDefault(kind, aggregate) == DefaultOwner.Contested ? ResolveDefault(kind).Conflict : null;

    private static DefaultAggregate Resolve(IEnumerable<AggregateEntry> claims)
    {
        var entries = claims.ToArray();
        return entries.Length == 1
            ? new DefaultAggregate(entries[0].Name, entries[0], Conflict: null)
            : new DefaultAggregate(string.Empty, Entry: null, [.. entries.Select(entry => entry.Name)]);
    }
}
