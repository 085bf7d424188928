using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Warp.Http.Storage;

namespace Warp.Http.Projections;

/// <summary>What projections publish on the meter <c>Warp.Http</c>, each with its projection's name.</summary>
internal static class ProjectionMetrics
{
    public static readonly Counter<long> Rows = StorageMetrics.Meter.CreateCounter<long>("warp_projection_rows", "{row}", "Rows written to tables of projections.");

    private static readonly ConcurrentDictionary<Projector, byte> Projectors = new();

    static ProjectionMetrics()
    {
        StorageMetrics.Meter.CreateObservableGauge("warp_projection_lag_events", () => Each(loop => loop.LagEvents), "{event}", "Events that are not in the table yet.");
        StorageMetrics.Meter.CreateObservableGauge(
            "warp_projection_lag_seconds", () => Each(loop => loop.LagSeconds), "s", "How old the newest event can be that is not in the table yet.");
        StorageMetrics.Meter.CreateObservableGauge(
            "warp_projection_stopped", () => Each(loop => loop.State == ProjectionState.Stopped ? 1L : 0), "{projection}", "1 while the projection is stopped.");
    }

    /// <summary>Gauges look at the projectors that run when they are asked, so that none outlives its projector.</summary>
    public static void Started(Projector projector) => Projectors[projector] = 0;

    public static void Stopped(Projector projector) => Projectors.TryRemove(projector, out _);

    private static IEnumerable<Measurement<T>> Each<T>(Func<ProjectionLoop, T> of)
        where T : struct =>
        Projectors.Keys.SelectMany(projector => projector.Loops).Select(loop => new Measurement<T>(of(loop), new KeyValuePair<string, object?>("projection", loop.Entry.Name)));
}
