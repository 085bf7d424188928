using System.Diagnostics;

namespace Warp.Http.Storage;

/// <summary>Lets background work rest at short intervals while appends come: their latency is promised, the work's end is not.</summary>
/// <param name="durablePosition">Moves while appends come.</param>
/// <param name="work">How long to work before a rest: short against a group commit, long against the cost of a wait.</param>
/// <param name="rest">How long to rest.</param>
internal sealed class WorkPace(Func<long> durablePosition, TimeSpan work, TimeSpan rest)
{
    private long _since;
    private long _position;

    public void Begin()
    {
        _since = Stopwatch.GetTimestamp();
        _position = durablePosition();
    }

    /// <summary>After each small step: rests if it is time to, unless the work is behind. A signal of <paramref name="woken"/> ends the rest.</summary>
    /// <param name="isBehind">Asked only where a rest is due.</param>
    /// <param name="woken">Set where the work must end.</param>
    public void Wait(WaitHandle woken, Func<bool> isBehind)
    {
        if (Stopwatch.GetElapsedTime(_since) < work) return;
        var position = durablePosition();
        if (position != _position && !isBehind()) woken.WaitOne(rest);
        _position = position;
        _since = Stopwatch.GetTimestamp();
    }
}
