using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Subscriptions;

/// <summary>Names by number, for a tail that shows all entities: a record names its entity only where that is new.</summary>
/// <remarks>One thread at a time. What it does not know it reads from memtables and runs, some 10 µs each.</remarks>
internal sealed class EntityNames(Shard shard)
{
    /// <summary>About 10 MB with usual names; beyond it all are forgotten, and what is busy is soon known again.</summary>
    private const int NamesMax = 65_536;

    private readonly Dictionary<long, EntityName> _names = [];

    public void Add(long entity, ReadOnlySpan<byte> name)
    {
        if (_names.Count >= NamesMax) _names.Clear();
        _names[entity] = new EntityName(name);
    }

    /// <summary>Null if the entity was erased.</summary>
    /// <exception cref="DamagedDataException">It was not, and its name is nowhere.</exception>
    public EntityName? Find(long entity)
    {
        if (_names.TryGetValue(entity, out var known)) return known;
        using var lease = shard.Views.Lease();
        if (lease.View.FindNameOf(entity) is { } found)
        {
            if (_names.Count >= NamesMax) _names.Clear();
            return _names[entity] = found;
        }

        if (shard.Tombstones.IsFenced(entity)) return null;
        throw new DamagedDataException("An event belongs to an entity whose name is nowhere.");
    }

    public void Forget(long entity) => _names.Remove(entity);

    public void Clear() => _names.Clear();
}
