namespace Warp.Http.Entities;

/// <content>The memory budget. Who needs more room makes it, so that the budget holds at any rate of activations: they slow down, none is refused.</content>
/// <remarks>
/// Which actors go is CLOCK's choice: a hand goes round over the table, takes an actor's mark of use away where there is one and passivates it
/// where there is none. Nothing is sorted, nothing is copied, and what was touched once does not displace what is used again and again.
/// </remarks>
public sealed partial class EntityRegistry
{
    /// <summary>Buckets that one move of the hand passes: about a dozen actors.</summary>
    private const int HandBuckets = 8;

    /// <summary>Moves of the hand that one activation pays for at most, some 20 µs, and a state for each page that it takes.</summary>
    private const int HandsPerPage = 16;

    private const int PageBytes = 4096;

    /// <summary>A sweep frees a tenth of the budget, so that activations after it find room.</summary>
    private const double KeptShare = 0.9;

    [ThreadStatic]
    private static bool t_makesRoom;

    private readonly Func<EntityActor, long> _evict;
    private long _actorBytes;

    /// <summary>Actors in memory.</summary>
    public int Live => _actors.Count;

    /// <summary>Estimated bytes of the live actors with their states, rendered answers and ids.</summary>
    public long Bytes => Volatile.Read(ref _actorBytes);

    internal IEnumerable<EntityActor> Actors => _actors.All;

    /// <summary>If the budget is exceeded: passivates idle actors until a tenth of it is free, or all were looked at twice.</summary>
    internal void Sweep()
    {
        if (Bytes > Options.MemoryBytes) SweepTo((long)(Options.MemoryBytes * KeptShare));
    }

    internal void SweepTo(long keptBytes)
    {
        for (var hands = 2 * _actors.HandsPerRound(HandBuckets); hands > 0 && Bytes > keptBytes; hands--) _actors.PassHand(HandBuckets, _evict);
    }

    internal void Charge(long bytes)
    {
        if (Interlocked.Add(ref _actorBytes, bytes) > Options.MemoryBytes && bytes > 0) MakeRoom(bytes);
    }

    /// <summary>Frees twice as much as is taken, as far as a few moves of the hand find it.</summary>
    private void MakeRoom(long bytes)
    {
        // Passivating drains what was posted meanwhile, which may need room in turn: one level of that is enough.
        if (t_makesRoom) return;
        t_makesRoom = true;
        try
        {
            long freed = 0;
            var handsMax = Math.Min(HandsPerPage * (1 + (bytes / PageBytes)), 2 * _actors.HandsPerRound(HandBuckets));
            for (var hands = 0; hands < handsMax && freed < 2 * bytes; hands++) freed += _actors.PassHand(HandBuckets, _evict);
        }
        finally
        {
            t_makesRoom = false;
        }
    }

    private long Evict(EntityActor actor)
    {
        if (actor.TakeUse() || !actor.TryRetire()) return 0;
        EntityMetrics.Passivated.Add(1);
        return Forget(actor);
    }

    /// <summary>Passivates an entity that is not used again soon, if it is idle.</summary>
    internal void Release(ReadOnlySpan<byte> name)
    {
        if (_actors.Find(_actors.HashOf(name), name) is not { } actor || !actor.TryRetire()) return;
        EntityMetrics.Passivated.Add(1);
        Forget(actor);
    }

    /// <summary>Forgets an actor that retired; a poster that meets it does the same, so nobody waits for passivation.</summary>
    private long Forget(EntityActor actor) => _actors.Remove(actor) ? actor.Uncharge() : 0;
}
