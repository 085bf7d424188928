using System.Collections.Immutable;
using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Warp.Http.Storage;

/// <summary>
/// The background of one shard: makes the next journal ahead, seals memtables into runs, syncs the mark, watches the disk's room.
/// What is done to sealed runs is done beside it, by <see cref="RunRewriter"/>.
/// </summary>
/// <remarks>
/// One named thread. It never waits for the writer (the writer may be waiting for it): it asks for a rotation and comes back when that is done.
/// Whatever fails is tried again at the next turn; nothing is half done, because a file counts only once the catalog names it.
/// </remarks>
internal sealed partial class Maintenance : IDisposable
{
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(1);

    // Half of a processor while appends come, in steps that a group commit hardly feels.
    private static readonly TimeSpan PaceWork = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan PaceRest = TimeSpan.FromMilliseconds(1);

    private readonly AutoResetEvent _due = new(initialState: false);
    private readonly ManualResetEvent _ending = new(initialState: false);
    private readonly WorkPace _pace;
    private readonly Func<bool> _isBehind;
    private readonly string _directory;
    private readonly Catalog _catalog;
    private readonly ViewHolder _views;
    private readonly HighWaterMark _mark;
    private readonly Tombstones _tombstones;
    private readonly StoreOptions _options;
    private readonly long _idSeed;
    private readonly Action<DamagedDataException> _onDamage;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Thread _thread;
    private readonly PendingRun _pending;
    private readonly RunRewriter _rewriter;
    private readonly Action[] _work; // of one turn, in this order
    private readonly List<long> _sealedJournals = []; // to be unlinked
    private readonly List<Tombstone> _sealedFences = []; // to be told when they are
    private readonly List<long> _emptyJournals;
    private ShardWriter? _writer;
    private long _flushedPosition;
    private bool _rotationAsked;
    private string? _trouble;
    private volatile bool _storageFull;
    private volatile bool _stopping;
    private volatile bool _quarantined;

    public Maintenance(string name, string directory, Catalog catalog, ViewHolder views, HighWaterMark mark, Tombstones tombstones, IEnumerable<long> emptyJournals, byte[] nameSecret,
        Action<DamagedDataException> onDamage, StoreOptions options, TimeProvider time, ILogger logger)
    {
        (_directory, _catalog, _views, _mark, _tombstones, _onDamage, _options, _time, _logger) =
            (directory, catalog, views, mark, tombstones, onDamage, options, time, logger);
        _idSeed = EventIdHash.SeedOf(nameSecret);
        _emptyJournals = [.. emptyJournals];
        _pending = new PendingRun(catalog, logger);
        _rewriter = new RunRewriter($"{name}-rewriter", directory, catalog, views, tombstones, nameSecret, onDamage, () => _writer!.DurablePosition, options, logger);
        _pace = new WorkPace(() => _writer!.DurablePosition, PaceWork, PaceRest);
        // Appends go on during a seal up to a bound; well before it the seal takes all it can get.
        _isBehind = () => _views.Current.Memtables.Sum(m => m.Bytes) > _options.UnsealedBytesMax / 2;
        _work = [WatchRoom, FlushMark, () => _pending.Settle(), UnlinkSealed, OfferJournal, Seal, AskForRotationIfDue];
        _thread = new Thread(Loop) { Name = name, IsBackground = true };
    }

    /// <summary>What keeps it from its work; null = nothing does.</summary>
    public string? Trouble => Volatile.Read(ref _trouble) ?? _rewriter.Trouble;

    public bool IsRewriterIdle => _rewriter.IsIdle;

    public bool IsErasureDue => _rewriter.IsErasureDue;

    /// <summary>The disk has less room than sealing and erasing need: appends are refused beforehand.</summary>
    public bool StorageFull => _storageFull;

    public void Start(ShardWriter writer)
    {
        _writer = writer;
        _thread.Start();
        _rewriter.Start();
    }

    /// <summary>There is something to do; may be called from any thread.</summary>
    public void Due()
    {
        try
        {
            _due.Set();
        }
        catch (ObjectDisposedException)
        {
            // A completion that the pool ran after the end: the next start finds what there is to do.
        }
    }

