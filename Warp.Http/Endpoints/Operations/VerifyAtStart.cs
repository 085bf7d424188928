using Warp.Http.Aggregates;
using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary>After a start, verifies once all that is stored, in the background; when the service stops, stops whatever verification runs.</summary>
internal sealed class VerifyAtStart(Store store, AggregateCatalog definitions, IHostApplicationLifetime lifetime) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken)
    {
        store.Verification.Include(AggregateCatalog.FileName, definitions.Check);

        // Before Kestrel waits for its requests: one of them may be waiting for the report.
        lifetime.ApplicationStopping.Register(store.Verification.End);
        if (store.Options.VerifyInBackground) lifetime.ApplicationStarted.Register(() => _ = store.Verification.RunAsync(isPaced: true));
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
