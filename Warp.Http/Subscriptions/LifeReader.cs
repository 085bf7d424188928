using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Subscriptions;

/// <summary>Reads a life's stored events by its number, without its actor: a subscription keeps no actor in memory and wakes none.</summary>
internal sealed class LifeReader(Store store)
{
    private const int PageEvents = 1000;

    /// <summary>A page of events from a seq on, empty if there are none; null if the life was erased.</summary>
    /// <exception cref="ShardUnavailableException">The shard is out of service.</exception>
    public async ValueTask<HistoryPage?> ReadAsync(Life life, long from, int bytesMax)
    {
        var shard = store.AllShards[life.Shard];
        if (shard.Tombstones.IsFenced(life.Number)) return null;
        try
        {
            // Looked at and read under one lease: after a look alone, a seal could move what was in memory into a run.
            using (var lease = shard.Views.Lease())
                if (lease.View.FirstSeqInMemory(life.Number) <= from) return Read(lease.View, life, from, bytesMax);
            return await store.Readers.RunAsync(() =>
            {
                using var lease = shard.Views.Lease();
                return Read(lease.View, life, from, bytesMax);
            });
        }
        catch (DamagedDataException damage)
        {
            if (shard.Tombstones.IsFenced(life.Number)) return null; // then what is missing is no damage
            shard.Quarantine(damage);
            throw;
        }
    }

    /// <summary>The highest stored seq.</summary>
    public Task<long> LastSeqAsync(Life life)
    {
        var shard = store.AllShards[life.Shard];
        return store.Readers.RunAsync(() =>
        {
            using var lease = shard.Views.Lease();
            return lease.View.LastSeq(life.Number);
        });
    }

    private static HistoryPage Read(View view, Life life, long from, int bytesMax) =>
        HistoryPage.Read(view, life.Number, from, view.LastSeq(life.Number), descending: false, PageEvents, bytesMax);
}
