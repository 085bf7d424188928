using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Warp.Http.Storage;

namespace Warp.Http.Sagas;

/// <summary>After a start, goes on with every saga that has not ended; then keeps written down which those are.</summary>
public sealed partial class SagaRecovery(
    SagaService sagas, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<SagaRecovery> logger) : BackgroundService
{
    /// <summary>Of the host's 4 s for everything.</summary>
    private static readonly TimeSpan StopPatience = TimeSpan.FromMilliseconds(750);

    private Task _stopped = Task.CompletedTask;

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        // Before Kestrel waits for its requests: one of them may wait for a saga that waits for better times.
        lifetime.ApplicationStopping.Register(() => _stopped = sagas.StopAsync(StopPatience));
        return base.StartAsync(cancellationToken);
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        await _stopped;
        await TryAsync(
            "The open sagas could not be written down; the next start looks for them.",
            () => sagas.Open.WriteIfChangedAsync().WaitAsync(StopPatience, time, cancellationToken));
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield(); // the start does not wait for what follows
        var isRecovered = false;
        try
        {
            using var timer = new PeriodicTimer(SagaOptions.LookEvery, time);
            do
            {
                isRecovered = isRecovered || await TryAsync("Sagas that did not end could not all be found; it is tried again.", () => sagas.RecoverAsync(stoppingToken));
                await TryAsync("What sagas keep of erased parties could not be erased; it is tried again.", () => sagas.Erasure.RetryAsync(stoppingToken));
                await TryAsync("The open sagas could not be written down; it is tried again.", sagas.Open.WriteIfDueAsync);
            }
            while (await timer.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopping is how this loop ends.
        }
    }

    private async Task<bool> TryAsync(string what, Func<Task> action)
    {
        try
        {
            await action();
            return true;
        }
        catch (Exception e) when (e is IOException or ShardUnavailableException or InvalidDataException or TimeoutException)
        {
            LogFailed(logger, what, e);
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "{What}")]
    private static partial void LogFailed(ILogger logger, string what, Exception e);
}
