using Warp.Http.Events;

namespace Warp.Http.Entities;

public enum EntityPresence { Unknown, Alive, Erased }

/// <summary>What a name stands for. Actor is set when Alive; ErasedAtMs and ReceiptId when Erased.</summary>
public readonly record struct FoundEntity(EntityPresence Presence, EntityActor? Actor = null, long ErasedAtMs = 0, string? ReceiptId = null);

public readonly record struct ListedEntity(EntityName Name, Life Life);

/// <summary>SKETCH of the face; the body lands from another branch.</summary>
public sealed class EntityRegistry
{
    /// <summary>
    /// Posts the command; the outcome comes when it is durable. A refusal before queueing (MailboxFull, Overloaded, StorageFull, Unavailable)
    /// comes as an already completed task. The continuation runs on a pool item that completes others after it: don't block in it.
    /// </summary>
    public ValueTask<AppendOutcome> AppendAsync(AppendCommand command) => throw new NotSupportedException();

    /// <summary>True with the live actor if the entity is in memory: the hot path of reads, allocates nothing.</summary>
    public bool TryGetLive(ReadOnlySpan<byte> name, out EntityActor? actor) => throw new NotSupportedException();

    /// <summary>Finds the entity in memory or on disk (there it activates it, on the reader pool).</summary>
    /// <exception cref="Storage.ShardUnavailableException">The shard is out of service.</exception>
    public ValueTask<FoundEntity> FindAsync(ReadOnlyMemory<byte> name, CancellationToken cancellation) => throw new NotSupportedException();

    /// <summary>Entities in order of creation within a shard, after the given life (default = from the start), kind empty = all kinds. Reserved kinds are left out.</summary>
    public ValueTask<IReadOnlyList<ListedEntity>> ListAsync(ReadOnlyMemory<byte> kind, Life after, int limit, CancellationToken cancellation) => throw new NotSupportedException();
}
