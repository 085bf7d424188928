using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Warp.Http.Tests.Recovery;
using Warp.Http.Tests.Support;
using Warp.Http.Tests.Support.Rqlite;

namespace Warp.Http.Tests.Projections;

/// <summary>
/// The service is killed while it projects, into its file and into a cluster whose calls fail meanwhile; the tables are what the log says all the same.
/// </summary>
[Collection(RecoveryTests.Name)]
public sealed class ProjectionKillTests(ITestOutputHelper output)
{
    private const int Writers = 4;

    /// <summary>A long form runs beside whatever else the machine does for hours.</summary>
    private static readonly TimeSpan Within = TimeSpan.FromMinutes(RecoveryTests.Number("WARP_TEST_KILLS") is null ? 1 : 5);
    private const int Entities = 60;

    private const string Account = """{"initial":{"balance":0},"on":{"Credited":{"balance":"state.balance + payload.amount"}},"defaultForKind":"user"}""";

    private const string Accounts = """{"kind":"user","table":"accounts","columns":{"id":"entity.id","balance":"state.balance","seq":"entity.seq"},"indexes":[["balance"]]}""";

    private const string Credits = """{"kind":"user","source":"event","table":"credits","columns":{"id":"entity.id","seq":"event.seq","amount":"payload.amount"}}""";

    private int _written; // appends that were answered

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Kill_9_while_tables_are_written_skips_nothing_and_doubles_nothing()
    {
        using var data = new TempDirectory("projection-kills");
        var file = Path.Combine(data.Path, "projections", "projections.db");
        var options = new WarpProcessOptions(data.Path) { ReadyWithin = Within };
        await KillAsync(options, 2, new Random(RecoveryTests.Seed()));

        await using var last = await WarpProcess.StartAsync(options, Cancel);
        await CompareAsync(last, sql => Task.FromResult(SqliteFile.Select(file, sql)));
    }

    [Fact]
    public async Task Kill_9_while_tables_are_written_to_a_cluster_that_fails_skips_nothing_and_doubles_nothing()
    {
        await using var fake = await FakeRqlite.StartAsync();
        using var data = new TempDirectory("projection-kills");
        var options = new WarpProcessOptions(data.Path) { ReadyWithin = Within, Environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["Warp__Projections__Rqlite"] = fake.Address.ToString() } };
        var random = new Random(RecoveryTests.Seed());
        var faults = new Random(random.Next());
        Func<string, RqliteFault> failing = _ =>
        {
            lock (faults) return faults.Next(4) == 0 ? FakeRqlite.Quick[faults.Next(FakeRqlite.Quick.Count)] : RqliteFault.None;
        };
        fake.Fault = failing;
        await KillAsync(options, 2, random);

        await using (var service = await WarpProcess.StartAsync(options, Cancel))
        {
            fake.Fault = _ => RqliteFault.None;
            using (var body = new StringContent("""{"type":"Credited","payload":{"amount":1}}""", Encoding.UTF8, "application/json"))
            using (var answer = await service.Client.PostAsync("/v1/entities/user/1/events", body, Cancel)) answer.StatusCode.ShouldBe(HttpStatusCode.Created);
            await CompareAsync(service, fake.SelectAsync);

            // Now it is away, somebody is erased, and the service is killed before the cluster is back.
            fake.Fault = _ => RqliteFault.NoLeader;
            var asked = service.Client.DeleteAsync("/v1/entities/user/1", Cancel);
            await Eventually.BecomesTrueAsync("it is erased for readers", async () => await StatusAsync(service, "/v1/entities/user/1") == HttpStatusCode.Gone, Within, Cancel);
            await service.Kill9Async();
            await asked.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }

        await using var last = await WarpProcess.StartAsync(options, Cancel);
        using var again = await last.Client.DeleteAsync("/v1/entities/user/1", Cancel);
        again.StatusCode.ShouldBe(HttpStatusCode.Accepted);
        await Eventually.BecomesTrueAsync("it is degraded", async () => (await ReadAsync(last, "/health/ready")).GetProperty("status").GetString() == "degraded", Within, Cancel);
        (await ReadAsync(last, again.Headers.Location!.ToString())).GetProperty("stores").GetProperty("projections").GetString().ShouldBe("erasing");
        (await fake.SelectAsync("SELECT count(*) FROM accounts WHERE id = '1'")).ShouldBe(["1"]);

