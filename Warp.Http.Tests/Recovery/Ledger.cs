using System.Collections.Concurrent;

namespace Warp.Http.Tests.Recovery;

/// <summary>All that was sent in a run, and every way in which the service broke its word.</summary>
/// <remarks>Any thread may add; the rest is called when no writer runs.</remarks>
internal sealed class Ledger
{
    private readonly ConcurrentDictionary<int, AppendAttempt> _attempts = new();
    private readonly ConcurrentQueue<string> _violations = new();
    private int _serial;
    private int _acknowledged;

    public int Acknowledged => Volatile.Read(ref _acknowledged);

    public IEnumerable<AppendAttempt> Attempts => _attempts.Values;

    public IReadOnlyList<string> Violations => [.. _violations];

    public int NextSerial() => Interlocked.Increment(ref _serial);

    public void Add(AppendAttempt attempt) => _attempts[attempt.Serial] = attempt;

    public AppendAttempt? Find(int serial) => _attempts.GetValueOrDefault(serial);

    public void Acknowledge(AppendAttempt attempt, long firstSeq, long lastSeq)
    {
        if (lastSeq - firstSeq + 1 != attempt.Events) Violated($"{attempt} was acknowledged as {firstSeq}..{lastSeq}");
        if (attempt.Outcome == Outcome.Acknowledged && attempt.FirstSeq != firstSeq)
            Violated($"{attempt} was acknowledged again, at {firstSeq}");
        (attempt.Outcome, attempt.FirstSeq, attempt.LastSeq) = (Outcome.Acknowledged, firstSeq, lastSeq);
        Interlocked.Increment(ref _acknowledged);
    }

    public void Violated(string what) => _violations.Enqueue(what);

    /// <summary>Compares what was answered with what a whole reading of the history found.</summary>
    public void Settle()
    {
        foreach (var attempt in Attempts)
        {
            var found = attempt.FoundAt;
            if (attempt.Outcome == Outcome.Acknowledged && found == 0) Violated($"{attempt} is lost");
            else if (attempt.SettledAt > 0 && found != attempt.SettledAt)
                Violated($"{attempt} was read at {attempt.SettledAt} before, now at {found}");
            else if (attempt.SettledAt < 0 && found > 0) Violated($"{attempt} was not stored before, and now is at {found}");
            else if (attempt.Outcome == Outcome.Acknowledged && found != attempt.FirstSeq) Violated($"{attempt} is at {found}");
            else if (attempt.Outcome == Outcome.Refused && found > 0) Violated($"{attempt} was refused, and is at {found}");
            attempt.SettledAt = found > 0 ? found : -1;
        }
    }

    /// <summary>A new client's answer is not bound by what the history lacked before: the append happens now.</summary>
    public static void Reopen(AppendAttempt attempt)
    {
        if (attempt.SettledAt < 0) attempt.SettledAt = 0;
    }
}
