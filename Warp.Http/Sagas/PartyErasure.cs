using System.Collections.Concurrent;
using Warp.Http.Entities;
using Warp.Http.Storage;

namespace Warp.Http.Sagas;

/// <summary>Erases what sagas keep of a party: its companions, once its own life is fenced.</summary>
/// <remarks>
/// A companion's name follows from the tombstone. So an erasure that a crash interrupted between the two fences is made up for at the next start,
/// from the tombstones alone.
/// </remarks>
public sealed class PartyErasure(EntityRegistry registry, Store store) : IErasedStore
{
    private const int TombstonesPerTurn = 1000;

    private readonly ConcurrentQueue<(int Shard, Tombstone Tombstone)> _pending = new();

    /// <inheritdoc/>
    public string Name => "sagas";

    /// <summary>Steps on an entity that nothing was ever appended to are kept all the same: refused, or not reached.</summary>
    public async ValueTask<bool> MayNameAsync(ReadOnlyMemory<byte> entity, CancellationToken cancellation)
    {
        var companion = PartyRef.CompanionOf(store.TagOf(entity.Span), store.ShardOf(entity.Span).Index, LifeBinding.First);
        return (await registry.FindAsync(companion, cancellation)).Presence == EntityPresence.Alive;
    }

    /// <summary>Fences the companions of an erased party and follows them to the end. A shard that is out of service is tried again in the background.</summary>
    public async Task EraseAsync(int shard, Tombstone tombstone, CancellationToken cancellation)
    {
        try
        {
            foreach (var companion in CompanionsOf(shard, tombstone))
            {
                await EraseCompanionAsync(companion, cancellation);
                if (registry.FindErasure(companion) is { Complete: false } erasure)
                    await store.ShardOf(companion).Tombstones.WhenComplete(erasure.ReceiptId).WaitAsync(cancellation);
            }
        }
        catch (ShardUnavailableException)
        {
            _pending.Enqueue((shard, tombstone));
            throw;
        }
    }

    /// <summary>Fences a companion, if there is one.</summary>
    /// <exception cref="ShardUnavailableException">Its shard could not take the fence.</exception>
    internal async ValueTask EraseCompanionAsync(byte[] companion, CancellationToken cancellation)
    {
        var found = await registry.FindAsync(companion, cancellation);
        if (found.Presence != EntityPresence.Alive) return;
        if (await registry.EraseAsync(companion, Guid.CreateVersion7(), isNamedElsewhere: false, cancellation) == EraseStatus.Unavailable)
            throw new ShardUnavailableException("What sagas keep of a party could not be erased; it is tried again.") { IsTransient = true };
    }

    /// <summary>How far it is, in the words of a receipt: <c>none</c>, <c>erasing</c> or <c>erased</c>.</summary>
    public async ValueTask<string> DescribeAsync(int shard, Tombstone tombstone, CancellationToken cancellation)
    {
        var described = "none";
        foreach (var companion in CompanionsOf(shard, tombstone))
        {
            try
            {
                var found = await registry.FindAsync(companion, cancellation);
                if (found.Presence == EntityPresence.Alive) return "erasing";
                if (found.Presence == EntityPresence.Unknown) continue;
                if (registry.FindErasure(companion) is { Complete: false }) return "erasing";
                described = "erased";
            }
            catch (ShardUnavailableException)
            {
                return "erasing"; // nobody can say what its files hold
            }
        }

        return described;
    }

    /// <summary>At a start: goes through everything that was ever erased, for a crash may have come between a party's fence and its companions'.</summary>
    internal async Task ResumeAsync(CancellationToken cancellation)
    {
        for (var shard = 0; shard < store.Shards; shard++)
        {
            var erased = store.AllShards[shard].Tombstones.ToArray();
            for (var i = 0; i < erased.Length; i++)
            {
                if (i % TombstonesPerTurn == TombstonesPerTurn - 1) await Task.Delay(1, cancellation);
                await TryEraseAsync(shard, erased[i], cancellation);
            }
        }
    }

    /// <summary>What could not be done when it was asked for.</summary>
    internal async Task RetryAsync(CancellationToken cancellation)
    {
        for (var left = _pending.Count; left > 0 && _pending.TryDequeue(out var pending); left--) await TryEraseAsync(pending.Shard, pending.Tombstone, cancellation);
    }

    private async ValueTask TryEraseAsync(int shard, Tombstone tombstone, CancellationToken cancellation)
    {
        try
        {
            foreach (var companion in CompanionsOf(shard, tombstone)) await EraseCompanionAsync(companion, cancellation);
        }
        catch (ShardUnavailableException)
        {
            _pending.Enqueue((shard, tombstone)); // its receipt says so until then
        }
    }

    /// <summary>The life's own, and that of steps that were bound before the name had its first.</summary>
    private static byte[][] CompanionsOf(int shard, in Tombstone tombstone) =>
    [
        PartyRef.CompanionOf(tombstone.Tag, shard, LifeBinding.To(tombstone.Entity)),
        PartyRef.CompanionOf(tombstone.Tag, shard, LifeBinding.First),
    ];
}
