using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Warp.Http.Storage;

/// <summary>The one writer of a shard: groups what actors hand it, commits each group as one journal row, and tells them.</summary>
/// <remarks>
/// One named thread runs <see cref="Loop"/>; SQLite blocks, so there is no async façade over it. Any thread may <see cref="Enqueue"/>.
/// Fields marked so belong to the writer's thread; the rest is published with Volatile.
/// Split by role: this file is its face, .Loop the group commit, .Failure what happens when the disk refuses.
/// </remarks>
internal sealed partial class ShardWriter : IDisposable
{
    private readonly CommitQueue<CommitItem, HardwareAtomics> _queue = new();
    private readonly AutoResetEvent _wake = new(initialState: false);
    private readonly string _directory;
    private readonly Catalog _catalog;
    private readonly ViewHolder _views;
    private readonly HighWaterMark _mark;
    private readonly StoreOptions _options;
    private readonly Tombstones _tombstones;
    private readonly Action _maintenanceDue;
    private readonly Action<DamagedDataException> _onDamage;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Thread _thread;
    private readonly RowBuffer _rows = new();

    private Journal _journal; // writer's thread only
    private Memtable _memtable; // writer's thread only
    private ulong _rowHash; // writer's thread only
    private long _lastEntity; // writer's thread only
    private long _lastMs; // writer's thread only
    private CommitItem? _carried; // writer's thread only: taken from the queue, beyond the last group's size

    private long _durablePosition;
    private int _epoch;
    private Journal? _nextJournal;
    private string? _trouble;
    private volatile bool _stopping;
    private volatile bool _quarantined;
    private volatile bool _ended;

    public ShardWriter(string name, RecoveredShard recovered, Journal journal, string directory, Catalog catalog, ViewHolder views, HighWaterMark mark, Tombstones tombstones,
        StoreOptions options, Action maintenanceDue, Action<DamagedDataException> onDamage, TimeProvider time, ILogger logger)
    {
        _journal = journal;
        _memtable = views.Current.Active;
        _lastEntity = recovered.LastEntity;
        _lastMs = recovered.LastMs;
        _durablePosition = recovered.LastPosition;
        (_directory, _catalog, _views, _mark, _tombstones, _options) = (directory, catalog, views, mark, tombstones, options);
        (_maintenanceDue, _onDamage, _time, _logger) = (maintenanceDue, onDamage, time, logger);
        _thread = new Thread(Loop) { Name = name, IsBackground = true };
    }

    /// <summary>The highest position that is on disk, as durable as configured.</summary>
    public long DurablePosition => Volatile.Read(ref _durablePosition);

    /// <summary>Raised by each row that became durable.</summary>
    public CommitSignal Committed { get; } = new();

    /// <summary>Raised by each failed commit. What an actor judged under an earlier epoch is void.</summary>
    public int Epoch => Volatile.Read(ref _epoch);

    /// <summary>Why appends are refused at the moment; null = they are taken.</summary>
    public string? Trouble => Volatile.Read(ref _trouble);

    /// <summary>The highest number given to an entity; read by maintenance for the catalog.</summary>
    public long LastEntity => Volatile.Read(ref _lastEntity);

    public bool HasNextJournal => Volatile.Read(ref _nextJournal) is not null;

    public void Start() => _thread.Start();

    public void Enqueue(CommitItem item)
    {
        if (_queue.Enqueue(item)) _wake.Set();
        if (_ended) RefuseAfterEnd();
    }

    /// <summary>Gives the writer the file it goes on with at the next rotation. Named by the catalog already.</summary>
    public void OfferNextJournal(Journal journal)
    {
        var displaced = Interlocked.Exchange(ref _nextJournal, journal);
        Debug.Assert(displaced is null, "Maintenance offers a journal only when there is none.");
        _wake.Set(); // a writer that waits for room goes on
    }

    /// <summary>Maintenance has sealed something: a writer that waits for room looks again.</summary>
    public void RoomMade() => _wake.Set();

    /// <summary>The shard's files contradict themselves: nothing is written any more, and whoever waits is refused. Any thread.</summary>
    public void Quarantine()
    {
        _quarantined = true;
        _wake.Set();
    }

    /// <summary>Commits what is queued, then ends the thread. Later items are refused.</summary>
    public void Stop()
    {
        _stopping = true;
        _wake.Set();
        if (_thread.IsAlive) _thread.Join(); // it may never have been started
        Volatile.Write(ref _trouble, "The shard is closed.");
        Committed.Close();
        _ended = true;
        RefuseAfterEnd();
    }

    // An item that is enqueued while the thread ends is answered by its own thread, or by Stop, never left waiting.
    private void RefuseAfterEnd()
    {
        lock (_queue) RefuseQueued();
    }

    public void Dispose()
    {
        _journal.Dispose();
        Interlocked.Exchange(ref _nextJournal, null)?.Dispose();
        _wake.Dispose();
    }
}
