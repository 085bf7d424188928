using System.Globalization;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>The live actors: finds an entity's, or activates it. Which ones stay in memory is passivation's business.</summary>
public sealed partial class EntityRegistry
{
    /// <summary>Entities that wait for the background folds. Few grow by thousands of events a second.</summary>
    private const int GrownMax = 1024;

    private readonly ActorTable _actors = new();
    private readonly Channel<EntityActor> _grown = Channel.CreateBounded<EntityActor>(new BoundedChannelOptions(GrownMax) { SingleReader = true });
    private readonly ILogger _logger;
    private readonly string _mailboxFull;
    private readonly string _overloaded;
    private readonly string _storageFull;
    private Tuple<AggregateSet?, bool> _rules = Tuple.Create<AggregateSet?, bool>(null, false);

    public EntityRegistry(
        Store store, AggregateCatalog definitions, IOptions<EntityOptions> options, IOptions<Limits> limits, TimeProvider time, ILogger<EntityRegistry> logger)
    {
        Store = store;
        Definitions = definitions;
        Options = options.Value;
        Limits = limits.Value;
        Time = time;
        _logger = logger;
        _evict = Evict;
        _mailboxFull = string.Create(CultureInfo.InvariantCulture,
            $"{Limits.MailboxCommands} appends wait for the entity (mailboxCommands), or it holds half of what is free of its shard's queue (Warp__QueuedBytesMax); nothing was stored. Send fewer appends at once to one entity, or batches.");
        _overloaded = string.Create(CultureInfo.InvariantCulture, $"{store.Options.QueuedBytesMax} bytes wait for the entity's shard (Warp__QueuedBytesMax); nothing was stored.");
        _storageFull = string.Create(CultureInfo.InvariantCulture,
            $"The disk has less than {store.Options.FreeBytesMin} bytes free (Warp__FreeBytesMin); nothing was stored. Reads and erasures go on.");
        EntityMetrics.Opened(this);
    }

    internal Store Store { get; }

    internal AggregateCatalog Definitions { get; }

    internal EntityOptions Options { get; }

    internal Limits Limits { get; }

    internal TimeProvider Time { get; }

    /// <summary>Entities that have grown by enough events that their states should be stored.</summary>
    internal ChannelReader<EntityActor> Grown => _grown.Reader;

    internal int MailboxCommandsMax => Limits.MailboxCommands;

    /// <summary>
    /// Posts an append; the outcome comes when it is durable. A refusal before queueing (MailboxFull, Overloaded, StorageFull, Unavailable) comes
    /// as a completed task. The continuation runs on a pool item that completes other appends after it: it must not block.
    /// </summary>
    public ValueTask<AppendOutcome> AppendAsync(AppendCommand command)
    {
        var outcome = command.Completion; // taken before: once posted, the command may be completed and used again
        var refused = Post(command);
        return refused == AppendStatus.Appended ? outcome : new ValueTask<AppendOutcome>(RefusalOf(refused));
    }

    /// <summary>The same for who keeps the command, and awaits its <see cref="AppendCommand.Completion"/> later: Appended = queued, else the refusal.</summary>
    public AppendStatus Post(AppendCommand command)
    {
        var shard = Store.ShardOf(command.Entity);
        var bytes = command.QueuedBytes;
        var admitted = shard.Enter(bytes);
        if (admitted != AppendStatus.Appended || Post(shard, command.Entity, command)) return admitted;
        shard.Leave(bytes);
        return AppendStatus.MailboxFull;
    }

    /// <summary>The outcome of an append that was refused before it was queued, with the setting that refused it.</summary>
    public AppendOutcome RefusalOf(AppendStatus refused) => new(refused, Detail: refused switch
    {
        AppendStatus.MailboxFull => _mailboxFull,
        AppendStatus.Overloaded => _overloaded,
        AppendStatus.StorageFull => _storageFull,
        _ => null,
    });

    /// <summary>The shard that a name belongs to, and its epoch, for <see cref="AppendCommand.BoundEpoch"/>.</summary>
    public (int Shard, int Epoch) EpochOf(ReadOnlySpan<byte> name)
    {
        var shard = Store.ShardOf(name);
        return (shard.Index, shard.Epoch);
    }

