using Microsoft.Extensions.Logging;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>One shard: its files, its writer, its view. Opening recovers it; a damaged one is kept out of service and says why.</summary>
internal sealed partial class Shard : IDisposable
{
    private readonly StoreOptions _options;
    private readonly Catalog? _catalog;
    private readonly HighWaterMark? _mark;
    private readonly ViewHolder? _views;
    private readonly ShardWriter? _writer;
    private readonly Maintenance? _maintenance;
    private readonly ILogger _logger;
    private readonly CommitFeed? _feed;
    private string? _damage;
    private long _queuedBytes;

    public Shard(int index, DataDirectory directory, StoreOptions options, TimeProvider time, ILogger logger)
    {
        Index = index;
        (_options, _logger) = (options, logger);
        var path = directory.ShardPath(index);
        RecoveredShard recovered;
        try
        {
            _catalog = new Catalog(Path.Combine(path, "catalog.db"));
            _mark = new HighWaterMark(Path.Combine(path, "mark")) { AtWritten = options.AtStep is { } atStep ? () => atStep(StoreStep.MarkWritten) : null };
            recovered = new ShardRecovery(path, _catalog, _mark, Quarantine, options, logger).Recover();
            RestoreTombstones(recovered);
            var journal = Journal.Create(path, _catalog, options);
            _views = new ViewHolder(new View([.. recovered.Runs], [.. recovered.Memtables, new Memtable(journal.Id, recovered.LastPosition + 1)]));
            _maintenance = new Maintenance(
                $"warp-maintenance-{index:D3}", path, _catalog, _views, _mark, Tombstones, recovered.EmptyJournals, directory.NameSecret, Quarantine, options, time, logger);
            _writer = new ShardWriter(
                $"warp-writer-{index:D3}", recovered, journal, path, _catalog, _views, _mark, Tombstones, options, _maintenance.Due, Quarantine, time, logger);
            _feed = new CommitFeed(this, _writer);
        }
        catch (Exception e) when (ReadFailure.IsDamage(e))
        {
            // What is not SQLite's reading names the whole path, which is nobody's business who asks for the service's health.
            Quarantine(e as DamagedDataException ?? new DamagedDataException(e.Message.Replace(path + Path.DirectorySeparatorChar, "", StringComparison.Ordinal), e));
            return;
        }

        _writer.Start();
        // Before anything else comes, so that a fence of the same life stands behind it. Its name is known; only a first record would need it.
        foreach (var state in recovered.LooseStates)
            _writer.Enqueue(new StateOffer(new EntityRef(new EntityName([]), default, state.Entity), StateBody.Read(state.Body.Span).Seq, state.Body.ToArray()));
        _maintenance.Start(_writer);
        _maintenance.Due();
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
        _mark?.Flush();
        _writer?.Dispose();
        _maintenance?.Dispose();
        _views?.Dispose();
        _mark?.Dispose();
        _catalog?.Dispose();
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
