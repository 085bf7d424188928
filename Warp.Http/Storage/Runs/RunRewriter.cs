using System.Diagnostics;
using Microsoft.Extensions.Logging;

namespace Warp.Http.Storage;

/// <summary>Writes runs again: small neighbours as one, and runs that hold what was erased without it. Sealing goes on beside it.</summary>
/// <remarks>
/// One named thread of low priority, one run at a time. It alone takes runs out of the view, so what it reads stays there; only maintenance adds
/// some, at the end. An erasure does not wait for a merge: the merge is given up, but not again and again.
/// Split by role: this file is the thread and the merges, .Erase the erasures.
/// </remarks>
internal sealed partial class RunRewriter : IDisposable
{
    /// <summary>Merges that erasures may cut short one after the other; then one goes to its end, for else a stream of them would stop merging.</summary>
    private const int CutShortMax = 3;

    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(1);

    // A quarter of a processor at most while appends come.
    private static readonly TimeSpan PaceWork = TimeSpan.FromMilliseconds(4);
    private static readonly TimeSpan PaceRest = TimeSpan.FromMilliseconds(12);

    private readonly AutoResetEvent _due = new(initialState: false);
    private readonly string _directory;
    private readonly Catalog _catalog;
    private readonly ViewHolder _views;
    private readonly Tombstones _tombstones;
    private readonly StoreOptions _options;
    private readonly byte[] _nameSecret;
    private readonly Action<DamagedDataException> _onDamage;
    private readonly ILogger _logger;
    private readonly PendingRun _pending;
    private readonly WorkPace _pace;
    private readonly Thread _thread;
    private int _cutShort; // the thread's own
    private bool _isBehind; // the thread's own: so many runs that reads suffer more from waiting than appends from merging
    private long _dueCount = 1; // the first look
    private long _doneCount;
    private string? _trouble;
    private volatile bool _erasureDue;
    private volatile bool _stopping;
    private volatile bool _quarantined;

    public RunRewriter(string name, string directory, Catalog catalog, ViewHolder views, Tombstones tombstones, byte[] nameSecret, Action<DamagedDataException> onDamage,
        Func<long> durablePosition, StoreOptions options, ILogger logger)
    {
        (_directory, _catalog, _views, _tombstones, _nameSecret, _onDamage, _options, _logger) = (directory, catalog, views, tombstones, nameSecret, onDamage, options, logger);
        _pending = new PendingRun(catalog, logger);
        _pace = new WorkPace(durablePosition, PaceWork, PaceRest);
        _thread = new Thread(Loop) { Name = name, IsBackground = true };
    }

    /// <summary>What keeps it from its work; null = nothing does.</summary>
    public string? Trouble => Volatile.Read(ref _trouble);

    /// <summary>True if it has looked since it was last told and found nothing to do.</summary>
    public bool IsIdle => Interlocked.Read(ref _doneCount) == Interlocked.Read(ref _dueCount);

    /// <summary>True until it has begun with the erasures that it was told of.</summary>
    public bool IsErasureDue => _erasureDue;

    private bool MayUnlink => !_quarantined;

    public void Start() => _thread.Start();

    /// <summary>Runs were added, or files went; may be called from any thread.</summary>
    public void Due()
    {
        Interlocked.Increment(ref _dueCount);
        try
        {
            _due.Set();
        }
        catch (ObjectDisposedException)
        {
            // A file that its last reader let go of after the end: the next start finds what there is to do.
        }
    }

    /// <summary>The shard's files contradict themselves: none of them is changed any more. Any thread.</summary>
    public void Quarantine()
    {
        _quarantined = _stopping = true;
        _due.Set();
    }

    /// <summary>Fences were sealed: what they erased must leave the runs, before any merge.</summary>
    public void ErasureDue()
    {
        _erasureDue = true;
        Due();
    }

    public void Stop()
    {
        _stopping = true;
        _due.Set();
        if (_thread.IsAlive) _thread.Join(); // it may never have been started
    }

    public void Dispose() => _due.Dispose();

    private void Loop()
    {
        ThreadPriorities.SetLow();
        while (!_stopping)
        {
            var due = Interlocked.Read(ref _dueCount);
            try
            {
                _pending.Settle();
                _erasureDue = false;
                if (Erase() | Merge()) continue;
                Volatile.Write(ref _trouble, null);
                if (_leaving.Count == 0) Interlocked.Exchange(ref _doneCount, due);
            }
            catch (DamagedDataException e)
            {
                // Nothing more is changed: what is there is for whoever repairs or restores it.
                _onDamage(e);
                return;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Volatile.Write(ref _trouble, "Merging or erasing failed; it is tried again every second.");
                LogFailed(_logger, e);
            }

            _due.WaitOne(Turn);
        }
    }