    /// <summary>True with the live actor if the entity is in memory and there is something of it to read: the hot path of reads, without allocation.</summary>
    public bool TryGetLive(ReadOnlySpan<byte> name, out EntityActor? actor)
    {
        actor = _actors.Find(_actors.HashOf(name), name);
        if (actor?.Published is null || actor.Shard.Damage is not null) return false;
        actor.Touch();
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

        return FindErasure(name.Span) is { } erasure ? new FoundEntity(EntityPresence.Erased, Erasure: erasure) : new FoundEntity(EntityPresence.Unknown);
    }

    /// <summary>
    /// The last erasure of a name, whether a new life began since or not: what was refused by an erasure is told of that one. Asks memory alone; it
    /// reads no disk, waits for nobody, and answers for a shard that is out of service, too.
    /// </summary>
    internal Tombstone? FindErasure(ReadOnlySpan<byte> name) =>
        Store.ShardOf(name).Tombstones.TryFind(Store.TagOf(name), out var erasure) ? erasure : null;

    /// <summary>
    /// Waits until the entity's durable seq has reached <paramref name="minSeq"/>, also where its actor is passivated meanwhile and another goes on, or where it
    /// is erased and recreated.
    /// </summary>
    /// <returns>The actor to read from, and false after the wait or when the entity was erased.</returns>
    public async ValueTask<(EntityActor Actor, bool Reached)> WaitForSeqAsync(EntityActor actor, long minSeq, TimeSpan wait, CancellationToken cancellation)
    {
        var started = Time.GetTimestamp();
        while (true)
        {
            var left = wait - Time.GetElapsedTime(started);
            if (await actor.WaitForSeqAsync(minSeq, left > TimeSpan.Zero ? left : TimeSpan.Zero, cancellation)) return (actor, true);
            if (left <= TimeSpan.Zero) return (actor, false);

            // The time is up, the actor was passivated, or the life ended: then there is nothing to wait for, or a new life to wait in.
            var found = await FindAsync(actor.Name.Memory, cancellation);
            if (found.Actor is not { } successor) return (actor, false);
            actor = successor;
        }
    }

    /// <param name="isNamedElsewhere">See <see cref="EraseCommand"/>.</param>
    internal async ValueTask<EraseStatus> EraseAsync(ReadOnlyMemory<byte> name, Guid receiptId, bool isNamedElsewhere, CancellationToken cancellation)
    {
        var shard = Store.ShardOf(name.Span);
        if (shard.Damage is { } damage) throw new ShardUnavailableException(damage) { IsTransient = false };
        var erase = new EraseCommand(receiptId, isNamedElsewhere);
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

    /// <summary>Any thread; does not block. Without a place it is let go: it comes again when it has grown on.</summary>
    internal void HasGrown(EntityActor actor)
    {
        if (actor.TryMarkGrown() && !_grown.Writer.TryWrite(actor)) actor.UnmarkGrown();
    }

    internal void LogReadFailed(Exception e) => LogActivationFailed(_logger, e);

    internal void LogJudgingBroke(Exception e) => LogJudgingFailed(_logger, e);

    /// <summary>False if the mailbox is full.</summary>
    internal bool Post(Shard shard, ReadOnlySpan<byte> name, EntityCommand command)
    {
        while (true)
        {
            var actor = GetOrAdd(shard, name);
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
        var hash = _actors.HashOf(name);
        if (_actors.Find(hash, name) is { } known)
        {
            known.Touch();
            return known;
        }

        var actor = _actors.GetOrAdd(hash, name, this, shard, out var added);
        if (added) actor.CountBytes();
        else actor.Touch();
        return actor;
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Reading an entity from disk failed.")]
    private static partial void LogActivationFailed(ILogger logger, Exception e);

    [LoggerMessage(Level = LogLevel.Critical, Message = "A command broke off at an error that its entity has no answer to; it was refused, and the entity goes on from what is durable.")]
    private static partial void LogJudgingFailed(ILogger logger, Exception e);
}
