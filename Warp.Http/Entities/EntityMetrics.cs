using System.Diagnostics.Metrics;

namespace Warp.Http.Entities;

/// <summary>What the entities publish on the meter <c>Warp.Http</c>.</summary>
internal static class EntityMetrics
{
    public static readonly Counter<long> Passivated = Storage.StorageMetrics.Meter.CreateCounter<long>("warp_actors_passivated", "{actor}", "Actors passivated.");
    public static readonly Counter<long> Activated = Storage.StorageMetrics.Meter.CreateCounter<long>("warp_actors_activated", "{actor}", "Actors activated.");
    public static readonly Counter<long> StatesOffered = Storage.StorageMetrics.Meter.CreateCounter<long>(
        "warp_states_stored", "{state}", "Folded states handed to the journal, so that later folds begin there.");
    public static readonly Histogram<long> MailboxDepth = Storage.StorageMetrics.Meter.CreateHistogram<long>(
        "warp_mailbox_depth", "{command}", "Commands that a mailbox's drainer found waiting.");
}
