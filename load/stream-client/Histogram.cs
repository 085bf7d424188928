using System.Diagnostics;
using System.Numerics;

namespace Warp.Http.StreamClient;

/// <summary>Durations by size, 64 steps to each power of two: within 2 %.</summary>
internal sealed class Histogram
{
    private const int StepBits = 6;
    private readonly long[] _counts = new long[64 << StepBits];

    public long Count { get; private set; }

    public void Record(long ticks)
    {
        _counts[IndexOf((ulong)Math.Max(1, ticks))]++;
        Count++;
    }

    public void Add(Histogram other)
    {
        for (var i = 0; i < _counts.Length; i++) _counts[i] += other._counts[i];
        Count += other.Count;
    }

    /// <summary>The duration in milliseconds that a share of all stays within.</summary>
    public double Milliseconds(double share)
    {
        var rank = (long)Math.Ceiling(Count * share);
        long seen = 0;
        for (var i = 0; i < _counts.Length; i++)
        {
            seen += _counts[i];
            if (seen >= rank && seen > 0) return UpperOf(i) * 1000.0 / Stopwatch.Frequency;
        }

        return 0;
    }

    private static int IndexOf(ulong ticks)
    {
        var power = BitOperations.Log2(ticks);
        var step = power <= StepBits ? (ticks << (StepBits - power)) : (ticks >> (power - StepBits));
        return (power << StepBits) + (int)(step & ((1 << StepBits) - 1));
    }

    private static double UpperOf(int index) => Math.Pow(2, index >> StepBits) * (1 + ((((index & ((1 << StepBits) - 1)) + 1) / (double)(1 << StepBits))));
}
