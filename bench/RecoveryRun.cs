using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Warp.Http.Aggregates;
using Warp.Http.Endpoints;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Bench;

/// <summary>
/// <c>recovery [MiB]</c>: how long a start takes that finds so much unsealed (default 64: one memtable sealing, one active), once over new
/// entities with an event each, once over 10,000 entities; what an event takes in the journal and in memory.
/// </summary>
internal static class RecoveryRun
{
    private const int InFlight = 1024;
    private static readonly byte[] Event = "{\"type\":\"Credited\",\"payload\":{\"amount\":17,\"currency\":\"EUR\",\"reference\":\"2026-000123\"}}"u8.ToArray();

    public static async Task<int> RunAsync(string[] args)
    {
        var bytes = (args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 64) * 1024L * 1024;
        await MeasureAsync("new entities", int.MaxValue, bytes);
        await MeasureAsync("10,000 entities", 10_000, bytes);
        return 0;
    }

    private static async Task MeasureAsync(string what, int entities, long bytes)
    {
        var directory = Directory.CreateTempSubdirectory("warp-recovery-").FullName;
        try
        {
            var events = await WriteAsync(directory, entities, bytes);
            var wal = new DirectoryInfo(directory).EnumerateFiles("*-wal", SearchOption.AllDirectories).Sum(f => f.Length);
            for (var round = 0; round < 5; round++)
            {
                var memory = GC.GetTotalMemory(forceFullCollection: true);
                var cpu = Environment.CpuUsage.TotalTime;
                var started = Stopwatch.GetTimestamp();
                using var store = Open(directory, _ => throw new StorageException("Nothing is sealed between two starts."));
                var elapsed = Stopwatch.GetElapsedTime(started);
                cpu = Environment.CpuUsage.TotalTime - cpu;
                memory = GC.GetTotalMemory(forceFullCollection: true) - memory;
                if (store.AllShards[0].DurablePosition != events) throw new InvalidOperationException($"{store.AllShards[0].DurablePosition} of {events} events are there.");
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{what}: {events} events, {wal / (double)events:F1} B of WAL and {memory / (double)events:F1} B of memory each, started in {elapsed.TotalMilliseconds:F0} ms ({cpu.TotalMilliseconds:F0} ms of a processor)"));
            }
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<long> WriteAsync(string directory, int entities, long bytes)
    {
        using var store = Open(directory, atStep: null);
        using var definitions = AggregateCatalog.Open(directory, new Limits(), TimeProvider.System);
        var registry = new EntityRegistry(
            store, definitions, Options.Create(new EntityOptions()), Options.Create(new Limits()), TimeProvider.System, NullLogger<EntityRegistry>.Instance);
        var commands = new AppendCommand[InFlight];
        var outcomes = new ValueTask<AppendOutcome>[InFlight];
        long events = 0;
        while (store.AllShards[0].UnsealedBytes < bytes)
        {
            for (var i = 0; i < InFlight; i++)
            {
                var command = commands[i] = AppendCommand.Rent();
                command.SetEntity(System.Text.Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"user/u{events++ % entities}")));
                if (EventParser.ParseJson(Event, new Limits(), command.Events, out _) is { } problem) throw new InvalidOperationException(problem.Detail);
                outcomes[i] = registry.AppendAsync(command);
            }

            for (var i = 0; i < InFlight; i++)
            {
                var outcome = await outcomes[i];
                if (outcome.Status != AppendStatus.Appended) throw new InvalidOperationException(outcome.Status.ToString());
                commands[i].Return();
            }
        }

        return events;
    }

    private static Store Open(string directory, Action<StoreStep>? atStep) => new(Options.Create(new StoreOptions
    {
        DataDirectory = directory,
        Shards = 1,
        Durability = Durability.Os,
        SealBytes = 1 << 30,
        SealAfter = TimeSpan.FromDays(1),
        AtStep = atStep is null ? null : step =>
        {
            if (step == StoreStep.RunBuilt) atStep(step);
        },
    }), TimeProvider.System, NullLogger<Store>.Instance);
}
