using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Warp.Http.Entities;

/// <summary>Holds the live actors under their memory budget: the least recently used idle ones go first.</summary>
/// <remarks>
/// The clock is coarse, one tick a turn, so that using an actor costs one plain write. Recency is therefore known to the second, which is
/// all that choosing among thousands needs.
/// </remarks>
public sealed class Passivation(EntityRegistry registry, IOptions<EntityOptions> options, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(1);

    /// <summary>A sweep frees a tenth of the budget, so that it has not to be done again at once.</summary>
    private const double KeptShare = 0.9;

    /// <summary>Passivates what the budget asks for, now.</summary>
    public void Sweep()
    {
        registry.Tick();
        if (registry.Bytes <= options.Value.MemoryBytes) return;
        var actors = registry.Actors.ToArray();
        var bytes = actors.Sum(a => a.Bytes);
        registry.SetBytes(bytes); // the running count drifts where states grew while their actor was being forgotten
        var excess = bytes - (long)(options.Value.MemoryBytes * KeptShare);
        if (excess <= 0) return;
        var youngestToGo = AgeToFree(actors, excess);
        foreach (var actor in actors)
        {
            if (excess <= 0) return;
            if (actor.LastUsed > youngestToGo || !actor.TryRetire()) continue;
            excess -= actor.Bytes;
            registry.Forget(actor);
            EntityMetrics.Passivated.Add(1);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Turn, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) Sweep();
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopping is how this loop ends.
        }
    }

    /// <summary>The tick at or before which the last use of enough actors lies.</summary>
    private static int AgeToFree(EntityActor[] actors, long excess)
    {
        var byTick = new SortedDictionary<int, long>();
        foreach (var actor in actors)
        {
            byTick.TryGetValue(actor.LastUsed, out var known);
            byTick[actor.LastUsed] = known + actor.Bytes;
        }

        long freed = 0;
        foreach (var (tick, bytes) in byTick)
        {
            freed += bytes;
            if (freed >= excess) return tick;
        }

        return int.MaxValue;
    }
}
