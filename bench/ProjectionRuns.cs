using System.Diagnostics;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Projections;
using Warp.Http.Storage;
using Warp.Http.Tests.Support.Rqlite;

namespace Warp.Http.Bench;

/// <summary>
/// How fast a projection over states catches up from memory and from runs, into a file and through the client of rqlite; how far it lags behind a steady
/// load, and what appends cost beside it against the same without, in turns.
/// </summary>
internal static class ProjectionRuns
{
    private const int Batch = 50;
    private const int InFlight = 64;
    private const int SteadyPerSecond = 5_000;
    private static readonly TimeSpan SteadyFor = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan TurnFor = TimeSpan.FromSeconds(3);

    private const string Account = """{"initial":{"balance":0},"on":{"Credited":{"balance":"state.balance + payload.amount"}},"defaultForKind":"user"}""";
    private const string Accounts = """{"kind":"user","table":"accounts","columns":{"id":"entity.id","balance":"state.balance"},"types":{"balance":"REAL"},"indexes":[["balance"]]}""";

    /// <summary><c>projections [events, default 2000000] [entities, default 20000]</c>.</summary>
    public static async Task<int> RunAsync(string[] args)
    {
        var events = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 2_000_000;
        var entities = args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 20_000;
        var directory = Directory.CreateTempSubdirectory("warp-projections-").FullName;
        foreach (var (what, sealBytes, isRqlite) in ((string, int, bool)[])[("memory", 1 << 29, false), ("runs into rqlite's fake", 32 << 20, true), ("runs", 32 << 20, false)])
        {
            await using var fake = isRqlite ? await FakeRqlite.StartAsync() : null;
            await using var service = new Service(Path.Combine(directory, what), sealBytes, fake?.Address);
            await service.FillAsync(events, entities);
            var started = Stopwatch.GetTimestamp();
            await service.DefineAsync();
            await service.CatchUpAsync();
            Say($"catch-up from {what}: {events:N0} events of {entities:N0} entities in {Stopwatch.GetElapsedTime(started).TotalSeconds:N2} s, {events / Stopwatch.GetElapsedTime(started).TotalSeconds:N0} events/s");
            if (what is not "runs") continue;
            await service.LagAsync(entities);
            for (var round = 1; round <= 3; round++)
            {
                var with = await service.AppendAsync(entities);
                await service.PauseAsync();
                var without = await service.AppendAsync(entities);
                await service.ResumeAsync();
                Say($"round {round}: {with:N0} appends/s with the projection, {without:N0} without: {with / without:N2}");
            }
        }

        Directory.Delete(directory, recursive: true);
        return 0;
    }

    private static void Say(string line) => Console.WriteLine(line);

    private sealed class Service : IAsyncDisposable
    {
        private readonly Store _store;
        private readonly AggregateCatalog _aggregates;
        private readonly EntityRegistry _registry;
        private readonly HttpClient _http = new();
        private readonly ProjectionOptions _options = new();
        private readonly IProjectionStore _tables;
        private Projector _projector;

        /// <param name="rqlite">Null: the tables stand in a file.</param>
        public Service(string directory, int sealBytes, Uri? rqlite)
        {
            var limits = Options.Create(new Limits());
            _store = new Store(
                Options.Create(new StoreOptions { DataDirectory = directory, Shards = 1, Durability = Durability.Os, SealBytes = sealBytes }), TimeProvider.System, NullLogger<Store>.Instance);
            _aggregates = AggregateCatalog.Open(directory, limits.Value, TimeProvider.System);
            _aggregates.Put("Account", Encoding.UTF8.GetBytes(Account));
            _registry = new EntityRegistry(_store, _aggregates, Options.Create(new EntityOptions()), limits, TimeProvider.System, NullLogger<EntityRegistry>.Instance);
            _tables = rqlite is null
                ? new SqliteProjectionStore(Path.Combine(Projector.DirectoryIn(directory), "projections.db"))
                : new RqliteProjectionStore(new RqliteClient(_http, [rqlite], null, null, TimeProvider.System));
            if (rqlite is not null) _options.BatchEvents = RqliteSetup.BatchEventsMax;
            _projector = NewProjector();
        }

        private ProjectionLoop Loop => _projector.Find("accounts")!;

