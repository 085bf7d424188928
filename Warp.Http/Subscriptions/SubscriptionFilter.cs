using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Events;

namespace Warp.Http.Subscriptions;

/// <summary>Which events a subscriber is shown.</summary>
/// <param name="definitions">Says which aggregate events belong to that name none: as it is when the event is sent, as every read does.</param>
/// <param name="types">Any of these types; empty = all.</param>
/// <param name="aggregate">Events of this aggregate; null = all.</param>
/// <param name="kind">Entities of this kind; null = all but those of the service itself.</param>
internal sealed class SubscriptionFilter(AggregateCatalog definitions, IReadOnlyList<byte[]> types, string? aggregate, byte[]? kind)
{
    public bool IsNone => types.Count == 0 && aggregate is null && kind is null;

    public bool TakesKind(ReadOnlySpan<byte> name)
    {
        if (EntityName.IsReserved(name)) return false;
        return kind is null || (name.Length > kind.Length && name[kind.Length] == (byte)'/' && name.StartsWith(kind));
    }

    public bool Takes(in EventFields e, ReadOnlySpan<byte> kindOfEntity)
    {
        if (aggregate is not null && !IsOf(e.Aggregate, kindOfEntity)) return false;
        if (types.Count == 0) return true;
        foreach (var type in types)
            if (e.Type.SequenceEqual(type)) return true;
        return false;
    }

    private bool IsOf(ReadOnlySpan<byte> named, ReadOnlySpan<byte> kindOfEntity) => named.IsEmpty
        ? string.Equals(definitions.Current.ResolveDefault(kindOfEntity).Name, aggregate, StringComparison.Ordinal)
        : Ascii.Equals(named, aggregate); // the grammar of an aggregate's name is ASCII
}
