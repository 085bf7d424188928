using System.Diagnostics;
using System.Globalization;

namespace Warp.Http.Bench;

/// <summary>
/// What a store costs as it grows: <c>growth DIRECTORY EVENTS ENTITIES NEW [BUDGET]</c> appends single events over so many entities, then to so
/// many new ones, and compares the end with an empty store in turns.
/// </summary>
internal static class Growth
{
    private const int Rounds = 5;
    private const int RoundEvents = 100_000;
    private const int IdleSingles = 2_000;
    private static readonly TimeSpan BusyFor = TimeSpan.FromSeconds(40);
    private static readonly TimeSpan LoadEvery = TimeSpan.FromMilliseconds(200);

    public static async Task<int> RunAsync(string[] arguments)
    {
        if (arguments is not [var root, var eventsText, var entitiesText, var newText, .. { Length: <= 1 } budget])
        {
            await Console.Error.WriteLineAsync("growth DIRECTORY EVENTS ENTITIES NEW [BUDGET in MiB]");
            return 2;
        }

        long? memoryBytes = budget is [var mebibytes] ? Count(mebibytes) << 20 : null;

        var (events, entities, fresh) = (Count(eventsText), Count(entitiesText), Count(newText));
        var directory = Path.Combine(root, "grown");
        if (Directory.Exists(directory)) throw new InvalidOperationException($"{directory} is there already; give an empty directory.");
        using var meters = new Meters();
        var store = new OpenStore(directory, memoryBytes: memoryBytes);
        try
        {
            var before = Written();
            await FillAsync(store, meters, $"over {entities} entities", 0, events, i => i * 15_485_863 % entities);
            Files(directory, "then", events);
            var reads = meters["warp_run_reads"];
            await FillAsync(store, meters, "new entities only", events, fresh, i => i);
            Say($"written per payload byte in all: {(Written() - before) / ((double)(events + fresh) * OpenStore.PayloadBytes):0.00} to the disk");
            Say($"run reads per new entity: {(double)(meters["warp_run_reads"] - reads) / fresh:0.0000}");
            var files = Directory.GetFiles(directory, "run-*", SearchOption.AllDirectories).Length;
            Say($"RSS {ProcessFacts.Of("/proc/self/status", "VmRSS") / 1024} MiB, {files} run files");
            await LatencyAsync(store, events + fresh);
            await AgainstEmptyAsync(store, Path.Combine(root, "empty"), events + fresh);
            await store.BecomesQuietAsync();
        }
        finally
        {
            store.Dispose();
        }

        var started = Stopwatch.GetTimestamp();
        using var reopened = new OpenStore(directory);
        await reopened.AppendAsync(0, OpenStore.Event(0));
        Say($"reopened and appended in {Stopwatch.GetElapsedTime(started).TotalMilliseconds:0} ms");
        return 0;
    }

    private static long Written() => ProcessFacts.Of("/proc/self/io", "write_bytes");

    private static async Task FillAsync(OpenStore store, Meters meters, string what, long from, long count, Func<long, long> entityOf)
    {
        var (bytes, characters) = (Written(), ProcessFacts.Of("/proc/self/io", "wchar"));
        var started = Stopwatch.GetTimestamp();
        await store.FillAsync(from, count, entityOf);
        var appended = Stopwatch.GetElapsedTime(started);
        await store.BecomesQuietAsync();
        var payload = (double)count * OpenStore.PayloadBytes;
        Say($"{what}: {count} events at {count / appended.TotalSeconds:0}/s; written per payload byte: "
            + $"{(Written() - bytes) / payload:0.00} to the disk, "
            + $"{(ProcessFacts.Of("/proc/self/io", "wchar") - characters) / payload:0.00} by calls; "
            + $"{meters["warp_seal_seconds"]} seals, {meters["warp_merges"]} merges, merged {meters["warp_merged_bytes"] >> 20} MiB so far");
    }

    /// <summary>Single appends with nothing beside them, and beside a load that keeps sealing and merging going.</summary>
    private static async Task LatencyAsync(OpenStore store, long next)
    {
        List<double> idle = [], loaded = [], building = [];
        for (var i = 0; i < IdleSingles; i++) idle.Add(await SingleAsync(store, next + i));
        using var stop = new CancellationTokenSource(BusyFor);
        var load = Task.Run(async () =>
        {
            for (var at = next + IdleSingles; !stop.IsCancellationRequested; at += OpenStore.Window)
            {
                await store.FillAsync(at, OpenStore.Window, i => i);
                await Task.Delay(LoadEvery);
            }
        });
        var isBuilding = false;
        var look = Task.Run(async () =>
        {
            for (; !stop.IsCancellationRequested; await Task.Delay(10)) Volatile.Write(ref isBuilding, store.IsBuilding());
        });
        while (!stop.IsCancellationRequested)
        {
            var before = Volatile.Read(ref isBuilding);
            var took = await SingleAsync(store, 0);
            (before && Volatile.Read(ref isBuilding) ? building : loaded).Add(took);
            await Task.Delay(2);
        }

        await Task.WhenAll(load, look);
        Say($"a single append: idle {Percentiles(idle)}; beside {OpenStore.Window} appends each {LoadEvery.TotalMilliseconds:0} ms and more: "
            + $"nothing sealed or merged {Percentiles(loaded)}, sealing or merging {Percentiles(building)}");
    }

    private static async Task<double> SingleAsync(OpenStore store, long entity)
    {
        var started = Stopwatch.GetTimestamp();
        await store.AppendAsync(entity, OpenStore.Event(entity));
        return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
    }

    private static async Task AgainstEmptyAsync(OpenStore grown, string emptyDirectory, long next)
    {
        using var empty = new OpenStore(emptyDirectory);
        List<double> rates = [], emptyRates = [];
        next += 1L << 32; // names that no part before has used
        for (var round = 0; round < Rounds; round++)
        {
            emptyRates.Add(await RateAsync(empty, next + (round * RoundEvents)));
            rates.Add(await RateAsync(grown, next + (round * RoundEvents)));
        }

        rates.Sort();
        emptyRates.Sort();
        Say($"new entities in turns, median of {Rounds}: {rates[Rounds / 2]:0}/s, in an empty store {emptyRates[Rounds / 2]:0}/s, "
            + $"ratio {rates[Rounds / 2] / emptyRates[Rounds / 2]:0.00}");
    }

    private static async Task<double> RateAsync(OpenStore store, long from)
    {
        var started = Stopwatch.GetTimestamp();
        await store.FillAsync(from, RoundEvents, i => i);
        return RoundEvents / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }

    private static void Files(string directory, string when, long events)
    {
        var bytes = Directory.EnumerateFiles(directory, "run-*", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);
        Say($"{when} in runs: {bytes >> 20} MiB, {(double)bytes / events:0.0} bytes an event, {(double)bytes / events / OpenStore.EventBytes:0.00} of "
            + "its JSON");
    }

    private static string Percentiles(List<double> milliseconds)
    {
        if (milliseconds.Count == 0) return "never seen";
        milliseconds.Sort();
        return string.Create(CultureInfo.InvariantCulture,
            $"p50 {At(0.5):0.00} p99 {At(0.99):0.00} max {milliseconds[^1]:0.0} ms ({milliseconds.Count})");

        double At(double share) => milliseconds[(int)(share * (milliseconds.Count - 1))];
    }

    private static long Count(string text) => long.Parse(text.Replace("_", "", StringComparison.Ordinal), CultureInfo.InvariantCulture);

    private static void Say(string line) => Console.WriteLine(line);
}