    /// <summary>The shard's files contradict themselves: none of them is changed any more. Any thread.</summary>
    public void Quarantine()
    {
        _quarantined = true;
        _rewriter.Quarantine();
    }

    public void Stop()
    {
        _stopping = true;
        _ending.Set();
        _due.Set();
        if (_thread.IsAlive) _thread.Join(); // it may never have been started
        _rewriter.Stop();
    }

    public void Dispose()
    {
        _due.Dispose();
        _ending.Dispose();
        _rewriter.Dispose();
    }

    private void Loop()
    {
        while (!_stopping)
        {
            if (_quarantined)
            {
                _due.WaitOne(); // until the end
                continue;
            }

            try
            {
                // The shard may be found damaged during any of them; from then on no file is changed.
                foreach (var work in _work)
                    if (!_quarantined) work();
                Volatile.Write(ref _trouble, null);
            }
            catch (DamagedDataException e)
            {
                // Trying again would find the same, and sealing around it would lose what is damaged.
                _onDamage(e);
                continue;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Volatile.Write(ref _trouble, "Sealing failed; it is tried again every second.");
                LogFailed(_logger, e);
            }

            _due.WaitOne(Turn);
        }
    }

    private void WatchRoom() => _storageFull = new DriveInfo(_directory).AvailableFreeSpace < _options.FreeBytesMin;

    private void FlushMark()
    {
        var position = _writer!.DurablePosition;
        if (position == _flushedPosition) return;
        _mark.Flush();
        _flushedPosition = position;
    }

    private void OfferJournal()
    {
        if (!_writer!.HasNextJournal) _writer.OfferNextJournal(Journal.Create(_directory, _catalog, _options));
    }

    private void AskForRotationIfDue()
    {
        if (_rotationAsked) return;
        var active = _views.Current.Active;
        if (active.IsEmpty) return;
        var age = _time.GetUtcNow() - DateTimeOffset.FromUnixTimeMilliseconds(active.FirstCommittedMs);
        if (age < _options.SealAfter && !_tombstones.Pending().Exists(t => _tombstones.IsUnsealed(t))) return;
        _rotationAsked = true;
        _writer!.Enqueue(new RotateRequest(this));
    }

    /// <summary>Everything but the active memtable becomes one run, without what was erased.</summary>
    private void Seal()
    {
        SetEmptyJournalsAside();
        var sealing = _views.Current.Memtables[..^1];
        if (sealing.IsEmpty)
        {
            DropEmptyJournals();
            return;
        }

        var started = Stopwatch.GetTimestamp();
        var fences = sealing.SelectMany(m => m.Fences.ToArray()).Select(ToTombstone).ToList();
        var run = BuildRun(sealing, fences);
        var journals = sealing.Select(m => m.JournalId).Concat(_emptyJournals).ToList();
        var entry = new RunEntry(run.Id, run.FirstPosition, run.LastPosition);
        bool Name()
        {
            _options.AtStep?.Invoke(StoreStep.RunBuilt);
            if (_quarantined) return false; // while it was built
            _catalog.Sealed(journals, entry, _writer!.LastEntity, fences);
            _options.AtStep?.Invoke(StoreStep.SealNamed);
            return true;
        }

        var isNamed = _pending.Name(run, Name, () =>
        {
            _views.Replace(view => new View(view.Runs.Add(run), view.Memtables.RemoveRange(sealing)));
            _sealedJournals.AddRange(journals);
            _sealedFences.AddRange(fences);
            _emptyJournals.Clear();
            _writer!.RoomMade();
        });
        if (!isNamed || _quarantined) return;
        UnlinkSealed();
        StorageMetrics.SealSeconds.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
        LogSealed(_logger, sealing.Length, run.LastPosition - run.FirstPosition + 1, run.Bytes);
    }

    /// <summary>The rest of a seal that may have to be tried again. A fence counts as sealed once the journals that held the life are gone.</summary>
    private void UnlinkSealed()
    {
        if (_sealedJournals.Count == 0) return;
        foreach (var id in _sealedJournals)
        {
            if (_quarantined) return;
            Journal.Delete(Journal.PathOf(_directory, id));
        }

        _options.AtStep?.Invoke(StoreStep.Sealed);
        _sealedJournals.Clear();
        foreach (var fence in _sealedFences) _tombstones.Sealed(fence);
        if (_sealedFences.Count > 0) _rewriter.ErasureDue();
        else _rewriter.Due();
        _sealedFences.Clear();
    }

