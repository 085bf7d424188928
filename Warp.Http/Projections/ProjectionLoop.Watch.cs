using Warp.Http.Events;

namespace Warp.Http.Projections;

/// <summary>A projection as <c>GET /v1/projections/{name}</c> tells of it.</summary>
/// <param name="Places">How far the table is that queries see; null while there is none.</param>
/// <param name="Error">Why it is stopped; null if it isn't.</param>
/// <param name="Rebuild">The new table beside it, or the first one while it is made; null if none is being made.</param>
internal sealed record ProjectionStatus(
    ProjectionEntry Entry, ProjectionState State, IReadOnlyList<FeedPlace>? Places, long LagEvents, double LagSeconds, string? Error, RebuildProgress? Rebuild);

/// <summary>A table is further than its checkpoint where events came that are none of its business.</summary>
internal sealed record ReachedPlaces(string Table, IReadOnlyList<FeedPlace> Checkpoint, IReadOnlyList<FeedPlace> Places);

/// <param name="Rows">Rows written so far since the service was started.</param>
/// <param name="Events">Events read so far.</param>
/// <param name="SecondsLeft">At the rate so far; null while there is none.</param>
internal readonly record struct RebuildProgress(long Rows, long Events, double EventsPerSecond, double? SecondsLeft);

/// <content>What others look at and wait for.</content>
internal sealed partial class ProjectionLoop
{
    private TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _lastCaughtUpAt; // timestamp of a look at the log's end after which all that was there came into the table
    private int _decidedVersion;
    private int _waiters;

    public ProjectionState State
    {
        get
        {
            if (Error is not null) return ProjectionState.Stopped;
            return Volatile.Read(ref _building) is null && Volatile.Read(ref _live) is { } live && IsWhole(live) ? ProjectionState.Live : ProjectionState.Building;
        }
    }

    public string? Error => Volatile.Read(ref _error);

    /// <summary>The table that queries see; null while there is none.</summary>
    public ProjectionTable? Table => Volatile.Read(ref _live)?.Table;

    /// <summary>How far that table is; null while there is none.</summary>
    public IReadOnlyList<FeedPlace>? Places => Volatile.Read(ref _live)?.Places;

    /// <summary>That table's name, a checkpoint, and how far a table is that shows that checkpoint or a later one; null while there is none.</summary>
    public ReachedPlaces? Reached
    {
        get
        {
            if (Volatile.Read(ref _live) is not { } live) return null;
            var places = live.Places; // first: between a checkpoint that is read after it and these places no row was changed
            return new ReachedPlaces(live.Table.Name, live.DurablePlaces, places);
        }
    }

    public long LagEvents => Volatile.Read(ref _live)?.Behind ?? AppendedPositions();

    public double LagSeconds => LagEvents == 0 ? 0 : _context.Time.GetElapsedTime(Volatile.Read(ref _lastCaughtUpAt)).TotalSeconds;

    public ProjectionStatus Describe()
    {
        var making = Volatile.Read(ref _building) ?? (Volatile.Read(ref _live) is { } live && !IsWhole(live) ? live : null);
        return new ProjectionStatus(Entry, State, Places, LagEvents, LagSeconds, Error, making is null ? null : ProgressOf(making));
    }

    /// <summary>Waits until a version has its table, be it empty yet.</summary>
    /// <returns>False after the wait.</returns>
    public Task<bool> WhenDecidedAsync(int version, TimeSpan wait, CancellationToken cancellation) =>
        WaitUntilAsync(() => Volatile.Read(ref _decidedVersion) >= version, wait, cancellation);

    /// <summary>Waits until everything that <paramref name="places"/> has behind it is in the table that queries see.</summary>
    /// <returns>False after the wait.</returns>
    public Task<bool> WhenReachedAsync(IReadOnlyList<FeedPlace> places, TimeSpan wait, CancellationToken cancellation) =>
        WaitUntilAsync(() => Places is { } reached && !reached.Where((place, shard) => place.Position < places[shard].Until).Any(), wait, cancellation);

    private static bool IsWhole(ProjectionRun run) => !run.Places.Where((place, shard) => place.Position < run.Began[shard].Position).Any();

    private static RebuildProgress ProgressOf(ProjectionRun run)
    {
        var rate = run.EventsPerSecond;
        return new RebuildProgress(run.RowsWritten, run.Events, rate, run.Events > 0 ? run.Behind / rate : null);
    }

    private async Task<bool> WaitUntilAsync(Func<bool> condition, TimeSpan wait, CancellationToken cancellation)
    {
        if (condition()) return true;
        Interlocked.Increment(ref _waiters);
        try
        {
            Wake(); // from a rest
            var started = _context.Time.GetTimestamp();
            while (true)
            {
                // Taken before the look: what moves after the look ends the wait.
                var moved = Volatile.Read(ref _moved).Task;
                if (condition()) return true;
                var left = wait == Timeout.InfiniteTimeSpan ? wait : wait - _context.Time.GetElapsedTime(started);
                if (left <= TimeSpan.Zero && wait != Timeout.InfiniteTimeSpan) return false;
                try
                {
                    await moved.WaitAsync(left, _context.Time, cancellation);
                }
                catch (TimeoutException)
                {
                    return condition();
                }
            }
        }
        finally
        {
            Interlocked.Decrement(ref _waiters);
        }
    }

    private void Decided(ProjectionEntry entry)
    {
        if (_decidedVersion == entry.Version) return;
        Volatile.Write(ref _decidedVersion, entry.Version);
        Moved();
    }

    private void Moved() =>
        Interlocked.Exchange(ref _moved, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).TrySetResult();
}
