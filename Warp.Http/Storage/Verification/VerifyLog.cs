using System.Diagnostics;

namespace Warp.Http.Storage;

/// <summary>What a verification in progress has seen. Its own thread writes; any thread takes a picture.</summary>
internal sealed class VerifyLog(DateTimeOffset startedAt, bool isPaced, CancellationToken stop)
{
    /// <summary>Problems that are told one by one; of a file that is damaged all over, the first few say enough.</summary>
    private const int ProblemsMax = 1000;

    private static readonly TimeSpan RestMax = TimeSpan.FromMilliseconds(200);

    private readonly Lock _lock = new();
    private readonly long _started = Stopwatch.GetTimestamp();
    private readonly List<VerifyProblem> _problems = [];
    private readonly List<VerifyShard> _shards = [];
    private string _phase = "starting";
    private long _bytes;
    private long _bytesTotal;
    private long _found;
    private long _damaged; // of those found
    private long _rested = Stopwatch.GetTimestamp();

    public CancellationToken Stop => stop;

    /// <summary>Between two pages of work, with nothing held: rests as long as it worked where nobody waits for it. True if it was stopped.</summary>
    public bool RestOrStop()
    {
        if (!isPaced) return stop.IsCancellationRequested;
        var worked = Stopwatch.GetElapsedTime(_rested);
        var stopped = stop.WaitHandle.WaitOne(worked < RestMax ? worked : RestMax);
        _rested = Stopwatch.GetTimestamp();
        return stopped;
    }

    public void SetTotal(long bytes) => Volatile.Write(ref _bytesTotal, bytes);

    public void Begin(string phase) => Volatile.Write(ref _phase, phase);

    public void AddBytes(long bytes)
    {
        Interlocked.Add(ref _bytes, bytes);
        StorageMetrics.VerifyBytes.Add(bytes);
    }

    public void Add(VerifyProblem problem)
    {
        StorageMetrics.VerifyProblems.Add(1);
        lock (_lock)
        {
            _found++;
            if (problem.IsDamage) _damaged++;
            if (_problems.Count < ProblemsMax) _problems.Add(problem);
        }
    }

    public void Add(VerifyShard shard)
    {
        lock (_lock) _shards.Add(shard);
    }

    public VerifyReport Picture(VerifyStatus status, DateTimeOffset? finishedAt)
    {
        lock (_lock)
        {
            var bytes = Volatile.Read(ref _bytes);
            return new VerifyReport(
                status, startedAt, finishedAt, Stopwatch.GetElapsedTime(_started).TotalSeconds, Volatile.Read(ref _phase), bytes,
                Math.Max(bytes, Volatile.Read(ref _bytesTotal)), [.. _shards], [.. _problems], _found);
        }
    }

    public VerifyStatus OutcomeOf(bool isDamaged, bool isIncomplete) =>
        isDamaged ? VerifyStatus.Damaged : isIncomplete ? VerifyStatus.Incomplete : stop.IsCancellationRequested ? VerifyStatus.Stopped : VerifyStatus.Ok;

    public VerifyStatus Outcome()
    {
        lock (_lock) return OutcomeOf(_damaged > 0, _found > 0);
    }
}
