using System.Diagnostics;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>
/// The one writer of one entity: takes its commands in order, judges them on everything that went before, durable or in flight,
/// and hands appends to the shard's writer. Acknowledges nothing itself.
/// </summary>
/// <remarks>
/// Any thread posts; the mailbox's owner drains and alone touches the fields marked so. The shard's writer publishes what became durable.
/// Readers use <see cref="Published"/> and nothing else. Split by role: this file is mailbox and order, .Judge the checks, .Replay idempotency,
/// .Load activation, .Memory what it takes and when it goes, .Read what readers call.
/// </remarks>
public sealed partial class EntityActor : IThreadPoolWorkItem
{
    /// <summary>Commands handled before the thread is given back to the pool, so that one busy entity does not keep a request's thread.</summary>
    private const int CommandsPerDrain = 64;

    private readonly EntityRegistry _registry;
    private Mailbox<EntityCommand, HardwareAtomics> _mailbox;

    private EntityCommand? _carried; // drainer only: taken from the mailbox, not handled yet
    private EntityLife? _life; // drainer only: the life that the next command meets; null = none
    private EntityLife? _nextLife; // drainer only: while there is none, the one that a rule was judged on before it began
    private long _lastSeq; // drainer only: the last seq given, durable or not
    private bool _erased; // drainer only: erased, durably or in flight
    private bool _fenced; // drainer only: this actor submitted a fence, durable or not
    private int _epoch; // drainer only: the shard's epoch that the fields above belong to
    private bool _loaded; // drainer only
    private Suspension _suspension; // drainer only: what the command in hand waits for
    private IdIndex? _ids; // drainer only: null = not loaded for this life
    private bool _isHandedOn; // drainer only: the command in hand is the writer's or the pool's, and is answered there
    private bool _isDistrusted; // drainer only: judging broke off at a bug, and what the fields above say may be half of a change

    private EntityLife? _published; // set by the writer's thread when durable, read by any
    private int _inFlight; // up by the drainer, down by the writer's thread
    private int _queuedBytes; // up by who posts, down by the completion

    internal EntityActor(EntityRegistry registry, Shard shard, EntityName name, int nameHash)
    {
        _registry = registry;
        Shard = shard;
        Name = name;
        NameHash = nameHash;
    }

    public EntityName Name { get; }

    internal Shard Shard { get; }

    /// <summary>The life that readers see: durable, not erased; null = there is none.</summary>
    internal EntityLife? Published => Volatile.Read(ref _published);

    internal PostResult Post(EntityCommand command)
    {
        // What waits for the writer counts, too, and is refused here, before it is queued: a caller that keeps an order of its own can then
        // wait and post again before anything of this entity overtakes it. What is in the mailbox by now may still pass the bound by as much.
        var append = command as AppendCommand;
        if (append is not null && (Volatile.Read(ref _inFlight) >= _registry.MailboxCommandsMax || !TryEnter(append.QueuedBytes))) return PostResult.Full;
        command.Actor = this;
        var result = _mailbox.Post(command, _registry.MailboxCommandsMax);
        if (result == PostResult.Drain) Drain();
        else if (append is not null && result != PostResult.Queued) Leave(append.QueuedBytes);
        return result;
    }

    /// <summary>An append that entered is done with.</summary>
    internal void Leave(int bytes) => Interlocked.Add(ref _queuedBytes, -bytes);

    void IThreadPoolWorkItem.Execute() => Drain();

    internal void Committed_WriterThreadOnly(AppendCommand command)
    {
        var life = command.Life!;
        life.DurableSeq = command.FirstSeq + command.Count - 1;
        if (command.FirstSeq == 1) Volatile.Write(ref _published, life);
        if (life.DurableSeq / StoreStateEvents > (command.FirstSeq - 1) / StoreStateEvents) _registry.HasGrown(this);
        Interlocked.Decrement(ref _inFlight);
    }

    internal void Erased_WriterThreadOnly()
    {
        Volatile.Write(ref _published, null);
        Interlocked.Decrement(ref _inFlight);
    }

    internal void Failed_WriterThreadOnly() => Interlocked.Decrement(ref _inFlight);

    /// <summary>
    /// Answers without storing. An answer stands on what was judged, and that may still be in flight: then it goes through the writer behind it,
    /// and fails with it.
    /// </summary>
    internal void Answer(EntityCommand command)
    {
        Debug.Assert(command.Kind == CommitKind.Barrier, "An answer writes nothing.");
        _isHandedOn = true;
        // In this order: nothing in flight because it failed is seen as the epoch that the writer raised before.
        if (Volatile.Read(ref _inFlight) == 0 && _epoch == Shard.Epoch)
        {
            ThreadPool.UnsafeQueueUserWorkItem(command, preferLocal: false);
            return;
        }

        command.Epoch = _epoch;
        Shard.Enqueue(command);
    }

    /// <summary>Handles commands until none waits. The caller owns the mailbox; on return it does not any more.</summary>
    private void Drain()
    {
        for (var handled = 0; ; handled++)
        {
            var command = _carried ?? TakeAll();
            if (command is null)
            {
                if (_mailbox.TryLeave_OwnerOnly()) return;
                continue;
            }

            if (handled == CommandsPerDrain)
            {
                _carried = command;
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                return;
            }

            _carried = ((IMailed<EntityCommand>)command).Next;
            if (!LoadAndHandle(command)) return;
        }
    }

    /// <summary>False if a reader's thread goes on with it.</summary>
    private bool LoadAndHandle(EntityCommand command)
    {
        try
        {
            if (_loaded || TryLoadFromMemory()) return Handle(command, mayReadDisk: false);
        }
        catch (Exception e)
        {
            // Mostly a shard that was taken out of service while the command was on its way. Handling catches for itself: this is the load.
            FailRead(command, e);
            return true;
        }

        ReadDiskThen(command, static (actor, waiting) => actor.LoadThenHandle(waiting));
        return false;
    }