        fake.Fault = failing;
        await Eventually.BecomesTrueAsync("the erasure is complete", async () => (await ReadAsync(last, again.Headers.Location!.ToString())).GetProperty("complete").GetBoolean(), Within, Cancel);
        fake.Fault = _ => RqliteFault.None;
        await Eventually.BecomesTrueAsync("it is well again", async () => (await ReadAsync(last, "/health/ready")).GetProperty("status").GetString() == "ok", Within, Cancel);
        await CompareAsync(last, fake.SelectAsync);
        (await fake.SelectAsync("SELECT count(*) FROM accounts WHERE id = '1'")).ShouldBe(["0"]);
    }

    private static async Task<HttpStatusCode> StatusAsync(WarpProcess service, string path)
    {
        using var answer = await service.Client.GetAsync(path, Cancel);
        return answer.StatusCode;
    }

    private static async Task<JsonElement> ReadAsync(WarpProcess service, string path)
    {
        using var read = JsonDocument.Parse(await service.Client.GetStringAsync(path, Cancel));
        return read.RootElement.Clone();
    }

    private async Task KillAsync(WarpProcessOptions options, int killsShort, Random random)
    {
        var kills = RecoveryTests.Number("WARP_TEST_KILLS") ?? killsShort;
        for (var kill = 1; kill <= kills; kill++)
        {
            if (kill % 10 == 0 || kill == kills) output.WriteLine($"kill {kill} of {kills}");
            await using var service = await WarpProcess.StartAsync(options, Cancel);
            await PutAsync(service, "/v1/aggregates/Account", Account);
            await PutAsync(service, "/v1/projections/accounts", Accounts);
            await PutAsync(service, "/v1/projections/credits", Credits);
            var rebuilding = random.Next(2) == 0 ? service.Client.PostAsync("/v1/projections/accounts/rebuild", null, Cancel) : null;
            using var stop = new CancellationTokenSource();
            var seed = random.Next();
            var writers = Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => WriteAsync(service, new Random(seed + writer), stop.Token)));
            var before = Volatile.Read(ref _written);
            await Eventually.BecomesTrueAsync("something is written", () => Volatile.Read(ref _written) > before, Within, Cancel);
            await Task.Delay(random.Next(50, 500), Cancel);
            await service.Kill9Async();
            await stop.CancelAsync();
            await writers;
            if (rebuilding is not null) await rebuilding.ContinueWith(static _ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    private async Task CompareAsync(WarpProcess service, Func<string, Task<List<string>>> selectAsync)
    {
        foreach (var name in (string[])["accounts", "credits"]) await BecomesLiveAsync(service, name);
        var accounts = new List<string>();
        var credits = new List<string>();
        for (var i = 0; i < Entities; i++)
        {
            long balance = 0;
            var history = await HistoryAsync(service, i);
            foreach (var (seq, amount) in history)
            {
                balance += amount;
                credits.Add($"{i}|{seq}|{amount}");
            }

            if (history.Count > 0) accounts.Add($"{i}|{balance}|{history.Count}");
        }

        (await selectAsync("SELECT id, balance, seq FROM accounts")).Order(StringComparer.Ordinal).ShouldBe(accounts.Order(StringComparer.Ordinal));
        (await selectAsync("SELECT id, seq, amount FROM credits")).Order(StringComparer.Ordinal).ShouldBe(credits.Order(StringComparer.Ordinal));
        (await selectAsync("SELECT count(*) FROM warp_checkpoint")).ShouldBe(["2"], "no table is left over");
        output.WriteLine($"{credits.Count} events");
    }

    private async Task WriteAsync(WarpProcess service, Random random, CancellationToken stop)
    {
        try
        {
            while (!stop.IsCancellationRequested)
            {
                var events = Enumerable.Range(0, random.Next(1, 30)).Select(_ => $$$"""{"type":"Credited","payload":{"amount":{{{random.Next(1, 100)}}}}}""");
                using var body = new StringContent($"[{string.Join(',', events)}]", Encoding.UTF8, "application/json");
                using var answer = await service.Client.PostAsync($"/v1/entities/user/{random.Next(Entities)}/events", body, stop);
                answer.StatusCode.ShouldBe(HttpStatusCode.Created);
                Interlocked.Increment(ref _written);
            }
        }
        catch (Exception broken) when (broken is HttpRequestException or IOException or OperationCanceledException)
        {
            // It was killed.
        }
    }

    /// <summary>A projection can't be defined while the cluster doesn't say whose its table's name is.</summary>
    private static Task PutAsync(WarpProcess service, string path, string body) => Eventually.BecomesTrueAsync($"{path} is put", async () =>
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await service.Client.PutAsync(path, content, Cancel);
        if (answer.StatusCode == HttpStatusCode.ServiceUnavailable) return false;
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync(Cancel));
        return true;
    }, Within, Cancel);

    private static Task BecomesLiveAsync(WarpProcess service, string name) => Eventually.BecomesTrueAsync($"{name} is live at the log's end", async () =>
    {
        var read = await ReadAsync(service, $"/v1/projections/{name}");
        return read.GetProperty("state").GetString() == "live" && read.GetProperty("lag").GetProperty("events").GetInt64() == 0;
    }, Within, Cancel);

    private static async Task<List<(long Seq, long Amount)>> HistoryAsync(WarpProcess service, int entity)
    {
        var history = new List<(long Seq, long Amount)>();
        var next = string.Create(CultureInfo.InvariantCulture, $"/v1/entities/user/{entity}/events?limit=10000");
        while (next is not null)
        {
            using var answer = await service.Client.GetAsync(next, Cancel);
            if (answer.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Gone) return history;
            using var page = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(Cancel));
            foreach (var e in page.RootElement.GetProperty("events").EnumerateArray())
                history.Add((e.GetProperty("seq").GetInt64(), e.GetProperty("payload").GetProperty("amount").GetInt64()));
            next = page.RootElement.GetProperty("next").GetString();
        }

        return history;
    }
}
