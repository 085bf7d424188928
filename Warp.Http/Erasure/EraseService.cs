using Warp.Http.Entities;
using Warp.Http.Storage;

namespace Warp.Http.Erasure;

/// <summary>Erases entities (GDPR Art. 17): fences the life in its own log, then follows its removal from every store.</summary>
public sealed class EraseService(EntityRegistry registry, Store store, TimeProvider time)
{
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
                return store.ShardOf(name.Span).Tombstones.TryFind(store.TagOf(name.Span), out var earlier) ? ReceiptOf(earlier) : null;
            case EraseStatus.Unavailable:
                throw new ShardUnavailableException("Whether the erasure was recorded is not known; ask again.") { IsTransient = true };
        }

        var tombstones = store.ShardOf(name.Span).Tombstones;
        try
        {
            await tombstones.WhenComplete(receiptId).WaitAsync(WaitMax, time, cancellation);
        }
        catch (TimeoutException)
        {
            // The receipt says complete: false, and GET /v1/erasures/{receiptId} tells when it is done.
        }

        return tombstones.TryFind(receiptId, out var tombstone) ? ReceiptOf(tombstone) : null;
    }

    public ValueTask<EraseReceipt?> FindReceiptAsync(string receiptId, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        if (!Guid.TryParseExact(receiptId, "N", out var id)) return ValueTask.FromResult<EraseReceipt?>(null);
        foreach (var shard in store.AllShards)
            if (shard.Tombstones.TryFind(id, out var tombstone)) return ValueTask.FromResult<EraseReceipt?>(ReceiptOf(tombstone));
        return ValueTask.FromResult<EraseReceipt?>(null);
    }

    private static EraseReceipt ReceiptOf(in Tombstone tombstone) => new(
        tombstone.ReceiptId.ToString("N"),
        tombstone.ErasedAtMs,
        tombstone.Events,
        new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["log"] = tombstone.Complete ? "erased" : "erasing",
            ["keys"] = "none",
            ["snapshots"] = "none",
            ["projections"] = "none",
            ["sagas"] = "none",
            ["subscriptions"] = "closed",
        },
        tombstone.Complete,
        DestroyKeyBackupsBeforeMs: null);
}
