using Microsoft.Extensions.Logging;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>One shard: its files, its writer, its view. Opening recovers it; a damaged one is kept out of service and says why.</summary>
internal sealed partial class Shard : IDisposable
{
    private readonly StoreOptions _options;
    private readonly DataDirectory _directory;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly string _path;
    private Catalog? _catalog;
    private HighWaterMark? _mark;
    private ShardRecovery? _recovery; // null once the views hold what it found
    private ViewHolder? _views;
    private ShardWriter? _writer;
    private Maintenance? _maintenance;
    private CommitFeed? _feed;
    private IReadOnlyList<MemState> _looseStates = [];
    private string? _damage;
    private long _queuedBytes;

    public Shard(int index, DataDirectory directory, StoreOptions options, TimeProvider time, ILogger logger)
    {
        Index = index;
        (_options, _directory, _time, _logger) = (options, directory, time, logger);
        _path = directory.ShardPath(index);
    }

    /// <summary>Reads the shard's files and changes none of them.</summary>
    /// <exception cref="DataDirectoryException">Something keeps it from reading them, and whether they are damaged is not known.</exception>
    public void Read() => Attempt(Recover);

    /// <summary>Makes durable what was found and makes the journal that the shard goes on with; after <see cref="Read"/>, before <see cref="Start"/>.</summary>
    /// <exception cref="DataDirectoryException">Something keeps it from that. At most an empty journal is left behind.</exception>
    public void Prepare()
    {
        if (Damage is null) Attempt(Settle);
    }

    /// <summary>Begins to serve.</summary>
    /// <exception cref="DataDirectoryException">Something keeps it from that.</exception>
    public void Start()
    {
        if (Damage is null) Attempt(StartThreads);
    }

    public int Index { get; }

    public Tombstones Tombstones { get; } = new();

    /// <summary>Why the shard takes no reads and no appends; null if it does.</summary>
    public string? Damage => Volatile.Read(ref _damage);

    /// <summary>What is wrong at the moment, for readiness; null = nothing.</summary>
    public string? Trouble => Damage ?? Prefixed(_writer!.Trouble) ?? Prefixed(_maintenance!.Trouble) ?? Prefixed(_maintenance.StorageFull ? "The disk is nearly full; appends are refused." : null);

    public long DurablePosition => _writer?.DurablePosition ?? 0;

    /// <summary>Bytes of events that stand in journals and memory alone.</summary>
    public long UnsealedBytes => _views?.Current.Memtables.Sum(m => m.Bytes) ?? 0;

    public int Runs => _views?.Current.Runs.Length ?? 0;

    /// <summary>True if no run is being merged or rewritten, and none is to be.</summary>
    internal bool IsRewriterIdle => _maintenance!.IsRewriterIdle;

    /// <summary>True while runs wait to be rewritten for an erasure, as behind a merge.</summary>
    internal bool IsErasureDue => _maintenance!.IsErasureDue;

    public long QueuedBytes => Volatile.Read(ref _queuedBytes);

    /// <summary>What the queue still takes; negative while one append alone is larger than the bound.</summary>
    public long FreeQueueBytes => _options.QueuedBytesMax - QueuedBytes;

    public int Epoch => _writer?.Epoch ?? 0;

    /// <summary>The number of the youngest life, durable or not; 0 = there was none, or the shard is out of service.</summary>
    public long LastEntity => _writer?.LastEntity ?? 0;

    /// <exception cref="ShardUnavailableException">The shard is damaged.</exception>
    public ViewHolder Views => Damage is { } damage ? throw new ShardUnavailableException(damage) { IsTransient = false } : _views!;

    /// <exception cref="ShardUnavailableException">The shard is damaged.</exception>
    public CommitFeed Feed => Damage is { } damage ? throw new ShardUnavailableException(damage) { IsTransient = false } : _feed!;

    /// <summary>False if the shard never came into service: then there is nothing to read it by.</summary>
    public bool CanBeVerified => _feed is not null;

    /// <summary>Also while it is out of service, so that all that is wrong is told and not only the first.</summary>
    public ViewLease LeaseToVerify()
    {
        _options.AtStep?.Invoke(StoreStep.Verifying);
        return _views!.Lease();
    }

    public List<(string Where, string What)> CheckCatalog() => _catalog!.Check();

    /// <summary>True if the catalog cuts the journal at a position, after a failure or a power cut.</summary>
    public bool IsJournalCut(long id) => _catalog!.Journals().Exists(journal => journal.Id == id && journal.State == JournalState.Failed);

    /// <summary>
    /// Whether an append of so many bytes may be queued: <see cref="AppendStatus.Appended"/> = yes, and the bytes are counted until
    /// <see cref="Leave"/>; else the refusal.
    /// </summary>
    public AppendStatus Enter(int bytes)
    {
        if (Damage is not null || _writer!.Trouble is not null) return AppendStatus.Unavailable;
        if (_maintenance!.StorageFull) return AppendStatus.StorageFull;
        if (Interlocked.Add(ref _queuedBytes, bytes) <= _options.QueuedBytesMax) return AppendStatus.Appended;
        // One append alone may be larger than the whole bound; it goes through when nothing else waits.
        if (Volatile.Read(ref _queuedBytes) == bytes) return AppendStatus.Appended;
        Leave(bytes);
        return AppendStatus.Overloaded;
    }

