using System.Diagnostics.Metrics;
using Warp.Http.Storage;

namespace Warp.Http.Sagas;

/// <summary>What the sagas publish on the meter <c>Warp.Http</c>.</summary>
internal static class SagaMetrics
{
    public static readonly Counter<long> Started = StorageMetrics.Meter.CreateCounter<long>("warp_sagas_started", "{saga}", "Sagas that began.");
    public static readonly Counter<long> Resumed = StorageMetrics.Meter.CreateCounter<long>("warp_sagas_resumed", "{saga}", "Sagas that went on after a restart or a failure.");
    public static readonly Histogram<double> Seconds = StorageMetrics.Meter.CreateHistogram<double>("warp_saga_seconds", "s", "From a saga's begin, or its retry, to its end.");

    private static readonly Counter<long> s_ended = StorageMetrics.Meter.CreateCounter<long>("warp_sagas_ended", "{saga}", "Sagas that ended, by result.");

    private static readonly Watched<SagaService> s_services = new();

    static SagaMetrics()
    {
        StorageMetrics.Meter.CreateObservableGauge("warp_sagas_in_flight", () => s_services.Sum(s => s.InFlight), "{saga}", "Sagas that run.");
        StorageMetrics.Meter.CreateObservableGauge("warp_sagas_stuck", () => s_services.Sum(s => s.Open.Stuck), "{saga}", "Sagas that wait for a person.");
    }

    public static void Opened(SagaService service) => s_services.Add(service);

    public static void Ended(SagaResult result) => s_ended.Add(1, new KeyValuePair<string, object?>("result", LogFormat.NameOf(result)));
}
