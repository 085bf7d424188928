using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Warp.Http.Events;
using Warp.Http.Projections;
using Warp.Http.Tests.Recovery;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Projections;

/// <summary>
/// Tables against the log while everything goes on at once: writers, erasures and new lives, seals and merges, other versions, a store that fails before or
/// after it has written, a projector that is stopped in the middle. At the end each table is what a plain count over the histories says.
/// </summary>
public sealed class ProjectionModelTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int Entities = 400;
    private const int Writers = 8;

    private const string Account = """{"initial":{"balance":0,"n":0},"on":{"Credited":{"balance":"state.balance + payload.amount","n":"state.n + 1"}},"defaultForKind":"user"}""";

    /// <summary>Fails where a balance is a multiple of seven.</summary>
    private const string Accounts = """
        {"kind":"user","table":"accounts","columns":{"id":"entity.id","balance":"state.balance","n":"state.n","seq":"entity.seq","odd":"state.balance % 7 == 0 ? 1 / 0 : VERSION"},"indexes":[["balance"]]}
        """;

    private const string Credits = """{"kind":"user","source":"event","table":"credits","columns":{"id":"entity.id","seq":"event.seq","amount":"payload.amount","balance":"state.balance"}}""";

    private readonly TempDirectory _directory = new("projection-model");
    private readonly ConcurrentDictionary<string, byte> _erasedOnce = new(StringComparer.Ordinal);
    private readonly int _seed = RecoveryTests.Seed();
    private readonly int _events = RecoveryTests.Number("WARP_TEST_PROJECTED") ?? 8_000;
    private int _faultPercent;
    private ProjectionFixture _fixture = null!;

    public async ValueTask InitializeAsync()
    {
        var random = new Random(_seed);
        var options = new ProjectionOptions { BatchEvents = 700, PageEvents = 150, PageBytes = 20_000, MemoryBytes = 60_000 };
        _fixture = await new ProjectionFixture(
            StoreFixture.Small(_directory.File("data"), shards: 2, mergeFanOut: 3), options,
            path => new FaultyProjectionStore(new SqliteProjectionStore(path), method =>
            {
                lock (random)
                {
                    if (method is nameof(IProjectionStore.FindNameAsync) || random.Next(100) >= Volatile.Read(ref _faultPercent)) return StoreFault.None;
                    return random.Next(2) == 0 ? StoreFault.Before : StoreFault.After;
                }
            })).StartAsync();
        _fixture.DefineAggregate("Account", Account);
    }

    public async ValueTask DisposeAsync()
    {
        await _fixture.DisposeAsync();
        _directory.Dispose();
    }

    [Fact]
    public async Task Tables_are_what_the_log_says_whatever_fails_and_stops_on_the_way()
    {
        output.WriteLine($"seed {_seed}");
        await _fixture.DefineAsync("accounts", Accounts.Replace("VERSION", "1", StringComparison.Ordinal));
        await _fixture.DefineAsync("credits", Credits);
        using var done = new CancellationTokenSource();
        var chaos = ChaosAsync(new Random(_seed + 1), done.Token);
        var watch = WatchAsync(done.Token);
        await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(() => WriteAsync(new Random(_seed + 10 + writer), _events / Writers))));
        await done.CancelAsync();
        await chaos;
        await watch;
        Volatile.Write(ref _faultPercent, 0);

        await _fixture.CatchUpAsync("accounts");
        await _fixture.CatchUpAsync("credits");
        await CompareAsync();
    }

    private async Task WriteAsync(Random random, int events)
    {
        for (var i = 0; i < events;)
        {
            var entity = $"{(random.Next(20) == 0 ? "order" : "user")}/{random.Next(Entities)}";
            var batch = new TestEvent[random.Next(4) == 0 ? random.Next(2, 20) : 1];
            for (var j = 0; j < batch.Length; j++)
                batch[j] = new TestEvent(random.Next(8) == 0 ? "Seen" : "Credited", $$"""{"amount":{{random.Next(1, 20)}},"pad":"{{new string('x', random.Next(80))}}"}""", Aggregate: random.Next(10) == 0 ? "Other" : null);
            await _fixture.Log.AppendAsync(new TestAppend(entity, batch, Recreate: true));
            i += batch.Length;
        }
    }

    private async Task ChaosAsync(Random random, CancellationToken stop)
    {
        for (var turn = 0; !stop.IsCancellationRequested; turn++)
        {
            Volatile.Write(ref _faultPercent, random.Next(2) == 0 ? 0 : 15);
            switch (random.Next(5))
            {
                case 0:
                    await _fixture.RestartAsync();
                    break;
                case 1:
                    await _fixture.PutAsync("accounts", Accounts.Replace("VERSION", turn.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
                    break;
                case 2:
                    _fixture.Log.Shard.Enqueue(new StoreFixture.Rotation());
                    break;
                default:
                    var entity = $"user/{random.Next(Entities / 2)}";
                    _erasedOnce[entity] = 0;
                    await _fixture.Log.EraseAsync(entity);
                    break;
            }

            await Task.Delay(random.Next(20), CancellationToken.None);
        }
    }

    /// <summary>A row that is seen does not go back, and none is there twice.</summary>
    private async Task WatchAsync(CancellationToken stop)
    {
        var seen = new Dictionary<string, long>(StringComparer.Ordinal);
        while (!stop.IsCancellationRequested)
        {
            var rows = _fixture.Select("SELECT id, seq FROM accounts").Select(row => row.Split('|')).ToList();
            rows.Select(row => row[0]).Distinct(StringComparer.Ordinal).Count().ShouldBe(rows.Count, "an entity has one row");
            foreach (var row in rows)
            {
                var seq = long.Parse(row[1], CultureInfo.InvariantCulture);
                if (!_erasedOnce.ContainsKey($"user/{row[0]}")) seq.ShouldBeGreaterThanOrEqualTo(seen.GetValueOrDefault(row[0]), $"user/{row[0]}");
                seen[row[0]] = seq;
            }

            await Task.Delay(30, CancellationToken.None);
        }
    }

    private async Task CompareAsync()
    {
        var accounts = new List<string>();
        var credits = new List<string>();
        var failed = new List<string>();
        var events = 0;
        for (var i = 0; i < Entities; i++)
        {
            if (await _fixture.Log.HistoryAsync($"user/{i}") is not { Count: > 0 } history) continue;
            long balance = 0, n = 0;
            foreach (var e in history)
            {
                events++;
                using var payload = JsonDocument.Parse(e.Payload);
                var amount = payload.RootElement.GetProperty("amount").GetInt64();
                if (e.Type == "Credited" && e.Aggregate.Length == 0) (balance, n) = (balance + amount, n + 1);
                credits.Add($"{i}|{e.Seq}|{amount}|{balance}");
            }

            if (balance % 7 == 0) failed.Add($"user/{i}|{history.Count}");
            else accounts.Add($"{i}|{balance}|{n}|{history.Count}");
        }

        _fixture.Select("SELECT id, balance, n, seq FROM accounts").Order(StringComparer.Ordinal).ShouldBe(accounts.Order(StringComparer.Ordinal));
        _fixture.Select("SELECT id, seq, amount, balance FROM credits").Order(StringComparer.Ordinal).ShouldBe(credits.Order(StringComparer.Ordinal));
        var table = _fixture.Projector.Find("accounts")!.Table!.Name;
        _fixture.Select($"SELECT entity_name, seq FROM warp_failed WHERE name = '{table}'").Order(StringComparer.Ordinal).ShouldBe(failed.Order(StringComparer.Ordinal));
        _fixture.Select("SELECT count(*) FROM warp_checkpoint").ShouldBe(["2"], "no table is left over");
        output.WriteLine($"{events} events of {accounts.Count + failed.Count} entities, {failed.Count} failed rows, {_erasedOnce.Count} erased");
    }
}
