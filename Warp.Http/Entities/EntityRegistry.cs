using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>The live actors: finds an entity's, or activates it. Which ones stay in memory is passivation's business.</summary>
public sealed partial class EntityRegistry
{
    private readonly ConcurrentDictionary<EntityName, EntityActor> _actors;
    private readonly ConcurrentDictionary<EntityName, EntityActor>.AlternateLookup<ReadOnlySpan<byte>> _bySpan;
    private readonly ILogger _logger;
    private Tuple<AggregateSet?, bool> _rules = Tuple.Create<AggregateSet?, bool>(null, false);
    private long _actorBytes;
    private int _clock;

    public EntityRegistry(
        Store store, AggregateCatalog definitions, IOptions<EntityOptions> options, IOptions<Limits> limits, TimeProvider time, ILogger<EntityRegistry> logger)
    {
        Store = store;
        Definitions = definitions;
        Options = options.Value;
        Limits = limits.Value;
        Time = time;
        _logger = logger;
        _actors = new ConcurrentDictionary<EntityName, EntityActor>(new EntityNameComparer());
        _bySpan = _actors.GetAlternateLookup<ReadOnlySpan<byte>>();
        StorageMetrics.Meter.CreateObservableGauge("warp_actors_live", () => Live, "{actor}", "Actors in memory.");
        StorageMetrics.Meter.CreateObservableGauge("warp_actor_bytes", () => Bytes, "By", "Estimated bytes of live actors and their folded states.");
    }

    /// <summary>Actors in memory.</summary>
    public int Live => _actors.Count;

    /// <summary>Estimated bytes of the live actors and their folded states.</summary>
    public long Bytes => Volatile.Read(ref _actorBytes);

    internal Store Store { get; }

    internal AggregateCatalog Definitions { get; }

    internal EntityOptions Options { get; }

    internal Limits Limits { get; }

    internal TimeProvider Time { get; }

    internal int MailboxCommandsMax => Limits.MailboxCommands;

    /// <summary>Passivation's coarse clock: an actor used now is younger than one used at a lower value.</summary>
    internal int Clock => Volatile.Read(ref _clock);

    internal ICollection<EntityActor> Actors => _actors.Values;

    /// <summary>
    /// Posts an append; the outcome comes when it is durable. A refusal before queueing (MailboxFull, Overloaded, StorageFull, Unavailable) comes
    /// as a completed task. The continuation runs on a pool item that completes other appends after it: it must not block.
    /// </summary>
    public ValueTask<AppendOutcome> AppendAsync(AppendCommand command)
    {
        var shard = Store.ShardOf(command.Entity);
        var admitted = shard.Enter(command.QueuedBytes);
        if (admitted != AppendStatus.Appended) return new ValueTask<AppendOutcome>(new AppendOutcome(admitted));
        var outcome = command.Task;
        if (Post(shard, command.Entity, command)) return outcome;
        shard.Leave(command.QueuedBytes);
        return new ValueTask<AppendOutcome>(new AppendOutcome(AppendStatus.MailboxFull));
    }

    /// <summary>The shard that a name belongs to, and its epoch, for <see cref="AppendCommand.BoundEpoch"/>.</summary>
    public (int Shard, int Epoch) EpochOf(ReadOnlySpan<byte> name)
    {
        var shard = Store.ShardOf(name);
        return (shard.Index, shard.Epoch);
    }

    /// <summary>True with the live actor if the entity is in memory and there is something of it to read: the hot path of reads, without allocation.</summary>
    public bool TryGetLive(ReadOnlySpan<byte> name, out EntityActor? actor)
    {
        if (!_bySpan.TryGetValue(name, out actor) || actor.Published is null || actor.Shard.Damage is not null) return false;
        actor.LastUsed = Clock;
        return true;
    }

