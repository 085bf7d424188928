using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Bench;

/// <summary>
/// Touches many entities once each, at full speed: says what a live actor takes, whether the memory budget holds, and the process's peak.
/// </summary>
internal static class WideRun
{
    private const int InFlight = 256;
    private const int Workers = 4;

    /// <summary><c>wide [entities] [budget in MiB]</c>.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        var entities = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 5_000_000;
        var budget = (args.Length > 2 ? long.Parse(args[2], CultureInfo.InvariantCulture) : 256) << 20;
        var directory = Directory.CreateTempSubdirectory("warp-wide-").FullName;
        var options = Options.Create(new StoreOptions { DataDirectory = directory, Durability = Durability.Os, FreeBytesMin = 0 });
        var entityOptions = Options.Create(new EntityOptions { MemoryBytes = budget });
        var limits = new Limits();
        using (var store = new Store(options, TimeProvider.System, NullLogger<Store>.Instance))
        using (var definitions = AggregateCatalog.Open(directory, limits, TimeProvider.System))
        {
            var registry = new EntityRegistry(
                store, definitions, entityOptions, Options.Create(limits), TimeProvider.System, NullLogger<EntityRegistry>.Instance);
            using var passivation = new Passivation(registry, TimeProvider.System);
            await passivation.StartAsync(CancellationToken.None);
            var watch = Stopwatch.StartNew();
            var highest = 0L;
            await Task.WhenAll(Enumerable.Range(0, Workers).Select(worker => Task.Run(async () =>
            {
                for (var at = worker * InFlight; at < entities; at += Workers * InFlight)
                {
                    await TouchAsync(registry, at, Math.Min(InFlight, entities - at));
                    highest = Math.Max(highest, registry.Bytes);
                }
            })));
            var seconds = watch.Elapsed.TotalSeconds;
            await passivation.StopAsync(CancellationToken.None);
            Console.WriteLine(FormattableString.Invariant(
                $"{entities:N0} entities touched in {seconds:N1} s, {entities / seconds:N0}/s; {registry.Live:N0} live, {registry.Bytes >> 20:N0} MiB counted, {highest >> 20:N0} MiB at most, budget {budget >> 20:N0} MiB"));
            Console.WriteLine(FormattableString.Invariant($"peak RSS {PeakRssMiB():N0} MiB, GC heap {GC.GetTotalMemory(false) >> 20:N0} MiB, gen2 {GC.CollectionCount(2)} times, pauses {GC.GetTotalPauseDuration().TotalSeconds:N1} s"));
            TellBytesPerActor(registry);
        }

        Directory.Delete(directory, recursive: true);
        return 0;
    }

    private static async Task TouchAsync(EntityRegistry registry, int from, int count)
    {
        var commands = new AppendCommand[count];
        var outcomes = new ValueTask<AppendOutcome>[count];
        for (var i = 0; i < count; i++)
        {
            var command = commands[i] = AppendCommand.Rent();
            var name = string.Create(CultureInfo.InvariantCulture, $"user/u{from + i:D8}");
            command.SetEntity(System.Text.Encoding.ASCII.GetBytes(name));
            command.Events.Add(new EventFields { Type = "Credited"u8, Payload = "{\"amount\":17}"u8, SchemaVersion = 1 });
            command.Events.Seal();
            outcomes[i] = registry.AppendAsync(command);
        }

        for (var i = 0; i < count; i++)
        {
            var outcome = await outcomes[i];
            if (outcome.Status != AppendStatus.Appended) throw new InvalidOperationException(outcome.Status.ToString());
            commands[i].Return();
        }

        await Task.Yield(); // off the pool item that completes other appends
    }

    /// <summary>What the heap loses when all actors leave is what they took.</summary>
    private static void TellBytesPerActor(EntityRegistry registry)
    {
        var (live, counted) = (registry.Live, registry.Bytes);
        if (live == 0) return;
        var before = GC.GetTotalMemory(forceFullCollection: true);
        registry.SweepTo(0);
        var freed = before - GC.GetTotalMemory(forceFullCollection: true);
        Console.WriteLine(FormattableString.Invariant(
            $"a live actor takes {(double)freed / (live - registry.Live):N0} B, with a name of 14 bytes; counted as {counted / live:N0} B"));
    }

    private static long PeakRssMiB()
    {
        if (!OperatingSystem.IsLinux()) return Process.GetCurrentProcess().PeakWorkingSet64 >> 20;
        var line = File.ReadLines("/proc/self/status").First(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
        return long.Parse(line.AsSpan("VmHWM:".Length, line.Length - "VmHWM:".Length - " kB".Length).Trim(), CultureInfo.InvariantCulture) >> 10;
    }
}