        public async Task FillAsync(int events, int entities)
        {
            var random = new Random(1);
            var appends = new List<Task>();
            for (var i = 0; i < events; i += Batch)
            {
                appends.Add(AppendAsync(random.Next(entities), Batch, random));
                if (appends.Count < InFlight) continue;
                await Task.WhenAll(appends);
                appends.Clear();
            }

            await Task.WhenAll(appends);
        }

        public async Task DefineAsync()
        {
            await _projector.StartAsync(CancellationToken.None);
            await _projector.PutAsync("accounts", Encoding.UTF8.GetBytes(Accounts), CancellationToken.None);
        }

        public async Task CatchUpAsync()
        {
            while (Loop.State != ProjectionState.Live || Loop.LagEvents > 0) await Task.Delay(5);
        }

        /// <summary>Single appends at a steady rate; how long each 50th took from its answer to the table.</summary>
        public async Task LagAsync(int entities)
        {
            var random = new Random(2);
            var lags = new List<double>();
            var waiting = new Queue<(long Position, long At)>();
            var started = Stopwatch.GetTimestamp();
            for (long sent = 0; Stopwatch.GetElapsedTime(started) < SteadyFor;)
            {
                var due = (long)(Stopwatch.GetElapsedTime(started).TotalSeconds * SteadyPerSecond);
                var appends = new List<Task>();
                for (; sent < due; sent++) appends.Add(AppendAsync(random.Next(entities), 1, random));
                await Task.WhenAll(appends);
                waiting.Enqueue((_store.AllShards[0].DurablePosition, Stopwatch.GetTimestamp()));
                await Task.Delay(1);
                while (waiting.TryPeek(out var first) && Loop.Places![0].Position >= first.Position)
                {
                    lags.Add(Stopwatch.GetElapsedTime(first.At).TotalMilliseconds);
                    waiting.Dequeue();
                }
            }

            lags.Sort();
            Say($"lag at {SteadyPerSecond:N0} appends/s: p50 {lags[lags.Count / 2]:N1} ms, p99 {lags[lags.Count * 99 / 100]:N1} ms, worst {lags[^1]:N1} ms of {lags.Count:N0}");
        }

        /// <summary>Single appends as fast as they go, a thousand in flight.</summary>
        public async Task<double> AppendAsync(int entities)
        {
            var started = Stopwatch.GetTimestamp();
            var counts = await Task.WhenAll(Enumerable.Range(0, 1000).Select(async worker =>
            {
                var random = new Random(worker);
                var count = 0;
                for (; Stopwatch.GetElapsedTime(started) < TurnFor; count++) await AppendAsync(random.Next(entities), 1, random);
                return count;
            }));
            return counts.Sum() / Stopwatch.GetElapsedTime(started).TotalSeconds;
        }

        public async Task PauseAsync() => await _projector.DisposeAsync();

        public async Task ResumeAsync()
        {
            _projector = NewProjector();
            await _projector.StartAsync(CancellationToken.None);
            await CatchUpAsync();
        }

        public async ValueTask DisposeAsync()
        {
            await _projector.DisposeAsync();
            await _tables.DisposeAsync();
            _http.Dispose();
            _store.Dispose();
            _aggregates.Dispose();
        }

        private Projector NewProjector() => new(
            _registry, _aggregates, _tables, Options.Create(_options), Options.Create(new Limits()), TimeProvider.System, NullLogger<Projector>.Instance);

        private async Task AppendAsync(int entity, int events, Random random)
        {
            var command = AppendCommand.Rent();
            command.SetEntity(Encoding.UTF8.GetBytes($"user/{entity}"));
            for (var i = 0; i < events; i++)
                command.Events.Add(new EventFields { Type = "Credited"u8, SchemaVersion = 1, Payload = Encoding.UTF8.GetBytes($$"""{"amount":{{random.Next(100)}},"note":"n{{random.Next(1000)}}"}""") });
            command.Events.Seal();
            var outcome = await _registry.AppendAsync(command);
            command.Return();
            if (outcome.Status != AppendStatus.Appended) throw new InvalidOperationException($"An append ended as {outcome.Status}.");
            await Task.Yield();
        }
    }
}
