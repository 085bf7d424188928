using Microsoft.Extensions.Logging;
using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Projections;

/// <summary>What a projection is doing.</summary>
public enum ProjectionState
{
    /// <summary>Its table is being made, for the first time or anew beside the old one.</summary>
    Building,

    /// <summary>It follows the log.</summary>
    Live,

    /// <summary>Something keeps it from going on; it tries again by itself.</summary>
    Stopped,
}

/// <summary>Keeps one projection's table at the log's end, and makes a new one beside it where the definition asks for other rows.</summary>
/// <remarks>
/// One task runs it on the projections' thread, from <see cref="Start"/> to <see cref="StopAsync"/>; it alone touches the runs' insides. Any thread looks at the fields marked so. What is
/// wanted (the definition's version, the aggregates) is compared with what stands at each turn, so that a crash anywhere ends in the same place. Split by
/// role: this file is the loop, .Build decides which tables there are, .Erase follows erasures, .Watch is what others look at.
/// </remarks>
internal sealed partial class ProjectionLoop : IDisposable
{
    /// <summary>The aggregates are looked at this often while nothing comes.</summary>
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(500);

    /// <summary>Longest rest between two steps: a part of the lag, and what makes many small steps one.</summary>
    private static readonly TimeSpan RestMax = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan RetryFirst = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan RetryMax = TimeSpan.FromSeconds(10);

    /// <summary>At the log's end it rests that many times as long as it worked: small steps become one.</summary>
    private const int RestFactor = 3;

    private readonly ProjectionContext _context;
    private readonly ILogger _logger;
    private readonly CancellationTokenSource _stopping = new();
    private readonly SemaphoreSlim _wake = new(0);
    private ProjectionEntry _entry; // set by the projector, read by any
    private ProjectionRun? _live; // the loop's; read by any
    private ProjectionRun? _building; // likewise
    private string? _error; // likewise
    private bool _isLoaded;
    private Task _running = Task.CompletedTask;

    public ProjectionLoop(ProjectionContext context, ProjectionEntry entry, ILogger logger)
    {
        _context = context;
        _entry = entry;
        _logger = logger;
        _lastCaughtUpAt = context.Time.GetTimestamp();
    }

    public ProjectionEntry Entry => Volatile.Read(ref _entry);

    public void Start(ProjectionThread thread) => _running = thread.Run(() => RunAsync(_stopping.Token));

    /// <summary>Another version is wanted from now on.</summary>
    public void Replace(ProjectionEntry entry)
    {
        Volatile.Write(ref _entry, entry);
        Wake();
    }

    public async Task StopAsync()
    {
        await _stopping.CancelAsync();
        await _running;
    }

    /// <summary>When it has stopped and nobody calls it any more.</summary>
    public void Dispose()
    {
        _stopping.Dispose();
        _wake.Dispose();
    }

    private void Wake()
    {
        if (_wake.CurrentCount == 0) _wake.Release();
    }

