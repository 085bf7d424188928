using Warp.Http.Entities;
using Warp.Http.Storage;

namespace Warp.Http.Erasure;

/// <summary>Erases entities (GDPR Art. 17): fences the life in its own log, then follows its removal from every store.</summary>
/// <param name="others">The stores beside the log, in the order in which receipts name them.</param>
public sealed class EraseService(EntityRegistry registry, Store store, IEnumerable<IErasedStore> others, TimeProvider time)
{
    private readonly IErasedStore[] _others = [.. others];

    /// <summary>How long a caller waits for the files to be clean before it is told that this goes on in the background.</summary>
    private static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(10);

    /// <summary>Erases the entity, or finds the receipt of its earlier erasure; null: it is named nowhere.</summary>
    /// <exception cref="ShardUnavailableException">The shard could not take the fence; asking again tells whether it did.</exception>
    public async ValueTask<EraseReceipt?> EraseAsync(ReadOnlyMemory<byte> name, CancellationToken cancellation)
    {
        var receiptId = Guid.CreateVersion7(time.GetUtcNow());
        switch (await registry.EraseAsync(name, receiptId, cancellation))
        {
            case EraseStatus.Nothing:
                var shard = store.ShardOf(name.Span);
                return shard.Tombstones.TryFind(store.TagOf(name.Span), out var earlier) ? await DescribeAsync(shard, earlier, cancellation) : null;
            case EraseStatus.Unavailable:
                throw new ShardUnavailableException("Whether the erasure was recorded is not known; ask again.") { IsTransient = true };
        }

        return await FollowAsync(store.ShardOf(name.Span), receiptId, cancellation);
    }

    public async ValueTask<EraseReceipt?> FindReceiptAsync(string receiptId, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (!Guid.TryParseExact(receiptId, "N", out var id)) return null;
        for (var i = 0; i < store.Shards; i++)
            if (store.AllShards[i].Tombstones.TryFind(id, out var tombstone)) return await DescribeAsync(store.AllShards[i], tombstone, cancellation);
        return null;
    }

    private async ValueTask<EraseReceipt?> FollowAsync(Shard shard, Guid receiptId, CancellationToken cancellation)
    {
        if (!shard.Tombstones.TryFind(receiptId, out var fenced)) return null;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var done = Task.WhenAll(_others.Select(other => other.EraseAsync(shard.Index, fenced, limit.Token)).Prepend(shard.Tombstones.WhenComplete(receiptId)));
        try
        {
            await done.WaitAsync(WaitMax, time, cancellation);
        }
        catch (Exception e) when (e is TimeoutException or ShardUnavailableException)
        {
            // The receipt says complete: false, and GET /v1/erasures/{receiptId} tells when it is done.
        }
        finally
        {
            await limit.CancelAsync();
            _ = done.ContinueWith(static ended => ended.Exception, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }

        return shard.Tombstones.TryFind(receiptId, out var tombstone) ? await DescribeAsync(shard, tombstone, cancellation) : null;
    }

    private async ValueTask<EraseReceipt> DescribeAsync(Shard shard, Tombstone tombstone, CancellationToken cancellation)
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
            var state = await other.DescribeAsync(shard.Index, tombstone, cancellation);
            stores[other.Name] = state;
            isComplete &= state is not "erasing";
        }

        return new EraseReceipt(tombstone.ReceiptId.ToString("N"), tombstone.ErasedAtMs, tombstone.Events, stores, isComplete, DestroyKeyBackupsBeforeMs: null);
    }
}
