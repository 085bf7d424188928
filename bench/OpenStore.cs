using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Warp.Http.Aggregates;
using Warp.Http.Endpoints;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Bench;

/// <summary>A store on real files with its entities, without HTTP, and the load that the long measurements put on it.</summary>
internal sealed class OpenStore : IDisposable
{
    /// <summary>Appends in flight for each of the callers: enough that a group commit gathers thousands.</summary>
    public const int Window = 8192;
    private const int Callers = 2;

    private readonly Limits _limits = new();
    private readonly AggregateCatalog _definitions;
    private readonly Passivation _passivation;
    private readonly Timer _sweeping;

    public OpenStore(string directory, StoreOptions? options = null, long? memoryBytes = null)
    {
        Store = new Store(Options.Create(options ?? new StoreOptions { DataDirectory = directory }), TimeProvider.System, NullLogger<Store>.Instance);
        _definitions = AggregateCatalog.Open(directory, _limits, TimeProvider.System);
        var defaults = new EntityOptions();
        var entities = Options.Create(new EntityOptions { MemoryBytes = memoryBytes ?? defaults.MemoryBytes });
        Registry = new EntityRegistry(
            Store, _definitions, entities, Options.Create(_limits), TimeProvider.System, NullLogger<EntityRegistry>.Instance);
        _passivation = new Passivation(Registry, TimeProvider.System);
        _sweeping = new Timer(_ => _passivation.Sweep(), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
    }

    public Store Store { get; }

    public EntityRegistry Registry { get; }

    /// <summary>101 bytes, of which the payload is 71: fields that differ and a text that half repeats itself.</summary>
    public static byte[] Event(long number) => Encoding.ASCII.GetBytes(string.Create(
        CultureInfo.InvariantCulture,
        $$$"""
        {"type":"Credited","payload":{"amount":{{{10_000 + (number * 7919 % 90_000)}}},"balance":{{{1_000_000 + (number * 104_729 % 9_000_000)}}},"ref":"invoice/2026-11/{{{(ulong)number * 2_654_435_761 % 0xffff_ffff_ffff:x12}}}"}}
        """));

    public const int PayloadBytes = 71;
    public const int EventBytes = 101;

    public static byte[] Name(long entity) => Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"user/u{entity}"));

    /// <summary>Single-event appends <paramref name="from"/> to <paramref name="from"/> + <paramref name="count"/>, thousands in flight.</summary>
    public async Task FillAsync(long from, long count, Func<long, long> entityOf)
    {
        var next = from;
        await Task.WhenAll(Enumerable.Range(0, Callers).Select(_ => Task.Run(async () =>
        {
            var outcomes = new ValueTask<AppendOutcome>[Window];
            var commands = new AppendCommand[Window];
            while (true)
            {
                var first = Interlocked.Add(ref next, Window) - Window;
                var events = (int)Math.Min(Window, from + count - first);
                if (events <= 0) return;
                for (var i = 0; i < events; i++) (commands[i], outcomes[i]) = Begin(entityOf(first + i), Event(first + i));
                for (var i = 0; i < events; i++) Finish(commands[i], await outcomes[i]);
                while (Store.AllShards[0].QueuedBytes > 32 << 20) await Task.Delay(1); // below what the store would refuse
            }
        })));
    }

    public async Task AppendAsync(long entity, byte[] body)
    {
        var (command, outcome) = Begin(entity, body);
        Finish(command, await outcome);
    }

    /// <summary>Waits until nothing is sealed or merged any more.</summary>
    public async Task BecomesQuietAsync()
    {
        var quietTurns = 0;
        var before = "";
        while (quietTurns < 12)
        {
            await Task.Delay(500);
            var now = string.Join(',', Store.AllShards.ToArray().SelectMany(shard => shard.Views.Current.Runs.Select(run => run.Id)));
            quietTurns = !IsBuilding() && now == before ? quietTurns + 1 : 0;
            before = now;
        }
    }

    /// <summary>True while a run is being written: a file that no view has yet.</summary>
    public bool IsBuilding()
    {
        foreach (var shard in Store.AllShards.ToArray())
        {
            var directory = Path.Combine(Store.DirectoryPath, "shards", shard.Index.ToString("D3", CultureInfo.InvariantCulture));
            var view = shard.Views.Current;
            if (view.Memtables.Length > 1 || Directory.EnumerateFiles(directory, "run-*.db").Count() > view.Runs.Length) return true;
        }

        return false;
    }

    public void Dispose()
    {
        using (var swept = new ManualResetEvent(initialState: false))
        {
            _sweeping.Dispose(swept);
            swept.WaitOne();
        }

        Store.Dispose();
        _definitions.Dispose();
        _passivation.Dispose();
    }

    private (AppendCommand Command, ValueTask<AppendOutcome> Outcome) Begin(long entity, byte[] body)
    {
        var command = AppendCommand.Rent();
        command.SetEntity(Name(entity));
        if (EventParser.ParseJson(body, _limits, command.Events, out _) is { } problem) throw new InvalidOperationException(problem.Detail);
        return (command, Registry.AppendAsync(command));
    }

    private static void Finish(AppendCommand command, AppendOutcome outcome)
    {
        if (outcome.Status != AppendStatus.Appended) throw new InvalidOperationException(outcome.Status.ToString());
        command.Return();
    }
}
