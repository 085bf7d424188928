using System.ComponentModel.DataAnnotations;

namespace Warp.Http.Subscriptions;

/// <summary>Bounds of subscriptions (<c>Warp:Subscriptions</c>). How many there may be is <c>Warp:Limits:Subscriptions</c>.</summary>
internal sealed class SubscriptionOptions
{
    public const string Section = "Warp:Subscriptions";

    /// <summary>
    /// A client that takes nothing for so long while something is to be sent is cut; it can resume. A server's own rate is off on these routes: it would
    /// cut a client that merely pauses.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan SendTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// A silent stream gets a comment so often, or its progress where events were filtered away. Proxies and mobile networks drop what is silent for a
    /// minute or less; 15 s is what the HTML standard recommends.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan HeartbeatEvery { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>Events that wait in memory for one subscriber; one more, and it is served from disk until it has caught up.</summary>
    [Range(1, 100_000)]
    public int BufferEvents { get; init; } = 256;

    /// <summary>Bytes that wait in memory for one subscriber; a single larger event still passes.</summary>
    [Range(1024, 64 * 1024 * 1024)]
    public int BufferBytes { get; init; } = 256 * 1024;
}
