using BenchmarkDotNet.Attributes;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Warp.Http.Aggregates;
using Warp.Http.Endpoints;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Bench;

/// <summary>
/// From a request's body to the durable outcome, without HTTP: what the append path itself allocates. Durability os, so that time shows the code
/// and not the disk; 32 appends are in flight at once, as a group commit would find them.
/// </summary>
[MemoryDiagnoser]
public class AppendBench : IDisposable
{
    private const int InFlight = 32;
    private const int Entities = 10_000;

    private readonly Limits _limits = new();
    private readonly ValueTask<AppendOutcome>[] _outcomes = new ValueTask<AppendOutcome>[InFlight];
    private readonly AppendCommand[] _commands = new AppendCommand[InFlight];
    private readonly byte[][] _names = [.. Enumerable.Range(0, Entities).Select(i => System.Text.Encoding.ASCII.GetBytes($"user/u{i}"))];
    private readonly byte[] _single = "{\"type\":\"Credited\",\"payload\":{\"amount\":17}}"u8.ToArray();
    private readonly byte[] _batch = System.Text.Encoding.ASCII.GetBytes($"[{string.Join(',', Enumerable.Repeat("{\"type\":\"Credited\",\"payload\":{\"amount\":17}}", 500))}]");
    private string _directory = "";
    private Store _store = null!;
    private AggregateCatalog _definitions = null!;
    private EntityRegistry _registry = null!;
    private int _next;

    [GlobalSetup]
    public async Task OpenAsync()
    {
        _directory = Directory.CreateTempSubdirectory("warp-bench-").FullName;
        var options = Options.Create(new StoreOptions { DataDirectory = _directory, Durability = Durability.Os });
        _store = new Store(options, TimeProvider.System, NullLogger<Store>.Instance);
        _definitions = AggregateCatalog.Open(_directory, _limits, TimeProvider.System);
        _registry = new EntityRegistry(
            _store, _definitions, Options.Create(new EntityOptions()), Options.Create(_limits), TimeProvider.System, NullLogger<EntityRegistry>.Instance);
        for (var i = 0; i < Entities / InFlight; i++) await AppendAll(_single); // the entities exist before anything is measured
    }

    [Benchmark(OperationsPerInvoke = InFlight)]
    public Task SingleAppend() => AppendAll(_single);

    [Benchmark(OperationsPerInvoke = InFlight * 500)]
    public Task EventOfABatchOf500() => AppendAll(_batch);

    [GlobalCleanup]
    public void Dispose()
    {
        _definitions.Dispose();
        _store.Dispose();
        Directory.Delete(_directory, recursive: true);
        GC.SuppressFinalize(this);
    }

    private async Task AppendAll(byte[] body)
    {
        for (var i = 0; i < InFlight; i++)
        {
            var command = _commands[i] = AppendCommand.Rent();
            command.SetEntity(_names[_next = (_next + 1) % Entities]);
            if (EventParser.ParseJson(body, _limits, command.Events, out _) is { } problem) throw new InvalidOperationException(problem.Detail);
            _outcomes[i] = _registry.AppendAsync(command);
        }

        for (var i = 0; i < InFlight; i++)
        {
            var outcome = await _outcomes[i];
            if (outcome.Status != AppendStatus.Appended) throw new InvalidOperationException(outcome.Status.ToString());
            _commands[i].Return();
        }
    }
}
