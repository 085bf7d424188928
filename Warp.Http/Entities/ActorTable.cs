using System.IO.Hashing;
using System.Security.Cryptography;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>The live actors by name. An actor is its own entry, linked into a chain, so that a million of them need no nodes beside them.</summary>
/// <remarks>
/// 256 parts, each with its lock, its buckets and its clock hand. Whoever changes a chain holds the part's lock; readers take none. A reader
/// that meets a growing part may be led to another chain and miss an actor that is there: who must know asks under the lock
/// (<see cref="GetOrAdd"/>). It never goes round in circles: a moved actor leads only to actors that were moved before it.
/// A removed actor keeps its link, so that who stands on it gets on; it never comes back, for it is retired.
/// </remarks>
internal sealed class ActorTable
{
    private const int PartBits = 8;
    private const int BucketsMin = 16;

    /// <summary>Actors to a bucket before a part grows: 4 to 8 bytes an actor, one or two steps a look.</summary>
    private const int ActorsPerBucket = 2;

    /// <summary>Drawn at start: nobody can prepare names that all fall into one bucket.</summary>
    private readonly long _seed = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long)));
    private readonly Part[] _parts = new Part[1 << PartBits];
    private int _nextPart;

    public ActorTable()
    {
        for (var i = 0; i < _parts.Length; i++) _parts[i] = new Part();
    }

    public int Count => _parts.Sum(part => Volatile.Read(ref part.Count));

    /// <summary>Every actor that is there all the time, and some that come or go meanwhile.</summary>
    public IEnumerable<EntityActor> All
    {
        get
        {
            foreach (var part in _parts)
            {
                var buckets = Volatile.Read(ref part.Buckets);
                for (var i = 0; i < buckets.Length; i++)
                    for (var actor = Volatile.Read(ref buckets[i]); actor is not null; actor = actor.NextInTable) yield return actor;
            }
        }
    }

    public int HashOf(ReadOnlySpan<byte> name) => (int)XxHash3.HashToUInt64(name, _seed);

    /// <summary>Without a lock; null may be wrong while the table grows.</summary>
    public EntityActor? Find(int hash, ReadOnlySpan<byte> name) => Find(Volatile.Read(ref PartOf(hash).Buckets), hash, name);

    public EntityActor GetOrAdd(int hash, ReadOnlySpan<byte> name, EntityRegistry registry, Shard shard, out bool added)
    {
        added = false;
        var part = PartOf(hash);
        lock (part.Changing)
        {
            if (Find(part.Buckets, hash, name) is { } known) return known;
            var actor = new EntityActor(registry, shard, new EntityName(name), hash);
            if (part.Count >= part.Buckets.Length * ActorsPerBucket) Grow(part);
            ref var head = ref part.Buckets[IndexOf(hash, part.Buckets)];
            actor.NextInTable = head;
            Volatile.Write(ref head, actor); // after its link: a reader that finds it finds the rest of the chain
            part.Count++;
            added = true;
            return actor;
        }
    }

    /// <summary>False if it is not there (any more).</summary>
    public bool Remove(EntityActor actor)
    {
        var part = PartOf(actor.NameHash);
        lock (part.Changing)
        {
            ref var head = ref part.Buckets[IndexOf(actor.NameHash, part.Buckets)];
            EntityActor? before = null;
            for (var at = head; at is not null; before = at, at = at.NextInTable)
            {
                if (!ReferenceEquals(at, actor)) continue;
                if (before is null) Volatile.Write(ref head, actor.NextInTable);
                else before.NextInTable = actor.NextInTable;
                part.Count--;
                return true;
            }
        }

        return false;
    }

    /// <summary>Moves the clock hand of the next part over some buckets and shows <paramref name="visit"/> every actor there.</summary>
    /// <param name="visit">Called without the lock; may remove the actor. Answers the bytes that it freed.</param>
    /// <returns>The bytes freed.</returns>
    public long PassHand(int buckets, Func<EntityActor, long> visit)
    {
        var part = _parts[(uint)Interlocked.Increment(ref _nextPart) % (uint)_parts.Length];
        var from = Interlocked.Add(ref part.Hand, buckets) - buckets;
        var chains = Volatile.Read(ref part.Buckets);
        long freed = 0;
        for (var i = 0; i < buckets; i++)
            for (var actor = Volatile.Read(ref chains[(from + i) & (chains.Length - 1)]); actor is not null; actor = actor.NextInTable) freed += visit(actor);
        return freed;
    }

    /// <summary>Calls of <see cref="PassHand"/> that pass every actor once, about.</summary>
    public int HandsPerRound(int buckets) => _parts.Length * _parts.Max(part => (Volatile.Read(ref part.Buckets).Length + buckets - 1) / buckets);

    private static EntityActor? Find(EntityActor?[] buckets, int hash, ReadOnlySpan<byte> name)
    {
        for (var actor = Volatile.Read(ref buckets[IndexOf(hash, buckets)]); actor is not null; actor = actor.NextInTable)
            if (actor.NameHash == hash && actor.Name.Utf8.SequenceEqual(name)) return actor;
        return null;
    }

    private static void Grow(Part part)
    {
        var larger = new EntityActor?[part.Buckets.Length * 2];
        foreach (var head in part.Buckets)
        {
            for (var actor = head; actor is not null;)
            {
                var next = actor.NextInTable;
                ref var place = ref larger[IndexOf(actor.NameHash, larger)];
                actor.NextInTable = place;
                place = actor;
                actor = next;
            }
        }

        Volatile.Write(ref part.Buckets, larger);
    }

    private static int IndexOf(int hash, EntityActor?[] buckets) => (int)((uint)hash >> PartBits) & (buckets.Length - 1);

    private Part PartOf(int hash) => _parts[hash & (_parts.Length - 1)];

    private sealed class Part
    {
        public readonly Lock Changing = new();
        public EntityActor?[] Buckets = new EntityActor?[BucketsMin];
        public int Count;
        public int Hand;
    }
}
