using System.Diagnostics;

namespace Warp.Http.Storage;

/// <summary>Keeps a merge to a quarter of a processor while appends come: their latency is promised, a merge's end is not.</summary>
internal sealed class MergePace(Func<long> durablePosition)
{
    /// <summary>Short against a group commit, long against the cost of a wait.</summary>
    private static readonly TimeSpan Work = TimeSpan.FromMilliseconds(4);
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(12);

    private long _since;
    private long _position;
    private bool _isBehind;

    /// <param name="isBehind">There are so many runs that reads suffer more from waiting than appends from merging.</param>
    public void Begin(bool isBehind)
    {
        if (isBehind != _isBehind) ThreadPriorities.SetLow(!isBehind);
        _isBehind = isBehind;
        _since = Stopwatch.GetTimestamp();
        _position = durablePosition();
    }

    /// <summary>After each small step: pauses if it is time to. A signal of <paramref name="woken"/> ends the pause.</summary>
    public void Wait(EventWaitHandle woken)
    {
        if (_isBehind || Stopwatch.GetElapsedTime(_since) < Work) return;
        var position = durablePosition();
        if (position != _position) woken.WaitOne(Pause);
        _position = position;
        _since = Stopwatch.GetTimestamp();
    }
}