    /// <summary>Finds the entity in memory, or on disk, where a reader's thread activates it.</summary>
    /// <exception cref="ShardUnavailableException">The shard is out of service.</exception>
    public async ValueTask<FoundEntity> FindAsync(ReadOnlyMemory<byte> name, CancellationToken cancellation)
    {
        if (TryGetLive(name.Span, out var live)) return new FoundEntity(EntityPresence.Alive, live);
        var shard = Store.ShardOf(name.Span);
        var tag = Store.TagOf(name.Span);
        var view = shard.Views.Current;
        while (view.TryFindInMemory(tag, out _) || view.MayBeInRuns(tag))
        {
            var touch = new TouchCommand();
            while (!Post(shard, name.Span, touch)) await Task.Delay(TimeSpan.FromMilliseconds(1), Time, cancellation);
            if (!await touch.Done.WaitAsync(cancellation)) throw new ShardUnavailableException("The entity could not be read from disk.") { IsTransient = true };
            if (TryGetLive(name.Span, out live)) return new FoundEntity(EntityPresence.Alive, live);

            // It may have been passivated between the two lines: an actor that had nothing to show says that there is nothing.
            if (touch.Actor!.Published is null) break;
        }

        if (shard.Tombstones.TryFind(tag, out var tombstone))
            return new FoundEntity(EntityPresence.Erased, ErasedAtMs: tombstone.ErasedAtMs, ReceiptId: tombstone.ReceiptId.ToString("N"));
        return new FoundEntity(EntityPresence.Unknown);
    }

    internal async ValueTask<EraseStatus> EraseAsync(ReadOnlyMemory<byte> name, Guid receiptId, CancellationToken cancellation)
    {
        var shard = Store.ShardOf(name.Span);
        if (shard.Damage is { } damage) throw new ShardUnavailableException(damage);
        var erase = new EraseCommand(receiptId);
        while (!Post(shard, name.Span, erase)) await Task.Delay(TimeSpan.FromMilliseconds(1), Time, cancellation);
        return await erase.Done.WaitAsync(cancellation);
    }

    /// <summary>True if some definition wants appends folded before they are accepted.</summary>
    internal bool AnyFoldsBeforeAppend(AggregateSet definitions)
    {
        var known = _rules;
        if (ReferenceEquals(known.Item1, definitions)) return known.Item2;
        var any = definitions.All.Any(entry => entry.Definition.FoldsBeforeAppend);
        _rules = Tuple.Create<AggregateSet?, bool>(definitions, any);
        return any;
    }

    internal void LogReadFailed(Exception e) => LogActivationFailed(_logger, e);

    /// <summary>Forgets an actor that retired; a poster that meets it does the same, so nobody waits for passivation.</summary>
    internal void Forget(EntityActor actor)
    {
        if (_actors.TryRemove(KeyValuePair.Create(actor.Name, actor))) AddBytes(-actor.Bytes);
    }

    internal void AddBytes(long bytes) => Interlocked.Add(ref _actorBytes, bytes);

    internal void SetBytes(long bytes) => Interlocked.Exchange(ref _actorBytes, bytes);

    internal void Tick() => Interlocked.Increment(ref _clock);

    /// <summary>False if the mailbox is full.</summary>
    private bool Post(Shard shard, ReadOnlySpan<byte> name, EntityCommand command)
    {
        while (true)
        {
            var actor = GetOrAdd(shard, name);
            actor.LastUsed = Clock;
            switch (actor.Post(command))
            {
                case PostResult.Full: return false;
                case PostResult.Retired: Forget(actor); break;
                default: return true;
            }
        }
    }

    private EntityActor GetOrAdd(Shard shard, ReadOnlySpan<byte> name)
    {
        if (_bySpan.TryGetValue(name, out var actor)) return actor;
        var added = new EntityActor(this, shard, new EntityName(name));
        actor = _actors.GetOrAdd(added.Name, added);
        if (ReferenceEquals(actor, added)) AddBytes(actor.Bytes);
        return actor;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Reading an entity from disk failed.")]
    private static partial void LogActivationFailed(ILogger logger, Exception e);
}