    public void Leave(int bytes) => Interlocked.Add(ref _queuedBytes, -bytes);

    /// <summary>
    /// Takes the shard out of service because its stored bytes contradict themselves, until the next start: no append, no read, no change of any
    /// file, so that whoever repairs or restores it finds what there was. The other shards serve. Any thread; only the first reason counts.
    /// </summary>
    public void Quarantine(DamagedDataException reason)
    {
        if (Interlocked.CompareExchange(ref _damage, $"Shard {Index} is out of service: {reason.Message}", null) is not null) return;
        LogDamaged(_logger, Index, reason);
        _maintenance?.Quarantine();
        _writer?.Quarantine();
        _writer?.Committed.Close(); // nothing more comes for who waits
    }

    public void Enqueue(CommitItem item) => _writer!.Enqueue(item);

    public Life LifeOf(long number) => new(Index, number);

    /// <summary>Something for maintenance to do, as after a fence.</summary>
    public void MaintenanceDue() => _maintenance!.Due();

    /// <summary>Commits what is queued and refuses what comes; reads go on.</summary>
    public void Stop()
    {
        _writer?.Stop();
        _maintenance?.Stop();
    }

    public void Dispose()
    {
        if (_writer is not null) _mark?.Flush(); // before there is a writer, nobody wrote it
        LetGoOfRecovery();
        _writer?.Dispose();
        _maintenance?.Dispose();
        _views?.Dispose();
        _mark?.Dispose();
        _catalog?.Dispose();
    }

    private void Recover()
    {
        _options.AtStep?.Invoke(StoreStep.Recovering);
        _catalog = new Catalog(Path.Combine(_path, "catalog.db"));
        _options.AtStep?.Invoke(StoreStep.Recovering);
        _mark = new HighWaterMark(Path.Combine(_path, "mark")) { AtWritten = _options.AtStep is { } atStep ? () => atStep(StoreStep.MarkWritten) : null };
        _recovery = new ShardRecovery(_path, _catalog, _mark, Quarantine, _options, _logger);
        _recovery.Recover();
    }

    private void Settle()
    {
        var recovered = _recovery!.Settle();
        RestoreTombstones(recovered);
        var journal = Journal.Create(_path, _catalog!, _options);
        _views = new ViewHolder(new View([.. recovered.Runs], [.. recovered.Memtables, new Memtable(journal.Id, recovered.LastPosition + 1)]));
        _recovery = null;
        _maintenance = new Maintenance(
            $"warp-maintenance-{Index:D3}", _path, _catalog!, _views, _mark!, Tombstones, recovered.EmptyJournals, _directory.NameSecret, Quarantine, _options, _time, _logger);
        _writer = new ShardWriter(
            $"warp-writer-{Index:D3}", recovered, journal, _path, _catalog!, _views, _mark!, Tombstones, _options, _maintenance.Due, Quarantine, _time, _logger);
        _feed = new CommitFeed(this, _writer);
        _looseStates = recovered.LooseStates;
    }

    private void StartThreads()
    {
        _writer!.Start();
        // Before anything else comes, so that a fence of the same life stands behind it. Its name is known; only a first record would need it.
        foreach (var state in _looseStates)
            _writer.Enqueue(new StateOffer(new EntityRef(new EntityName([]), default, state.Entity), StateBody.Read(state.Body.Span).Seq, state.Body.ToArray()));
        _looseStates = [];
        _maintenance!.Start(_writer);
        _maintenance.Due();
    }

    /// <summary>A step of the start: damage takes this shard out of service, and the others serve; what says nothing about its files ends the start.</summary>
    private void Attempt(Action step)
    {
        try
        {
            step();
        }
        catch (Exception e) when (ReadFailure.IsDamage(e))
        {
            LetGoOfRecovery();
            // What is not SQLite's reading names the whole path, which is nobody's business who asks for the service's health.
            Quarantine(e as DamagedDataException ?? new DamagedDataException(e.Message.Replace(_path + Path.DirectorySeparatorChar, "", StringComparison.Ordinal), e));
        }
        catch (Exception e) when (ReadFailure.IsObstacle(e))
        {
            throw DataDirectoryException.Of($"{_path} can't be opened, and is left as it is", e);
        }
    }

    private void LetGoOfRecovery()
    {
        _recovery?.Close();
        _recovery = null;
    }

    private void RestoreTombstones(RecoveredShard recovered)
    {
        foreach (var tombstone in _catalog!.Tombstones()) Tombstones.AddFromCatalog(tombstone);
        foreach (var memtable in recovered.Memtables)
            foreach (ref readonly var fence in memtable.Fences)
                Tombstones.AddFromJournal(new Tombstone(fence.Body.Tag, fence.Entity, fence.Body.ReceiptId, fence.CommittedMs, fence.Events, fence.Position, Complete: false));
    }

    private string? Prefixed(string? trouble) => trouble is null ? null : $"Shard {Index}: {trouble}";

    [LoggerMessage(Level = LogLevel.Critical, Message = "Shard {Shard} is damaged and stays out of service; its files are left as they are.")]
    private static partial void LogDamaged(ILogger logger, int shard, Exception e);
}
