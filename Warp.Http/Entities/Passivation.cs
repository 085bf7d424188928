using Microsoft.Extensions.Hosting;

namespace Warp.Http.Entities;

/// <summary>Brings the live actors back under their memory budget each second, should those who need room not have found enough.</summary>
public sealed class Passivation(EntityRegistry registry, TimeProvider time) : BackgroundService
{
    private static readonly TimeSpan Turn = TimeSpan.FromSeconds(1);

    /// <summary>Passivates what the budget asks for, now.</summary>
    public void Sweep() => registry.Sweep();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Turn, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) Sweep();
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopping is how this loop ends.
        }
    }
}
