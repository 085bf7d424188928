using System.Diagnostics;
using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Storage;

namespace Warp.Http.Bench;

/// <summary>
/// The first read of an entity with a million events: <c>cold DIRECTORY [EVENTS]</c>. Once with all of it in runs, once as kill -9 leaves it
/// with a third in the journal.
/// </summary>
internal static class ColdRead
{
    private const int BatchEvents = 500;
    private const long Long = 1;
    private const long Warming = 2;

    /// <summary>For the code to be compiled before it is timed: longer than what makes a stored state.</summary>
    private const int WarmingEvents = 20_000;

    public static async Task<int> RunAsync(string[] arguments)
    {
        if (arguments is not [var root, ..])
        {
            await Console.Error.WriteLineAsync("cold DIRECTORY [EVENTS]");
            return 2;
        }

        var events = arguments.Length > 1 ? int.Parse(arguments[1]) : 1_000_000;
        var directory = Path.Combine(root, "cold");
        var killed = Path.Combine(root, "killed");
        if (Directory.Exists(directory)) throw new InvalidOperationException($"{directory} is there already; give an empty directory.");
        using (var store = new OpenStore(directory))
        {
            await AppendAsync(store, Warming, WarmingEvents);
            await AppendAsync(store, Long, events * 2 / 3);
            await store.BecomesQuietAsync();
        }

        // Nothing is sealed from here on; the copy is what a kill at that moment would leave.
        using (var store = new OpenStore(directory, new StoreOptions { DataDirectory = directory, SealBytes = 1 << 30, SealAfter = TimeSpan.FromDays(1) }))
        {
            await store.BecomesQuietAsync();
            await AppendAsync(store, Long, events - (events * 2 / 3));
            await Task.Delay(TimeSpan.FromSeconds(3)); // what folds in the background has its time, as it would in service
            Copy(directory, killed);
        }

        await ReadAsync(killed, "after kill -9 with a third in the journal");
        using (var store = new OpenStore(directory, new StoreOptions { DataDirectory = directory, SealAfter = TimeSpan.FromSeconds(1) }))
            await store.BecomesQuietAsync();
        await ReadAsync(directory, "all of it in runs");
        return 0;
    }

    private static async Task ReadAsync(string directory, string what)
    {
        var opening = Stopwatch.GetTimestamp();
        using var store = new OpenStore(directory);
        var opened = Stopwatch.GetElapsedTime(opening);
        await StateAsync(store, Warming);
        var (state, seconds) = await StateAsync(store, Long);
        var (_, again) = await StateAsync(store, Long);
        Console.WriteLine($"{what}: opened in {opened.TotalMilliseconds:0} ms, first read {seconds * 1000:0.0} ms, second {again * 1000:0.000} ms; {state}");
    }

    private static async Task<(string State, double Seconds)> StateAsync(OpenStore store, long entity)
    {
        var started = Stopwatch.GetTimestamp();
        var found = await store.Registry.FindAsync(OpenStore.Name(entity), CancellationToken.None);
        var result = await found.Actor!.GetStateAsync(AggregateSet.DefaultName, CancellationToken.None);
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return (Encoding.UTF8.GetString(result.Snapshot!.State.Span), seconds);
    }

    private static async Task AppendAsync(OpenStore store, long entity, int events)
    {
        for (var at = 0; at < events; at += BatchEvents)
        {
            var count = Math.Min(BatchEvents, events - at);
            await store.AppendAsync(entity, Encoding.ASCII.GetBytes(
                $"[{string.Join(',', Enumerable.Range(at, count).Select(i => Encoding.ASCII.GetString(OpenStore.Event(i))))}]"));
        }
    }

    private static void Copy(string source, string destination)
    {
        Directory.CreateDirectory(destination);
        foreach (var child in Directory.EnumerateDirectories(source)) Copy(child, Path.Combine(destination, Path.GetFileName(child)));
        foreach (var file in Directory.EnumerateFiles(source).Where(file => Path.GetFileName(file) != "lock"))
        {
            using var from = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var to = File.Create(Path.Combine(destination, Path.GetFileName(file)));
            from.CopyTo(to);
        }
    }
}
