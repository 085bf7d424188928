using Microsoft.Extensions.Logging;

namespace Warp.Http.Storage;

/// <summary>
/// Reads all that is stored and holds it to its checksums and to itself; damage takes its shard out of service. One at a time, on a thread of its
/// own that yields to all others; whoever asks while one runs joins it.
/// </summary>
/// <remarks>The end of a verification is published under the lock before the next may begin, so that nobody joins one that is over.</remarks>
public sealed partial class Verification : IDisposable
{
    private readonly Store _store;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly Lock _lock = new();
    private readonly List<(string File, Func<string?> Check)> _parts = [];
    private Running? _running;
    private VerifyReport? _last;
    private string? _trouble;
    private bool _ended;

    internal Verification(Store store, TimeProvider time, ILogger logger)
    {
        (_store, _time, _logger) = (store, time, logger);
        Include("manifest.json", store.CheckManifest);
        Include(Path.Combine("keys", "names.key"), store.CheckSecret);
    }

    /// <summary>The one that runs, or the last report; null before the first.</summary>
    public VerifyReport? Latest
    {
        get
        {
            lock (_lock) return _running is { } running ? running.Log.Picture(VerifyStatus.Running, null) : _last;
        }
    }

    /// <summary>What the last one found wrong that belongs to no shard; null = nothing.</summary>
    public string? Trouble => Volatile.Read(ref _trouble);

    /// <summary>Adds a file of the store that somebody else keeps; the check answers what is wrong, or null.</summary>
    public void Include(string file, Func<string?> check)
    {
        lock (_lock) _parts.Add((file, check));
    }

    /// <summary>Begins one, or joins the one that runs.</summary>
    /// <exception cref="ShardUnavailableException">No more begins: <see cref="End"/> was called.</exception>
    /// <param name="isPaced">Nobody waits for it: it rests as long as it works.</param>
    public Task<VerifyReport> RunAsync(bool isPaced = false)
    {
        lock (_lock)
        {
            if (_ended) throw new ShardUnavailableException("The service is stopping.") { IsTransient = false };
            if (_running is null)
            {
                var running = new Running(_time.GetUtcNow(), isPaced);
                _running = running;
                running.Thread = new Thread(() => Run(running)) { Name = "warp-verify", IsBackground = true };
                running.Thread.Start();
            }

            return _running.Done.Task;
        }
    }

    /// <summary>Stops the one that runs; null if none does.</summary>
    public async Task<VerifyReport?> StopAsync()
    {
        Running? running;
        lock (_lock) running = _running;
        if (running is null) return null;
        await running.Stop.CancelAsync();
        return await running.Done.Task;
    }

    /// <summary>Stops the one that runs, and none begins any more. Does not wait.</summary>
    public void End() => EndRunning()?.Stop.Cancel();

    public void Dispose()
    {
        var running = EndRunning();
        running?.Stop.Cancel();
        running?.Thread!.Join();
    }

    private Running? EndRunning()
    {
        lock (_lock)
        {
            _ended = true;
            return _running;
        }
    }

    private void Run(Running running)
    {
        ThreadPriorities.SetLow();
        var log = running.Log;
        try
        {
            CheckAll(log);
        }
        catch (Exception e)
        {
            // Not damage but something that keeps it from looking, such as a disk that refuses to be read.
            LogFailed(_logger, e);
            log.Add(new VerifyProblem(null, "", "", $"The verification could not go on: {e.Message}", IsDamage: false));
        }

        var status = log.Outcome();
        log.Begin("done");
        var report = log.Picture(status, _time.GetUtcNow());
        lock (_lock)
        {
            _last = report;
            _running = null;
        }

        if (status != VerifyStatus.Stopped)
            Volatile.Write(ref _trouble, report.Problems.FirstOrDefault(p => p.Shard is null && p.IsDamage) is { } found ? $"{found.File}: {found.What}" : null);
        StorageMetrics.VerifySeconds.Record(report.Seconds);
        if (status == VerifyStatus.Damaged && report.Problems.FirstOrDefault(p => p.IsDamage) is { } first) LogDamaged(_logger, report.ProblemsFound, first.File, first.Where, first.What);
        else if (report.Problems is [var missed, ..]) LogIncomplete(_logger, report.ProblemsFound, missed.File, missed.Where, missed.What);
        else LogDone(_logger, status, report.Bytes, report.Seconds);
        running.Done.SetResult(report);
    }

    private void CheckAll(VerifyLog log)
    {
        log.SetTotal(_store.BytesToVerify);
        log.Begin("files of the store");
        (string File, Func<string?> Check)[] parts;
        lock (_lock) parts = [.. _parts];
        foreach (var (file, check) in parts)
            CheckPart(log, file, check);
        for (var i = 0; i < _store.Shards && !log.Stop.IsCancellationRequested; i++) _store.CheckShard(i, log);
    }

    private static void CheckPart(VerifyLog log, string file, Func<string?> check)
    {
        try
        {
            if (check() is { } what) log.Add(new VerifyProblem(null, file, "", what));
        }
        catch (Exception e) when (ReadFailure.IsOfReading(e))
        {
            log.Add(ReadFailure.IsDamage(e) ? new VerifyProblem(null, file, "", e.Message) : VerifyProblem.NotChecked(null, file, "", e));
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A verification could not go on.")]
    private static partial void LogFailed(ILogger logger, Exception e);

    [LoggerMessage(Level = LogLevel.Critical, Message = "A verification found {Problems} problem(s); the first: {File} {Where}: {What} GET /v1/admin/verify shows all.")]
    private static partial void LogDamaged(ILogger logger, long problems, string file, string where, string what);

    [LoggerMessage(Level = LogLevel.Error, Message = "A verification found no damage, but {Problems} part(s) could not be checked; the first: {File} {Where}: {What}")]
    private static partial void LogIncomplete(ILogger logger, long problems, string file, string where, string what);

    [LoggerMessage(Level = LogLevel.Information, Message = "A verification ended: {Status}, {Bytes} bytes in {Seconds:0.0} s.")]
    private static partial void LogDone(ILogger logger, VerifyStatus status, long bytes, double seconds);

    private sealed class Running
    {
        public Running(DateTimeOffset startedAt, bool isPaced) => Log = new VerifyLog(startedAt, isPaced, Stop.Token);

        public CancellationTokenSource Stop { get; } = new();

        public VerifyLog Log { get; }

        public TaskCompletionSource<VerifyReport> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Thread? Thread { get; set; }
    }
}
