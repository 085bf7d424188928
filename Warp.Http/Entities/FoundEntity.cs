using Warp.Http.Events;

namespace Warp.Http.Entities;

public enum EntityPresence
{
    Unknown,
    Alive,
    Erased,
}

/// <summary>What a name stands for.</summary>
/// <param name="Actor">Set when alive.</param>
/// <param name="ErasedAtMs">When erased: Unix milliseconds.</param>
/// <param name="ReceiptId">When erased: the receipt of the last erasure.</param>
public readonly record struct FoundEntity(EntityPresence Presence, EntityActor? Actor = null, long ErasedAtMs = 0, string? ReceiptId = null);

public readonly record struct ListedEntity(EntityName Name, Life Life);