    private async Task RunAsync(CancellationToken stopping)
    {
        var failures = 0;
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                await Task.Yield(); // the other projections work on the same thread
                await TurnAsync(stopping);
                failures = 0;
            }
            catch (OperationCanceledException) when (stopping.IsCancellationRequested)
            {
                break;
            }
            catch (Exception e)
            {
                // Whatever it is, rows are made of the log alone: begun again at the checkpoint, it comes to the same.
                Stopped(e);
                failures++;
                await PauseAsync(TimeSpan.FromTicks(Math.Min(RetryFirst.Ticks << Math.Min(failures - 1, 10), RetryMax.Ticks)), stopping);
            }
        }

        FailCommands(new ProjectionStoreException("The projection has ended."));
    }

    /// <summary>Brings the tables to what is wanted, then each a step forward.</summary>
    private async Task TurnAsync(CancellationToken stopping)
    {
        if (!_isLoaded) await LoadAsync(stopping);
        var conflict = await DecideAsync(stopping);
        await ObeyAsync(stopping);
        var started = _context.Time.GetTimestamp();
        var appended = AppendedPositions();
        var live = _live is null ? default : await StepAsync(_live, stopping);
        var building = _building is null ? default : await StepAsync(_building, stopping);
        if (_building is not null && building.IsCaughtUp) await FinishAsync(_building, stopping);
        if (_live is not null && live.IsCaughtUp) await CaughtUpAsync(_live, started, stopping);
        await FollowErasuresAsync(stopping);
        SetError(conflict ?? live.Unavailable ?? building.Unavailable);
        Moved();

        var hasMore = (_live is not null && !live.IsCaughtUp) || (_building is not null && !building.IsCaughtUp);
        if (live.Unavailable is not null || building.Unavailable is not null) await PauseAsync(RetryFirst, stopping);
        else if (hasMore) await RestAsync(AppendedPositions() == appended ? TimeSpan.Zero : _context.Time.GetElapsedTime(started), stopping);
        else if (live.Events + building.Events > 0) await RestAsync(_context.Time.GetElapsedTime(started) * RestFactor, stopping);
        else await WaitAsync(stopping);
    }

    private async ValueTask<ProjectionStep> StepAsync(ProjectionRun run, CancellationToken stopping)
    {
        ProjectionStep step;
        try
        {
            step = await run.StepAsync(stopping);
        }
        catch (FeedLostException lost)
        {
            // Only from the start can it be known what the rows should be.
            ProjectionLog.FeedLost(_logger, Entry.Name, lost);
            if (ReferenceEquals(run, _building)) await DropBuildingAsync(stopping);
            else GiveUpLive();
            return default;
        }

        _isPurgeDue |= step.HasErased; // before anybody is told how far the table is
        ProjectionMetrics.Rows.Add(step.Rows);
        return step;
    }

    /// <summary>Lets appends go first and small steps become one; not while somebody waits for the table.</summary>
    private async Task RestAsync(TimeSpan rest, CancellationToken stopping)
    {
        if (Volatile.Read(ref _waiters) > 0 || rest < TimeSpan.FromMilliseconds(1)) return;
        await PauseAsync(rest < RestMax ? rest : RestMax, stopping);
    }

    private async Task PauseAsync(TimeSpan pause, CancellationToken stopping)
    {
        using var woken = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var wake = _wake.WaitAsync(woken.Token);
        await Task.WhenAny(wake, Task.Delay(pause, _context.Time, woken.Token));
        await woken.CancelAsync();
        await wake.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>Until something comes in some shard, somebody calls, or it is time to look whether the aggregates are others.</summary>
    private async Task WaitAsync(CancellationToken stopping)
    {
        using var woken = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var wake = _wake.WaitAsync(woken.Token);
        var waits = new List<Task> { wake, Task.Delay(LookAgain, _context.Time, woken.Token) };
        foreach (var shard in _context.Log.AllShards)
            if (shard.Damage is null) waits.Add(shard.Feed.WhenBeyond((_live ?? _building)?.Places[shard.Index].Position ?? shard.DurablePosition));
        await Task.WhenAny(waits);
        await woken.CancelAsync();
        await wake.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private long AppendedPositions()
    {
        long positions = 0;
        foreach (var shard in _context.Log.AllShards) positions += shard.DurablePosition;
        return positions;
    }

    private void Stopped(Exception e)
    {
        var error = e switch
        {
            ProjectionStoreException or ShardUnavailableException or DefinitionStoreException => e.Message,
            _ => $"It failed ({e.GetType().Name}); the service's log says where.",
        };
        if (!string.Equals(error, _error, StringComparison.Ordinal)) ProjectionLog.Stopped(_logger, Entry.Name, e);
        SetError(error);

        // In memory may be what the table does not have: read again what stands, and go on from there.
        _isLoaded = false;
        FailCommands(e as ProjectionStoreException ?? new ProjectionStoreException(error, e));
    }

    private void SetError(string? error)
    {
        if (error is null && _error is not null) ProjectionLog.GoesOn(_logger, Entry.Name);
        Volatile.Write(ref _error, error);
    }
}

internal static partial class ProjectionLog
{
    [LoggerMessage(Level = LogLevel.Warning, Message = "Projection {Projection} is stopped; it tries again by itself.")]
    public static partial void Stopped(ILogger logger, string projection, Exception e);

    [LoggerMessage(Level = LogLevel.Information, Message = "Projection {Projection} goes on.")]
    public static partial void GoesOn(ILogger logger, string projection);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Projection {Projection} does not belong to this log as it is now; its table is built anew.")]
    public static partial void FeedLost(ILogger logger, string projection, Exception e);
}
