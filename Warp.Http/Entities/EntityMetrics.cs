using System.Diagnostics.Metrics;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>What the entities publish on the meter <c>Warp.Http</c>.</summary>
internal static class EntityMetrics
{
    public static readonly Counter<long> Passivated = StorageMetrics.Meter.CreateCounter<long>("warp_actors_passivated", "{actor}", "Actors passivated.");
    public static readonly Counter<long> Activated = StorageMetrics.Meter.CreateCounter<long>("warp_actors_activated", "{actor}", "Actors activated.");
    public static readonly Counter<long> StatesOffered = StorageMetrics.Meter.CreateCounter<long>(
        "warp_states_stored", "{state}", "Folded states handed to the journal, so that later folds begin there.");
    public static readonly Histogram<long> MailboxDepth = StorageMetrics.Meter.CreateHistogram<long>(
        "warp_mailbox_depth", "{command}", "Commands that a mailbox's drainer found waiting.");

    private static readonly Watched<EntityRegistry> s_registries = new();

    static EntityMetrics()
    {
        StorageMetrics.Meter.CreateObservableGauge("warp_actors_live", () => s_registries.Sum(r => r.Live), "{actor}", "Actors in memory.");
        StorageMetrics.Meter.CreateObservableGauge(
            "warp_actor_bytes", () => s_registries.Sum(r => r.Bytes), "By", "Estimated bytes of live actors with their states, rendered answers and ids.");
        StorageMetrics.Meter.CreateObservableGauge(
            "warp_memory_budget_bytes", () => s_registries.Sum(r => r.Options.MemoryBytes), "By", "What warp_actor_bytes is held under (Warp:Entities:MemoryBytes).");
    }

    public static void Opened(EntityRegistry registry) => s_registries.Add(registry);
}
