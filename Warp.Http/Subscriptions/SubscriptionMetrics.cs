using System.Diagnostics.Metrics;
using Warp.Http.Storage;

namespace Warp.Http.Subscriptions;

internal static class SubscriptionMetrics
{
    public static readonly UpDownCounter<long> Open = StorageMetrics.Meter.CreateUpDownCounter<long>("warp_subscriptions_open", "{subscription}", "Open event streams.");
    public static readonly Counter<long> Sent = StorageMetrics.Meter.CreateCounter<long>("warp_subscription_events", "{event}", "Events sent to subscribers.");
    public static readonly Counter<long> Lagged = StorageMetrics.Meter.CreateCounter<long>(
        "warp_subscriptions_lagged", "{switch}", "Subscribers that fell behind what is kept for them in memory and were served from disk.");
    public static readonly Counter<long> Rested = StorageMetrics.Meter.CreateCounter<long>(
        "warp_subscription_rests", "{rest}", "Rounds of deliveries that were followed by a rest, because many events are appended.");
    public static readonly Counter<long> Cut = StorageMetrics.Meter.CreateCounter<long>(
        "warp_subscriptions_cut", "{subscription}", "Subscriptions cut because the client took nothing for too long.");
}
