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
    public ValueTask<IReadOnlyList<ListedEntity>> ListAsync(ReadOnlyMemory<byte> kind, Life after, int limit, CancellationToken cancellation) =>
        EntityName.IsReserved(kind.Span) ? ValueTask.FromResult<IReadOnlyList<ListedEntity>>([]) : ListAnyAsync(kind, after, limit, cancellation);

    /// <summary>Reads a place where a list ended; false if it lies in no shard of this store.</summary>
    public bool TryParsePlace(string cursor, out Life after) => Life.TryParse(System.Text.Encoding.UTF8.GetBytes(cursor), out after) && after.Shard < Store.Shards;

    /// <summary>The same for one kind, which may be one of the service itself.</summary>
    internal async ValueTask<IReadOnlyList<ListedEntity>> ListAnyAsync(ReadOnlyMemory<byte> kind, Life after, int limit, CancellationToken cancellation)
    {
        var listed = new List<ListedEntity>();
        for (var i = after.Shard; i < Store.Shards && listed.Count < limit; i++)
            await ListShardAsync(kind, new Life(i, i == after.Shard ? after.Number : 0), limit, listed, cancellation);
        return listed;
    }

    /// <summary>Adds those of one shard until there are as many as the limit says.</summary>
    /// <returns>The life up to which the shard was gone through, whatever the kind.</returns>
    /// <exception cref="ShardUnavailableException">The shard is out of service.</exception>
    internal async ValueTask<Life> ListShardAsync(ReadOnlyMemory<byte> kind, Life after, int limit, List<ListedEntity> listed, CancellationToken cancellation)
    {
        var shard = Store.AllShards[after.Shard];
        return shard.LifeOf(await Store.Readers.RunAsync(() => List(shard, kind, after.Number, limit, listed)).WaitAsync(cancellation));
    }

    private static long List(Shard shard, ReadOnlyMemory<byte> kind, long after, int limit, List<ListedEntity> listed)
    {
        while (listed.Count < limit)
        {
            var (names, certainUpTo, isLast) = NextNames(shard, kind, after);
            foreach (var (number, name) in names)
            {
                if (shard.Tombstones.IsFenced(number)) continue;
                listed.Add(new ListedEntity(name, shard.LifeOf(number)));
                if (listed.Count == limit) return number;
            }

            after = certainUpTo;
            if (isLast) break;
        }

        return after;
    }

    /// <summary>The next names of the kind in order of number, from all sources together, and the number up to which there are no others.</summary>
    private static (SortedDictionary<long, EntityName> Names, long CertainUpTo, bool IsLast) NextNames(Shard shard, ReadOnlyMemory<byte> kind, long after)
    {
        using var lease = shard.Views.Lease();
        var names = new SortedDictionary<long, EntityName>();
        var highest = after;
        var certainUpTo = long.MaxValue; // beyond the last name of a source that had more, another name may be missing
        foreach (var run in lease.View.Runs)
        {
            var (read, last) = run.Read((after, kind, names), static (reader, page) =>
            {
                var read = 0;
                long last = 0;
                reader.ListNames(page.after, ListBatch, (number, name) =>
                {
                    if (IsOfKind(name.Utf8, page.kind.Span)) page.names[number] = name;
                    last = number;
                    read++;
                });
                return (read, last);
            });
            if (read == ListBatch) certainUpTo = Math.Min(certainUpTo, last);
            highest = Math.Max(highest, last);
        }

        foreach (var memtable in lease.View.Memtables)
        {
            foreach (var name in memtable.Names)
            {
                if (name.Entity <= after) continue;
                highest = Math.Max(highest, name.Entity);
                if (IsOfKind(name.Name, kind.Span)) names[name.Entity] = new EntityName(name.Name);
            }
        }

        if (certainUpTo == long.MaxValue) return (names, highest, true);
        foreach (var number in names.Keys.Where(n => n > certainUpTo).ToList()) names.Remove(number);
        return (names, certainUpTo, false);
    }

    private static bool IsOfKind(ReadOnlySpan<byte> name, ReadOnlySpan<byte> kind) =>
        kind.IsEmpty ? !EntityName.IsReserved(name) : name.Length > kind.Length && name[kind.Length] == (byte)'/' && name.StartsWith(kind);
}
