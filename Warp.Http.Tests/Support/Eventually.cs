using System.Diagnostics;

namespace Warp.Http.Tests.Support;

/// <summary>The one way in which a test waits for what happens elsewhere: it polls, and a failure says what it waited for.</summary>
public static class Eventually
{
    private static readonly TimeSpan WithinDefault = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan PollPause = TimeSpan.FromMilliseconds(10);

    public static Task BecomesTrueAsync(string reason, Func<bool> condition, TimeSpan? within = null, CancellationToken cancel = default) =>
        BecomesTrueAsync(reason, () => Task.FromResult(condition()), within, cancel);

    /// <exception cref="TimeoutException">The condition was still false after <paramref name="within"/> (default: 10 s).</exception>
    /// <remarks>What the condition throws is not swallowed: it may end a wait that has become pointless.</remarks>
    public static async Task BecomesTrueAsync(
        string reason, Func<Task<bool>> condition, TimeSpan? within = null, CancellationToken cancel = default)
    {
        var limit = within ?? WithinDefault;
        var waited = Stopwatch.StartNew();
        while (!await condition())
        {
            if (waited.Elapsed > limit) throw new TimeoutException($"Waited {limit.TotalSeconds:0.#} s in vain: {reason}.");
            await Task.Delay(PollPause, cancel);
        }
    }
}
