using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>Stores states of entities that grow, so that one that was never read is read as quickly as any other when somebody does.</summary>
/// <remarks>
/// One entity at a time, one page of events at a time on the readers' threads, of which there are two at least: a reader waits for one page at most.
/// After each entity it rests three times as long as it worked: a quarter of a core is the most it takes from appends. What waits is bounded; an entity
/// that finds no place comes again when it has grown on.
/// </remarks>
public sealed partial class BackgroundFolds(EntityRegistry registry, TimeProvider time, ILogger<BackgroundFolds> logger) : BackgroundService
{
    private const int RestFactor = 3;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            await foreach (var actor in registry.Grown.ReadAllAsync(stoppingToken))
            {
                var started = time.GetTimestamp();
                await StoreAsync(actor, stoppingToken);
                await Task.Delay(time.GetElapsedTime(started) * RestFactor, time, stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // Stopping is how this loop ends.
        }
    }

    private async Task StoreAsync(EntityActor actor, CancellationToken stoppingToken)
    {
        try
        {
            await actor.StoreStatesAsync(stoppingToken);
        }
        catch (Exception e) when (e is IOException or ShardUnavailableException or InvalidDataException)
        {
            // A stored state saves time and nothing else; who reads the entity is told what is wrong.
            LogNotStored(logger, e);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "A state could not be folded in the background; it will be when its entity is read.")]
    private static partial void LogNotStored(ILogger logger, Exception e);
}
