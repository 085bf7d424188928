using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

public enum EntityPresence
{
    Unknown,
    Alive,
    Erased,
}

/// <summary>What a name stands for.</summary>
/// <param name="Actor">Set when alive.</param>
/// <param name="Erasure">Set when erased: the last erasure.</param>
public readonly record struct FoundEntity(EntityPresence Presence, EntityActor? Actor = null, Tombstone? Erasure = null);

public readonly record struct ListedEntity(EntityName Name, Life Life);
