using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>A state that was folded for somebody who goes on with it himself.</summary>
/// <param name="Covered">The entity's seq that it is folded to; before a failure, the last that folded.</param>
internal readonly record struct FoldedBeside(FoldState State, long Covered, bool HasEvents, FoldFailure? Failure);

public sealed partial class EntityRegistry
{
    /// <summary>
    /// Folds a life up to a durable seq without its actor: who goes through all entities must not push out of memory those that are used. Begins at
    /// stored states, and reads runs on a reader's thread, as every fold does.
    /// </summary>
    /// <returns>Null if the life was erased meanwhile.</returns>
    /// <exception cref="ShardUnavailableException">The shard is out of service.</exception>
    internal async ValueTask<FoldedBeside?> FoldBesideAsync(
        Shard shard, EntityName name, long number, long seq, string aggregate, AggregateSet definitions, CancellationToken cancellation)
    {
        // An actor that stands in no table: nobody finds it, nobody counts it, and it goes with the fold.
        var actor = new EntityActor(this, shard, name, nameHash: 0);
        var life = new EntityLife(name, default, number, seq);
        var fold = new StateFold(actor, life, aggregate, definitions);
        try
        {
            var failure = await fold.AdvanceAsync(seq, long.MaxValue, cancellation);
            return shard.Tombstones.IsFenced(number) ? null : new FoldedBeside(fold.State, fold.Covered, fold.HasEvents, failure);
        }
        catch (DamagedDataException damage) when (!actor.TellOfDamage(life, damage))
        {
            return null;
        }
    }
}
