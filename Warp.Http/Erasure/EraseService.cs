using Warp.Http.Entities;
using Warp.Http.Storage;

namespace Warp.Http.Erasure;

/// <summary>Erases entities (GDPR Art. 17): fences the life in its own log, then follows its removal from every store.</summary>
/// <param name="others">The stores beside the log.</param>
public sealed class EraseService(EntityRegistry registry, Store store, IEnumerable<IErasedStore> others, TimeProvider time)
{
    /// <summary>How long a caller waits for the files to be clean before it is told that this goes on in the background.</summary>
    private static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(10);

    private readonly IErasedStore[] _others = [.. others];

    /// <summary>Erases the entity, or finds the receipt of its earlier erasure; null: it is named nowhere.</summary>
    /// <exception cref="ShardUnavailableException">The shard could not take the fence; asking again tells whether it did.</exception>
    public async ValueTask<EraseReceipt?> EraseAsync(ReadOnlyMemory<byte> name, CancellationToken cancellation)
    {
        var receiptId = Guid.CreateVersion7(time.GetUtcNow());
        var shard = store.ShardOf(name.Span);
        var tag = store.TagOf(name.Span);
        var status = await registry.EraseAsync(name, receiptId, isNamedElsewhere: false, cancellation);
        if (status == EraseStatus.Nothing && !shard.Tombstones.TryFind(tag, out _) && await IsNamedElsewhereAsync(name, cancellation))
            status = await registry.EraseAsync(name, receiptId, isNamedElsewhere: true, cancellation);
        switch (status)
        {
            case EraseStatus.Nothing:
                return shard.Tombstones.TryFind(tag, out var earlier) ? await ReceiptOfAsync(shard.Index, earlier, cancellation) : null;
            case EraseStatus.Unavailable:
                throw new ShardUnavailableException("Whether the erasure was recorded is not known; ask again.") { IsTransient = true };
        }

        if (!shard.Tombstones.TryFind(receiptId, out var tombstone)) return null;
        try
        {
            var everywhere = _others.Select(other => other.EraseAsync(shard.Index, tombstone, cancellation)).Prepend(shard.Tombstones.WhenComplete(receiptId));
            await Task.WhenAll(everywhere).WaitAsync(WaitMax, time, cancellation);
        }
        catch (Exception e) when (e is TimeoutException or ShardUnavailableException)
        {
            // The receipt says complete: false, and GET /v1/erasures/{receiptId} tells when it is done.
        }

        return shard.Tombstones.TryFind(receiptId, out tombstone) ? await ReceiptOfAsync(shard.Index, tombstone, cancellation) : null;
    }

    public async ValueTask<EraseReceipt?> FindReceiptAsync(string receiptId, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (!Guid.TryParseExact(receiptId, "N", out var id)) return null;
        for (var shard = 0; shard < store.Shards; shard++)
            if (store.AllShards[shard].Tombstones.TryFind(id, out var tombstone)) return await ReceiptOfAsync(shard, tombstone, cancellation);
        return null;
    }

    private async ValueTask<bool> IsNamedElsewhereAsync(ReadOnlyMemory<byte> name, CancellationToken cancellation)
    {
        foreach (var other in _others)
            if (await other.MayNameAsync(name, cancellation)) return true;
        return false;
    }

    private async ValueTask<EraseReceipt> ReceiptOfAsync(int shard, Tombstone tombstone, CancellationToken cancellation)
    {
        var stores = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["log"] = tombstone.Complete ? "erased" : "erasing",
            ["keys"] = "none",
            ["snapshots"] = "none",
            ["projections"] = "none",
            ["sagas"] = "none",
            ["subscriptions"] = "closed",
        };
        var isComplete = tombstone.Complete;
        foreach (var other in _others)
        {
            var state = await other.DescribeAsync(shard, tombstone, cancellation);
            stores[other.Name] = state;
            isComplete &= state is not "erasing";
        }

        return new EraseReceipt(tombstone.ReceiptId.ToString("N"), tombstone.ErasedAtMs, tombstone.Events, stores, isComplete, DestroyKeyBackupsBeforeMs: null);
    }
}
