using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary>What <c>/metrics</c> shows: the service's own instruments, and the runtime's and Kestrel's that cost nothing between scrapes.</summary>
internal static class MetricsSetup
{
    /// <summary>
    /// Seconds, from 50 µs (a commit without fsync) to 10 s: a factor of about two each. OpenTelemetry's own boundaries are meant for
    /// milliseconds and put every commit into the first bucket.
    /// </summary>
    private static readonly double[] s_seconds =
        [0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

    /// <summary>Events or commands in one group commit, and other counts: powers of four.</summary>
    private static readonly double[] s_counts = [1, 4, 16, 64, 256, 1024, 4096, 16384, 65536];

    public static IServiceCollection AddWarpMetrics(this IServiceCollection services)
    {
        services.AddOpenTelemetry()
            .ConfigureResource(resource => resource.AddService("warp-http", serviceVersion: InfoEndpoint.Version, serviceInstanceId: Environment.MachineName))
            .WithMetrics(metrics => metrics
            .AddMeter(StorageMetrics.MeterName, "System.Runtime", "Microsoft.AspNetCore.Server.Kestrel")
            .AddView(instrument => instrument.GetType() is { IsGenericType: true } type && type.GetGenericTypeDefinition() == typeof(System.Diagnostics.Metrics.Histogram<>)
                ? new ExplicitBucketHistogramConfiguration { Boundaries = string.Equals(instrument.Unit, "s", StringComparison.Ordinal) ? s_seconds : s_counts }
                : null)
            .AddPrometheusExporter());
        return services;
    }
}
