using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

public sealed partial class EntityRegistry
{
    /// <summary>Names read from one source at a time while a page is gathered.</summary>
    private const int ListBatch = 1000;

    /// <summary>
    /// Entities in order of creation within a shard, after a life (default: from the start). An empty kind is every kind; kinds of the service
    /// itself are left out, and so is what was erased.
    /// </summary>
    /// <exception cref="ShardUnavailableException">A shard is out of service, so that the list would not be whole.</exception>
    public async ValueTask<IReadOnlyList<ListedEntity>> ListAsync(ReadOnlyMemory<byte> kind, Life after, int limit, CancellationToken cancellation)
    {
        var listed = new List<ListedEntity>();
        for (var i = after.Shard; i < Store.Shards && listed.Count < limit; i++)
        {
            var shard = Store.AllShards[i];
            var from = i == after.Shard ? after.Number : 0;
            await Store.Readers.RunAsync(() => List(shard, kind, from, limit, listed)).WaitAsync(cancellation);
        }

        return listed;
    }

    private static bool List(Shard shard, ReadOnlyMemory<byte> kind, long after, int limit, List<ListedEntity> listed)
    {
        while (listed.Count < limit)
        {
            var (names, complete) = NextNames(shard, after);
            foreach (var (number, name) in names)
            {
                after = number;
                if (shard.Tombstones.IsFenced(number) || EntityName.IsReserved(name.Utf8) || (kind.Length > 0 && !name.Kind.SequenceEqual(kind.Span))) continue;
                listed.Add(new ListedEntity(name, shard.LifeOf(number)));
                if (listed.Count == limit) return true;
            }

            if (complete) return true;
        }

        return true;
    }

    /// <summary>The next names in order of number, from all sources together.</summary>
    private static (SortedDictionary<long, EntityName> Names, bool Complete) NextNames(Shard shard, long after)
    {
        using var lease = shard.Views.Lease();
        var names = new SortedDictionary<long, EntityName>();
        var certainUpTo = long.MaxValue; // beyond the last name of a source that had more, another name may be missing
        foreach (var run in lease.View.Runs)
        {
            var (read, last) = run.Read((after, names), static (reader, page) =>
            {
                var read = 0;
                long last = 0;
                reader.ListNames(page.after, ListBatch, (number, name) =>
                {
                    page.names[number] = name;
                    last = number;
                    read++;
                });
                return (read, last);
            });
            if (read == ListBatch) certainUpTo = Math.Min(certainUpTo, last);
        }

        foreach (var memtable in lease.View.Memtables)
            foreach (var name in memtable.Names)
                if (name.Entity > after) names[name.Entity] = new EntityName(name.Name);

        if (certainUpTo == long.MaxValue) return (names, true);
        foreach (var number in names.Keys.Where(n => n > certainUpTo).ToList()) names.Remove(number);
        return (names, false);
    }
}