    private EntityCommand? TakeAll()
    {
        var oldest = _mailbox.TakeAll_OwnerOnly();
        if (oldest is null) return null;
        var waiting = 0;
        for (IMailed<EntityCommand>? command = oldest; command is not null; command = command.Next) waiting++;
        EntityMetrics.MailboxDepth.Record(waiting);
        return oldest;
    }

    /// <summary>Judges one command. False if it was suspended: the mailbox stays owned until its <see cref="Resume"/>.</summary>
    private bool Handle(EntityCommand command, bool mayReadDisk)
    {
        if (_epoch != Shard.Epoch) RebuildFromDurable();
        if (_isDistrusted && !TryTrustAgain())
        {
            FailUnread(command);
            return true;
        }

        _suspension = Suspension.None;
        _isHandedOn = false;
        try
        {
            command.Judge(this, mayReadDisk);
        }
        catch (Exception e) when (e is IOException or ShardUnavailableException or InvalidDataException)
        {
            // Judging reads before it submits or answers: nothing of the command is under way.
            FailRead(command, e);
            return true;
        }
        catch (Exception e)
        {
            // A bug. One command pays for it, not the entity's mailbox, whose owner this is, nor the service, whose thread this may be.
            _registry.LogJudgingBroke(e);
            _isDistrusted = true;
            if (!_isHandedOn) FailUnread(command);
            return true;
        }

        CountJudging();

        var suspension = _suspension;
        if (suspension == Suspension.None) return true;

        // The last step, because whoever resumes may do so before it returns: from here on the fields are another thread's.
        if (suspension == Suspension.UntilDurable) Shard.Enqueue(new Resumption(this, command) { Epoch = _epoch });
        else ReadDiskThen(command, static (actor, waiting) => actor.Handle(waiting, mayReadDisk: true));
        return false;
    }

    /// <summary>Goes on with a command that was suspended, then with the rest.</summary>
    private void Resume(EntityCommand command, bool mayReadDisk)
    {
        if (Handle(command, mayReadDisk)) Drain();
    }

    private void ReadDiskThen(EntityCommand command, Func<EntityActor, EntityCommand, bool> goOn)
    {
        try
        {
            _registry.Store.Readers.Post(() => RunOrFail(command, goOn));
        }
        catch (ShardUnavailableException)
        {
            FailUnread(command);
            Drain();
        }
    }

    private void RunOrFail(EntityCommand command, Func<EntityActor, EntityCommand, bool> goOn)
    {
        try
        {
            if (!goOn(this, command)) return;
        }
        catch (Exception e)
        {
            FailRead(command, e);
        }

        Drain();
    }

    private void FailRead(EntityCommand command, Exception e)
    {
        if (e is not ShardUnavailableException) _registry.LogReadFailed(e); // that is told where it begins, not once a command
        if (e is DamagedDataException damage)
        {
            if (_life is null) Shard.Quarantine(damage);
            else TellOfDamage(_life, damage);
        }

        FailUnread(command);
    }

    private static void FailUnread(EntityCommand command)
    {
        command.Failure = CommitFailure.Refused;
        ThreadPool.UnsafeQueueUserWorkItem(command, preferLocal: false);
    }

    private void Submit(EntityCommand command, CommitKind kind, EntityLife life, long firstSeq)
    {
        command.Kind = kind;
        command.EntityRef = life;
        command.Life = life;
        command.FirstSeq = firstSeq;
        command.Epoch = _epoch;
        Interlocked.Increment(ref _inFlight);
        _isHandedOn = true;
        Shard.Enqueue(command);
    }

    /// <summary>False while something is in flight whose seqs are known only from the fields that are not trusted.</summary>
    private bool TryTrustAgain()
    {
        if (Volatile.Read(ref _inFlight) > 0) return false;
        RebuildFromDurable();
        return true;
    }

    /// <summary>A commit failed since the last command, or judging did: forget what was in flight, stand on what is durable.</summary>
    private void RebuildFromDurable()
    {
        _isDistrusted = false;
        _epoch = Shard.Epoch;
        _ids = null;
        _working = null;
        _fenced = false; // what became durable of it is among the tombstones
        _life = Published;
        _lastSeq = _life?.DurableSeq ?? 0;
        _erased = _life is null && Shard.Tombstones.TryFind(_registry.Store.TagOf(Name.Utf8), out _);
    }

    /// <summary>
    /// Fairness: one entity may hold half as much of its shard's queue as is still free there, and always one append. Alone it gets a third of the
    /// queue, ten busy ones a twelfth each, and a sixth stays free for the others (Choudhury, Hahne: "Dynamic queue length thresholds", 1998).
    /// </summary>
    private bool TryEnter(int bytes)
    {
        var held = Interlocked.Add(ref _queuedBytes, bytes);
        if (held == bytes || held <= Shard.FreeQueueBytes / 2) return true;
        Leave(bytes);
        return false;
    }

    private enum Suspension : byte
    {
        None,

        /// <summary>The command needs what is on disk: a reader's thread goes on with it and drains.</summary>
        ForDisk,

        /// <summary>The command must see what is in flight as durable: it is judged again when that is so, or has failed.</summary>
        UntilDurable,
    }

    private sealed class Resumption : CommitItem
    {
        private readonly EntityActor _actor;
        private readonly EntityCommand _command;

        public Resumption(EntityActor actor, EntityCommand command)
        {
            (_actor, _command) = (actor, command);
            Kind = CommitKind.Barrier;
        }

        public override void Complete() => _actor.Resume(_command, mayReadDisk: false);
    }
}
