using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>A store beside the log that may hold something of an erased life. An erasure is complete when each says that nothing is left.</summary>
public interface IErasedStore
{
    /// <summary>What the receipt calls it, as in <c>projections</c>.</summary>
    string Name { get; }

    /// <summary>True if it may hold something of an entity that has no event.</summary>
    ValueTask<bool> MayNameAsync(ReadOnlyMemory<byte> entity, CancellationToken cancellation);

    /// <summary>Removes what there is of a life whose fence is durable, or follows its removal to the end. It may be cancelled: what is left is done in the background.</summary>
    Task EraseAsync(int shard, Tombstone tombstone, CancellationToken cancellation);

    /// <summary>How far it is: <c>none</c> where the store holds nothing of entities, <c>erasing</c>, or <c>erased</c>.</summary>
    ValueTask<string> DescribeAsync(int shard, Tombstone tombstone, CancellationToken cancellation);
}
