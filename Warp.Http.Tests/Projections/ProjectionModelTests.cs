using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Warp.Http.Events;
using Warp.Http.Projections;
using Warp.Http.Tests.Recovery;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;
using Warp.Http.Tests.Support.Rqlite;

namespace Warp.Http.Tests.Projections;

/// <summary>
/// Tables against the log while everything goes on at once: writers, erasures and new lives, seals and merges, other versions, a store that fails before or
/// after it has written, a projector that is stopped in the middle. At the end each table is what a plain count over the histories says.
/// </summary>
public sealed class ProjectionModelTests(ITestOutputHelper output) : IAsyncDisposable
{
    private const string Account = """{"initial":{"balance":0,"n":0},"on":{"Credited":{"balance":"state.balance + payload.amount","n":"state.n + 1"}},"defaultForKind":"user"}""";

    /// <summary>Fails where a balance is a multiple of seven.</summary>
    private const string Accounts = """
        {"kind":"user","table":"accounts","columns":{"id":"entity.id","balance":"state.balance","n":"state.n","seq":"entity.seq","odd":"state.balance % 7 == 0 ? 1 / 0 : VERSION"},"indexes":[["balance"]]}
        """;

    private const string Credits = """{"kind":"user","source":"event","table":"credits","columns":{"id":"entity.id","seq":"event.seq","amount":"payload.amount","balance":"state.balance"}}""";

    private readonly TempDirectory _directory = new("projection-model");
    private readonly SocketsHttpHandler _sockets = new();
    private readonly ConcurrentDictionary<string, byte> _erasedOnce = new(StringComparer.Ordinal);
    private readonly int _seed = RecoveryTests.Seed();
    private readonly int? _long = RecoveryTests.Number("WARP_TEST_PROJECTED");
    private int _entities = 400;
    private int _faultPercent;
    private ProjectionFixture _fixture = null!;
    private FakeRqlite? _fake;

    public async ValueTask DisposeAsync()
    {
        await _fixture.DisposeAsync();
        if (_fake is not null) await _fake.DisposeAsync();
        _sockets.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData("a file", 8_000)]
    [InlineData("rqlite", 2_000)]
    public async Task Tables_are_what_the_log_says_whatever_fails_and_stops_on_the_way(string store, int eventsShort)
    {
        var events = _long ?? eventsShort;
        var writers = _long is null ? 8 : 16;
        _entities = _long / 10 ?? _entities;
        await StartAsync(store == "rqlite");
        await _fixture.DefineAsync("accounts", Accounts.Replace("VERSION", "1", StringComparison.Ordinal));
        await _fixture.DefineAsync("credits", Credits);
        using var done = new CancellationTokenSource();
        var chaos = ChaosAsync(new Random(_seed + 1), done.Token);
        var watch = WatchAsync(done.Token);
        await Task.WhenAll(Enumerable.Range(0, writers).Select(writer => Task.Run(() => WriteAsync(new Random(_seed + 10 + writer), events / writers))));
        await done.CancelAsync();
        await chaos;
        await watch;
        Volatile.Write(ref _faultPercent, 0);

        foreach (var name in (string[])["accounts", "credits"]) await _fixture.CatchUpAsync(name, TimeSpan.FromMinutes(_long is null ? 1 : 10));
        await CompareAsync();
    }

    private async Task StartAsync(bool isRqlite)
    {
        var random = new Random(_seed);

        // Not all states fit, however many there are: the others are folded anew whenever their entity's next event comes.
        var scale = Math.Max(1, _entities / 400);
        var page = Math.Min(scale, 10);
        var options = new ProjectionOptions { BatchEvents = 700 * page, PageEvents = 150 * page, PageBytes = 20_000 * page, MemoryBytes = 60_000 * scale };
        Func<string, IProjectionStore> make = path => new FaultyProjectionStore(new SqliteProjectionStore(path), method =>
        {
            if (method is nameof(IProjectionStore.FindNameAsync)) return StoreFault.None;
            lock (random) return IsDue(random) ? (StoreFault)random.Next(1, 3) : StoreFault.None;
        });
        if (isRqlite)
        {
            _fake = await FakeRqlite.StartAsync();
            _fake.Fault = _ =>
            {
                lock (random) return IsDue(random) ? FakeRqlite.Quick[random.Next(FakeRqlite.Quick.Count)] : RqliteFault.None;
            };
            make = _ => new RqliteProjectionStore(new RqliteClient(new HttpClient(_sockets, disposeHandler: false), [_fake.Address], null, null, TimeProvider.System));
        }

        _fixture = await new ProjectionFixture(StoreFixture.Small(_directory.File("data"), shards: 2, mergeFanOut: 3), options, make).StartAsync();
        _fixture.DefineAggregate("Account", Account);
    }

    private bool IsDue(Random random) => random.Next(100) < Volatile.Read(ref _faultPercent);

    private async Task<List<string>> SelectAsync(string sql) => _fake is null ? _fixture.Select(sql) : await _fake.SelectAsync(sql);

    private async Task WriteAsync(Random random, int events)
    {
        for (var i = 0; i < events;)
        {
            var entity = $"{(random.Next(20) == 0 ? "order" : "user")}/{random.Next(_entities)}";
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
                    await RedefineAsync(turn);
                    break;
                case 2:
                    _fixture.Log.Shard.Enqueue(new StoreFixture.Rotation());
                    break;
                default:
                    var entity = $"user/{random.Next(_entities / 2)}";
                    _erasedOnce[entity] = 0;
                    await _fixture.Log.EraseAsync(entity);
                    break;
            }

            await Task.Delay(random.Next(20), CancellationToken.None);
        }
    }

    private async Task RedefineAsync(int version)
    {
        try
        {
            await _fixture.PutAsync("accounts", Accounts.Replace("VERSION", version.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal));
        }
        catch (ProjectionStoreException)
        {
            // Whose the name is could not be asked: nothing was changed.
        }
    }

    /// <summary>A row that is seen does not go back, and none is there twice.</summary>
    private async Task WatchAsync(CancellationToken stop)
    {
        var seen = new Dictionary<string, long>(StringComparer.Ordinal);
        while (!stop.IsCancellationRequested)
        {
            var rows = (await SelectAsync("SELECT id, seq FROM accounts")).Select(row => row.Split('|')).ToList();
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
        for (var i = 0; i < _entities; i++)
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

        (await SelectAsync("SELECT id, balance, n, seq FROM accounts")).Order(StringComparer.Ordinal).ShouldBe(accounts.Order(StringComparer.Ordinal));
        (await SelectAsync("SELECT id, seq, amount, balance FROM credits")).Order(StringComparer.Ordinal).ShouldBe(credits.Order(StringComparer.Ordinal));
        var table = _fixture.Projector.Find("accounts")!.Table!.Name;
        (await SelectAsync($"SELECT entity_name, seq FROM warp_failed WHERE name = '{table}'")).Order(StringComparer.Ordinal).ShouldBe(failed.Order(StringComparer.Ordinal));
        (await SelectAsync("SELECT count(*) FROM warp_checkpoint")).ShouldBe(["2"], "no table is left over");
        output.WriteLine($"{events} events of {accounts.Count + failed.Count} entities, {failed.Count} failed rows, {_erasedOnce.Count} erased");
    }
}
