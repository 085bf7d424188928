using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>Reads the caller-given ids of a life's durable events: from the runs' index and from the memtables' events.</summary>
internal static class StoredIds
{
    /// <summary>The index of a life: all ids if they are few, else a filter over them.</summary>
    public static IdIndex Load(View view, EntityLife life, long seed)
    {
        var ids = new IdIndex();
        long count = 0;
        Visit(view, life, seed, (hash, seq) =>
        {
            if (++count <= IdIndex.ExactMax) ids.Add(hash, seq);
        });
        if (count <= IdIndex.ExactMax) return ids;

        // Counted first, so that the filter is as large as it must be; the second pass finds in memory what the first has read.
        ids = new IdIndex();
        ids.ExpectOlder(count);
        Visit(view, life, seed, (hash, _) => ids.AddOlder(hash));
        return ids;
    }

    /// <summary>Where ids with these hashes stand.</summary>
    public static IdIndex Find(View view, EntityLife life, long seed, HashSet<ulong> hashes)
    {
        var found = new IdIndex();
        Visit(view, life, seed, (hash, seq) =>
        {
            if (hashes.Contains(hash)) found.Add(hash, seq);
        });
        return found;
    }

    private static void Visit(View view, EntityLife life, long seed, Action<ulong, long> visit)
    {
        if (view.FirstSeqInMemory(life.Number) > 1)
        {
            foreach (var run in view.Runs)
            {
                run.Read((life.Number, visit), static (reader, of) =>
                {
                    reader.VisitIds(of.Number, of.visit);
                    return true;
                });
            }
        }

        foreach (var memtable in view.Memtables)
        {
            foreach (ref readonly var slice in memtable.Slices(life.Number))
            {
                if (slice.KeyLength > 0) visit(EventIdHash.OfKey(slice.Open().Key, seed), slice.FirstSeq);
                var rest = slice.Open().Events;
                for (var i = 0; i < slice.Count; i++)
                {
                    var e = EventRecord.Read(ref rest);
                    if (!e.Id.IsEmpty) visit(EventIdHash.OfId(e.Id, seed), slice.FirstSeq + i);
                }
            }
        }
    }
}