    /// <summary>One merge, if one is due. True if something changed, so that another may be due.</summary>
    private bool Merge()
    {
        if (_stopping) return false;
        var runs = _views.Current.Runs;
        var sizes = runs.Select(run => run.Bytes).ToList();
        var (first, count) = MergePolicy.Choose(sizes, _options.SealBytes, _options.MergeFanOut);
        if (count == 0) return false;
        var inputs = runs.Slice(first, count).ToArray();
        var bytes = inputs.Sum(run => run.Bytes);
        if (new DriveInfo(_directory).AvailableFreeSpace < bytes + _options.FreeBytesMin) return false; // the copy would not fit beside the originals
        _isBehind = MergePolicy.IsBehind(sizes, _options.SealBytes);
        _pace.Begin();
        var started = Stopwatch.GetTimestamp();
        if (Rewrite(inputs, CanGoOn) is not { } merged)
        {
            _cutShort++;
            return true;
        }

        _cutShort = 0;
        if (!Replace(inputs, merged, StoreStep.MergeBuilt, StoreStep.MergeNamed)) return false;
        _options.AtStep?.Invoke(StoreStep.Merged);
        StorageMetrics.Merges.Add(1);
        StorageMetrics.MergedBytes.Add(merged.Bytes);
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        StorageMetrics.MergeSeconds.Record(seconds);
        LogMerged(_logger, count, bytes, merged.Bytes, seconds);
        return true;
    }

    private bool CanGoOn()
    {
        _options.AtStep?.Invoke(StoreStep.Merging);
        if (_stopping || (_erasureDue && _cutShort < CutShortMax)) return false;
        _pace.Wait(_due, () => _isBehind);
        return true;
    }

    /// <summary>Neighbouring runs as one, durable and nobody's yet; null if it was told to stop.</summary>
    private Run? Rewrite(IReadOnlyList<Run> inputs, Func<bool> goOn)
    {
        var id = _catalog.NextFileId();
        // Not those whose fence is in a journal alone: with durability os a power cut may take the fence, and must not find half of the life gone.
        var erased = _tombstones.Pending().Where(t => !_tombstones.IsUnsealed(t)).Select(t => t.Entity).ToHashSet();
        if (!ReadAll(inputs, [], readers => Write(id, readers, erased, goOn))) return null;
        return Run.OpenBuilt(_directory, id, _onDamage);
    }

    /// <summary>Reads several runs at once, each by its one way to be read.</summary>
    private static bool ReadAll(IReadOnlyList<Run> runs, List<RunReader> readers, Func<List<RunReader>, bool> read)
    {
        if (readers.Count == runs.Count) return read(readers);
        return runs[readers.Count].Read((runs, readers, read), static (reader, all) =>
        {
            all.readers.Add(reader);
            return ReadAll(all.runs, all.readers, all.read);
        });
    }

    private bool Write(long id, List<RunReader> readers, HashSet<long> erased, Func<bool> goOn)
    {
        var bases = new RunBases(readers[0].Meta.FirstPosition, readers.Min(reader => reader.Meta.BaseMs));
        using var builder = new RunBuilder(_directory, id, EventIdHash.SeedOf(_nameSecret), bases, compresses: true);
        using var merger = new RunMerger(readers, erased, _nameSecret, builder, goOn);
        return merger.Merge();
    }

    /// <returns>False if the shard was found damaged meanwhile: then the new run is given up.</returns>
    private bool Replace(Run[] inputs, Run run, StoreStep built, StoreStep named)
    {
        var entry = new RunEntry(run.Id, run.FirstPosition, run.LastPosition);
        bool Name()
        {
            _options.AtStep?.Invoke(built);
            if (_quarantined) return false;
            _catalog.Replaced(inputs.Select(input => input.Id), entry);
            _options.AtStep?.Invoke(named);
            return true;
        }

        return _pending.Name(run, Name, () =>
        {
            foreach (var input in inputs)
            {
                if (_quarantined) continue; // its file stays, for whoever repairs the shard
                var gone = input.Retire(() => MayUnlink);
                _leaving.Add((gone, input.Path));
                _ = gone.ContinueWith(static (_, state) => ((RunRewriter)state!).Left(), this, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
            }

            _views.Replace(view =>
            {
                var first = view.Runs.IndexOf(inputs[0]);
                return new View(view.Runs.RemoveRange(first, inputs.Length).Insert(first, run), view.Memtables);
            });
        });
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Merging or erasing in a shard failed; it is tried again.")]
    private static partial void LogFailed(ILogger logger, Exception e);

    [LoggerMessage(Level = LogLevel.Debug, Message = "Merged {Runs} runs of {Bytes} bytes into one of {MergedBytes} bytes in {Seconds} s.")]
    private static partial void LogMerged(ILogger logger, int runs, long bytes, long mergedBytes, double seconds);
}
