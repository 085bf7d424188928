using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary>What streaming appends publish on the meter <c>Warp.Http</c>.</summary>
internal static class StreamMetrics
{
    private static readonly Watched<StreamEndpoint> s_endpoints = new();

    static StreamMetrics() =>
        StorageMetrics.Meter.CreateObservableGauge("warp_streams_open", () => s_endpoints.Sum(e => e.Open), "{stream}", "Streaming appends that are open.");

    public static void Opened(StreamEndpoint endpoint) => s_endpoints.Add(endpoint);
}