    /// <summary>A journal whose first commit failed has no rows; a run of no positions would take the place of the one after it.</summary>
    private void SetEmptyJournalsAside()
    {
        var empty = _views.Current.Memtables[..^1].Where(m => m.IsEmpty).ToList();
        if (empty.Count == 0) return;
        _emptyJournals.AddRange(empty.Select(m => m.JournalId));
        _views.Replace(view => new View(view.Runs, view.Memtables.RemoveRange(empty)));
    }

    private Run BuildRun(ImmutableArray<Memtable> sealing, List<Tombstone> fences)
    {
        // Not those whose fence comes behind what is sealed: with durability os a power cut may take the fence, and must not find half of the life gone.
        var erased = fences.Concat(_tombstones.Pending().Where(t => !_tombstones.IsUnsealed(t))).Select(t => t.Entity).ToHashSet();
        var id = _catalog.NextFileId();
        _pace.Begin();
        using (var builder = new RunBuilder(_directory, id, _idSeed, new RunBases(sealing[0].FirstPosition, sealing[0].FirstCommittedMs)))
        {
            foreach (var name in sealing.SelectMany(m => m.Names.ToArray()).OrderBy(n => n.Entity))
                if (!erased.Contains(name.Entity)) builder.AddName(name.Entity, name.Tag, name.Name);
            foreach (var entity in sealing.SelectMany(m => m.Entities).Distinct().Order())
            {
                if (erased.Contains(entity)) continue;
                foreach (var memtable in sealing)
                    foreach (ref readonly var slice in memtable.Slices(entity)) builder.Add(entity, slice.Open());
                _pace.Wait(_ending, _isBehind);
            }

            AddStates(builder, sealing, erased);
            builder.Finish(sealing[^1].LastPosition, sealing[^1].LastCommittedMs);
        }

        var run = Run.OpenBuilt(_directory, id, _onDamage);
        StorageMetrics.SealedBytes.Add(run.Bytes);
        return run;
    }

    /// <summary>Of each entity and aggregate the newest: the last memtable that holds one decides.</summary>
    private static void AddStates(RunBuilder builder, ImmutableArray<Memtable> sealing, HashSet<long> erased)
    {
        var states = sealing.SelectMany((memtable, place) => memtable.States.Select(state => (State: state, Place: place))).Where(s => !erased.Contains(s.State.Entity));
        foreach (var (state, place) in states.OrderBy(s => s.State.Entity))
        {
            var aggregate = StateBody.Read(state.Body.Span).Aggregate;
            var newer = false;
            for (var i = place + 1; i < sealing.Length && !newer; i++) newer = sealing[i].TryFindState(state.Entity, aggregate, out _);
            if (!newer) builder.AddState(state.Entity, state.Body.Span);
        }
    }

    /// <summary>Journals that recovery found without rows; with a later journal in use nobody needs them.</summary>
    private void DropEmptyJournals()
    {
        if (_emptyJournals.Count == 0) return;
        _catalog.Sealed(_emptyJournals, null, _writer!.LastEntity, []);
        foreach (var id in _emptyJournals) Journal.Delete(Journal.PathOf(_directory, id));
        _emptyJournals.Clear();
    }

    private static Tombstone ToTombstone(MemFence fence) =>
        new(fence.Body.Tag, fence.Entity, fence.Body.ReceiptId, fence.CommittedMs, fence.Events, fence.Position, Complete: false);

    [LoggerMessage(Level = LogLevel.Error, Message = "Maintenance of a shard failed; it is tried again.")]
    private static partial void LogFailed(ILogger logger, Exception e);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Sealed {Memtables} memtable(s), {Positions} positions, into a run of {Bytes} bytes.")]
    private static partial void LogSealed(ILogger logger, int memtables, long positions, long bytes);

    private sealed class RotateRequest : CommitItem
    {
        private readonly Maintenance _owner;

        public RotateRequest(Maintenance owner)
        {
            _owner = owner;
            Kind = CommitKind.Rotate;
        }

        public override void Complete()
        {
            Volatile.Write(ref _owner._rotationAsked, false);
            _owner.Due();
        }
    }
}
