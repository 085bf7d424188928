using System.Diagnostics;
using System.Globalization;

namespace Warp.Http.Tests.Support;

/// <summary>
/// How long this thread has had a processor, as Linux counts it: what a computation takes by itself, whatever else the machine does. Elsewhere the
/// time that went by.
/// </summary>
internal static class ThreadTime
{
    private const string Counted = "/proc/thread-self/schedstat"; // nanoseconds on a processor come first

    private static readonly bool IsCounted = File.Exists(Counted);

    public static TimeSpan Now
    {
        get
        {
            if (!IsCounted) return Stopwatch.GetElapsedTime(0);
            var text = File.ReadAllText(Counted);
            return TimeSpan.FromMicroseconds(long.Parse(text.AsSpan(0, text.IndexOf(' ', StringComparison.Ordinal)), NumberStyles.None, CultureInfo.InvariantCulture) / 1_000);
        }
    }
}
