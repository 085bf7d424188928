using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Warp.Http.Tests.Recovery;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Projections;

/// <summary>The service is killed while it projects; the table is what the log says all the same.</summary>
[Collection(RecoveryTests.Name)]
public sealed class ProjectionKillTests(ITestOutputHelper output)
{
    private const int Kills = 4;
    private const int Writers = 4;
    private const int Entities = 60;

    private const string Account = """{"initial":{"balance":0},"on":{"Credited":{"balance":"state.balance + payload.amount"}},"defaultForKind":"user"}""";

    private const string Accounts = """{"kind":"user","table":"accounts","columns":{"id":"entity.id","balance":"state.balance","seq":"entity.seq"},"indexes":[["balance"]]}""";

    private const string Credits = """{"kind":"user","source":"event","table":"credits","columns":{"id":"entity.id","seq":"event.seq","amount":"payload.amount"}}""";

    [Fact]
    public async Task Kill_9_while_tables_are_written_skips_nothing_and_doubles_nothing()
    {
        var cancel = TestContext.Current.CancellationToken;
        var random = new Random(RecoveryTests.Seed());
        using var data = new TempDirectory("projection-kills");
        var options = new WarpProcessOptions(data.Path);
        var kills = RecoveryTests.Number("WARP_TEST_KILLS") ?? Kills;
        for (var kill = 0; kill < kills; kill++)
        {
            await using var service = await WarpProcess.StartAsync(options, cancel);
            await PutAsync(service, "/v1/aggregates/Account", Account);
            await PutAsync(service, "/v1/projections/accounts", Accounts);
            await PutAsync(service, "/v1/projections/credits", Credits);
            if (random.Next(2) == 0) using (await service.Client.PostAsync("/v1/projections/accounts/rebuild", null, cancel)) output.WriteLine($"kill {kill} falls into a rebuild");
            using var stop = new CancellationTokenSource();
            var seed = random.Next();
            var writers = Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => WriteAsync(service, new Random(seed + writer), stop.Token)));
            await Task.Delay(random.Next(50, 500), cancel);
            await service.Kill9Async();
            await stop.CancelAsync();
            await writers;
        }

        await using var last = await WarpProcess.StartAsync(options, cancel);
        foreach (var name in (string[])["accounts", "credits"]) await BecomesLiveAsync(last, name, cancel);
        var accounts = new List<string>();
        var credits = new List<string>();
        for (var i = 0; i < Entities; i++)
        {
            long balance = 0;
            var history = await HistoryAsync(last, i, cancel);
            foreach (var (seq, amount) in history)
            {
                balance += amount;
                credits.Add($"{i}|{seq}|{amount}");
            }

            if (history.Count > 0) accounts.Add($"{i}|{balance}|{history.Count}");
        }

        var file = Path.Combine(data.Path, "projections", "projections.db");
        SqliteFile.Select(file, "SELECT id, balance, seq FROM accounts").Order(StringComparer.Ordinal).ShouldBe(accounts.Order(StringComparer.Ordinal));
        SqliteFile.Select(file, "SELECT id, seq, amount FROM credits").Order(StringComparer.Ordinal).ShouldBe(credits.Order(StringComparer.Ordinal));
        SqliteFile.Select(file, "SELECT count(*) FROM warp_checkpoint").ShouldBe(["2"], "no table is left over");
        output.WriteLine($"{kills} kills, {credits.Count} events");
    }

    private static async Task WriteAsync(WarpProcess service, Random random, CancellationToken stop)
    {
        try
        {
            while (!stop.IsCancellationRequested)
            {
                var events = Enumerable.Range(0, random.Next(1, 30)).Select(_ => $$$"""{"type":"Credited","payload":{"amount":{{{random.Next(1, 100)}}}}}""");
                using var body = new StringContent($"[{string.Join(',', events)}]", Encoding.UTF8, "application/json");
                using var answer = await service.Client.PostAsync($"/v1/entities/user/{random.Next(Entities)}/events", body, stop);
                answer.StatusCode.ShouldBe(HttpStatusCode.Created);
            }
        }
        catch (Exception broken) when (broken is HttpRequestException or IOException or OperationCanceledException)
        {
            // It was killed.
        }
    }

    private static async Task PutAsync(WarpProcess service, string path, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await service.Client.PutAsync(path, content);
        answer.IsSuccessStatusCode.ShouldBeTrue(await answer.Content.ReadAsStringAsync());
    }

    private static Task BecomesLiveAsync(WarpProcess service, string name, CancellationToken cancel) => Eventually.BecomesTrueAsync($"{name} is live at the log's end", async () =>
    {
        using var read = JsonDocument.Parse(await service.Client.GetStringAsync($"/v1/projections/{name}", cancel));
        return read.RootElement.GetProperty("state").GetString() == "live" && read.RootElement.GetProperty("lag").GetProperty("events").GetInt64() == 0;
    }, TimeSpan.FromSeconds(60), cancel);

    private static async Task<List<(long Seq, long Amount)>> HistoryAsync(WarpProcess service, int entity, CancellationToken cancel)
    {
        var history = new List<(long Seq, long Amount)>();
        var next = string.Create(CultureInfo.InvariantCulture, $"/v1/entities/user/{entity}/events?limit=10000");
        while (next is not null)
        {
            using var answer = await service.Client.GetAsync(next, cancel);
            if (answer.StatusCode == HttpStatusCode.NotFound) return history;
            using var page = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(cancel));
            foreach (var e in page.RootElement.GetProperty("events").EnumerateArray())
                history.Add((e.GetProperty("seq").GetInt64(), e.GetProperty("payload").GetProperty("amount").GetInt64()));
            next = page.RootElement.GetProperty("next").GetString();
        }

        return history;
    }
}
