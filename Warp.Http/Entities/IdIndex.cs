using System.Runtime.InteropServices;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>
/// Where caller-given ids of one life may stand. The newest, up to 4,096 of them, hash to their seqs; of older ones a filter knows whether they
/// were ever given, and the runs' own index tells where. A hit is verified against the stored event, so collisions cost a read.
/// </summary>
/// <remarks>Belongs to the actor's drainer. Invariant: what is in the filter only is durable, so a view that is leased later shows it.</remarks>
internal sealed class IdIndex
{
    /// <summary>About 250 KB; an entity whose ids are fewer never reads a run to judge a new one.</summary>
    public const int ExactMax = 4096;

    /// <summary>A dictionary's and a list's room for one entry, half of it free on average.</summary>
    private const int EntryBytes = 60;

    private Dictionary<ulong, int> _newest = [];
    private List<(ulong Hash, long Seq, int Older)> _entries = [];
    private readonly List<BloomFilter> _older = []; // each for twice as many as were there before it
    private long _olderCount;
    private long _olderRoom;
    private long _olderBytes;

    public bool IsEmpty => _entries.Count == 0 && _olderCount == 0;

    public bool HasOlder => _olderCount > 0;

    public long Bytes => 200 + ((long)_entries.Count * EntryBytes) + _olderBytes;

    public void Add(ulong hash, long seq)
    {
        ref var newest = ref CollectionsMarshal.GetValueRefOrAddDefault(_newest, hash, out var known);
        _entries.Add((hash, seq, known ? newest : -1));
        newest = _entries.Count - 1;
    }

    /// <summary>The next candidate: begin with <paramref name="at"/> = <see cref="Newest"/> and go on until it is negative.</summary>
    public long Candidate(ref int at)
    {
        var (_, seq, older) = _entries[at];
        at = older;
        return seq;
    }

    /// <summary>Where the candidates for a hash begin; negative = there is none.</summary>
    public int Newest(ulong hash) => _newest.TryGetValue(hash, out var at) ? at : -1;

    /// <summary>False = no older id has this hash.</summary>
    public bool MayBeOlder(ulong hash)
    {
        foreach (var filter in _older)
            if (filter.MayContain(Spread(hash))) return true;
        return false;
    }

    /// <summary>Room in the filter for so many ids that are known beforehand.</summary>
    public void ExpectOlder(long count)
    {
        if (_olderRoom >= count) return;
        AddFilter(count - _olderCount);
    }

    /// <summary>Adds an id that is durable to the filter alone.</summary>
    public void AddOlder(ulong hash)
    {
        if (_olderCount == _olderRoom) AddFilter(Math.Max(2 * ExactMax, 2 * _olderCount));
        _older[^1].Add(Spread(hash));
        _olderCount++;
    }

    /// <summary>Lets the older half of too many go over into the filter, as far as it is durable.</summary>
    public void Trim(long durableSeq)
    {
        if (_entries.Count <= ExactMax) return;
        var entries = _entries;
        entries.Sort(static (a, b) => a.Seq.CompareTo(b.Seq)); // as they were loaded, they stand by hash
        _entries = [];
        _newest = [];
        for (var i = 0; i < entries.Count; i++)
        {
            var (hash, seq, _) = entries[i];
            if (i < entries.Count - (ExactMax / 2) && seq <= durableSeq) AddOlder(hash);
            else Add(hash, seq);
        }
    }

    private void AddFilter(long keys)
    {
        var filter = new BloomFilter((int)Math.Min(keys, 1 << 26));
        _older.Add(filter);
        _olderRoom = _olderCount + keys;
        _olderBytes += filter.Bytes.Length;
    }

    // The filter wants 64 uniform bits; a hash has 40.
    private static ulong Spread(ulong hash)
    {
        hash *= 0x9e3779b97f4a7c15; // 2^64 over the golden ratio
        return hash ^ (hash >> 32);
    }
}
