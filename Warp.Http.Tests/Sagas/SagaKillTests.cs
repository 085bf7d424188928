using System.Net;
using System.Text;
using System.Text.Json;
using Warp.Http.Tests.Recovery;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Sagas;

/// <summary>A bank over HTTP whose service is killed again and again.</summary>
[Collection(RecoveryTests.Name)]
public sealed class SagaKillTests(ITestOutputHelper output)
{
    private const int Clients = 16;
    private const int Opening = 1000;
    private const string Account = """
        {"initial":{"balance":0},"on":{"Credited":{"balance":"state.balance + payload.amount"},"Debited":{"balance":"state.balance - payload.amount"}},
         "invariants":[{"rule":"state.balance >= 0","message":"insufficient funds"}],"defaultForKind":"user"}
        """;

    private readonly int _accounts = RecoveryTests.Number("WARP_TEST_ACCOUNTS") ?? 100;
    private readonly int _transfers = RecoveryTests.Number("WARP_TEST_TRANSFERS") ?? 4_000;
    private readonly int _kills = RecoveryTests.Number("WARP_TEST_SAGA_KILLS") ?? 5;
    private readonly Dictionary<int, string> _answers = [];
    private readonly int _seed = RecoveryTests.Seed();
    private TaskCompletionSource<HttpClient> _service = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _serial;

    [Fact]
    public async Task Kill_9_amid_transfers_conserves_money_and_ends_each_saga_once()
    {
        var cancel = TestContext.Current.CancellationToken;
        using var directory = new TempDirectory("saga-kill");
        var random = new Random(_seed);
        var service = await WarpProcess.StartAsync(new WarpProcessOptions(directory.Path), cancel);
        await OpenAsync(service.Client);
        _service.SetResult(service.NewClient());
        var clients = Task.WhenAll(Enumerable.Range(0, Clients).Select(_ => Task.Run(TransferAsync, cancel)));
        for (var kill = 1; kill <= _kills; kill++)
        {
            var goal = (_transfers / (_kills + 1) * kill) + random.Next(-_transfers / (4 * _kills), _transfers / (4 * _kills));
            await Eventually.BecomesTrueAsync($"{goal} transfers were begun", () => Volatile.Read(ref _serial) >= goal, TimeSpan.FromMinutes(10), cancel);
            var before = _service;
            _service = new TaskCompletionSource<HttpClient>(TaskCreationOptions.RunContinuationsAsynchronously);
            await service.Kill9Async();
            (await before.Task).Dispose();
            await service.DisposeAsync();
            service = await WarpProcess.StartAsync(new WarpProcessOptions(directory.Path), cancel);
            _service.SetResult(service.NewClient());
        }

        await clients;
        await using (service) await AuditAsync(service.Client);
    }

    /// <summary>Half of what got no answer is sent again until it gets one; of the rest nobody asks any more, so that it must end by itself.</summary>
    private async Task TransferAsync()
    {
        while (Interlocked.Increment(ref _serial) is var serial && serial <= _transfers)
        {
            while (true)
            {
                var client = await Volatile.Read(ref _service).Task;
                try
                {
                    using var body = new StringContent(Transfer(serial), Encoding.UTF8, "application/json");
                    using var answer = await client.PostAsync($"/v1/sagas/t-{serial}", body);
                    if (answer.StatusCode != HttpStatusCode.OK) continue; // 503 while it stops or starts
                    var result = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("resultType").GetString()!;
                    lock (_answers) _answers[serial] = result;
                    break;
                }
                catch (Exception broken) when (broken is HttpRequestException or IOException or OperationCanceledException or ObjectDisposedException)
                {
                    if (serial % 2 == 0) break;
                    await Task.Delay(20); // it is started anew, or was only slow
                }
            }
        }
    }

    private string Transfer(int serial)
    {
        var random = new Random(_seed ^ serial);
        var (from, to, amount) = (random.Next(_accounts), random.Next(_accounts), random.Next(1, Opening));
        return $$"""{"steps":[{{Step(from, "Debited", "Credited", amount)}},{{Step(to, "Credited", "Debited", amount)}}]}""";
    }

    private static string Step(int account, string action, string compensation, int amount) =>
        $$"""{"entity":"user/a{{account}}","action":{"type":"{{action}}","payload":{"amount":{{amount}}} },"compensation":{"type":"{{compensation}}","payload":{"amount":{{amount}},"undo":true} } }""";

    private async Task OpenAsync(HttpClient client)
    {
        using var definition = new StringContent(Account, Encoding.UTF8, "application/json");
        (await client.PutAsync("/v1/aggregates/Account", definition)).EnsureSuccessStatusCode();
        var lines = Enumerable.Range(0, _accounts).Select(i => $$"""{"entity":"user/a{{i}}","type":"Credited","payload":{"amount":{{Opening}}} }""");
        using var body = new StringContent(string.Join('\n', lines), Encoding.UTF8, "application/x-ndjson");
        (await client.PostAsync("/v1/events", body)).EnsureSuccessStatusCode();
    }

    private async Task AuditAsync(HttpClient client)
    {
        await Eventually.BecomesTrueAsync("every saga has ended by itself", async () =>
            (await ListAsync(client, "resultType=RUNNING")).Count + (await ListAsync(client, "resultType=COMPENSATING")).Count == 0, TimeSpan.FromSeconds(60));
        var sagas = (await ListAsync(client, "limit=1000")).ToDictionary(
            saga => int.Parse(saga.GetProperty("sagaId").GetString()![2..]), saga => saga.GetProperty("resultType").GetString()!);
        var found = new Dictionary<(int Saga, int Step), (int Actions, int Compensations)>();
        var broken = new List<string>();
        long sum = 0;
        for (var i = 0; i < _accounts; i++)
        {
            long balance = 0;
            foreach (var e in await HistoryAsync(client, $"user/a{i}"))
            {
                var payload = e.GetProperty("payload");
                balance += payload.GetProperty("amount").GetInt64() * (e.GetProperty("type").GetString() == "Credited" ? 1 : -1);
                if (balance < 0) broken.Add($"user/a{i} is overdrawn at {e.GetProperty("seq")}");
                if (!e.TryGetProperty("metadata", out var metadata)) continue;
                var key = (int.Parse(metadata.GetProperty("saga").GetString()![2..]), metadata.GetProperty("step").GetInt32());
                var (actions, compensations) = found.GetValueOrDefault(key);
                found[key] = payload.TryGetProperty("undo", out _) ? (actions, compensations + 1) : (actions + 1, compensations);
            }

            sum += balance;
        }

        foreach (var (serial, answer) in _answers)
            if (sagas.GetValueOrDefault(serial) != answer) broken.Add($"t-{serial} was answered {answer} and is {sagas.GetValueOrDefault(serial)}");
        foreach (var key in found.Keys.Where(key => !sagas.ContainsKey(key.Saga))) broken.Add($"{key} is of no saga");
        foreach (var (serial, result) in sagas)
        {
            for (var step = 0; step < 2; step++)
            {
                var (actions, compensations) = found.GetValueOrDefault((serial, step));
                var isKept = result == "COMMITTED" ? (actions, compensations) == (1, 0) : result == "COMPENSATED" && actions == compensations && actions <= 1;
                if (!isKept) broken.Add($"t-{serial} is {result}: step {step} was done {actions} times, undone {compensations} times");
            }
        }

        output.WriteLine($"{_kills} kills, {sagas.Count} sagas, {_answers.Count} answered, {sagas.Values.Count(result => result == "COMPENSATED")} undone");
        broken.ShouldBeEmpty();
        sum.ShouldBe((long)_accounts * Opening);
        sagas.Count.ShouldBeGreaterThan(_transfers * 9 / 10);
    }

    private static async Task<List<JsonElement>> ListAsync(HttpClient client, string query)
    {
        var all = new List<JsonElement>();
        for (var path = $"/v1/sagas?{query}"; path is not null;)
        {
            var page = JsonDocument.Parse(await client.GetStringAsync(path)).RootElement;
            all.AddRange(page.GetProperty("sagas").EnumerateArray());
            path = page.GetProperty("next").GetString();
        }

        return all;
    }

    private static async Task<List<JsonElement>> HistoryAsync(HttpClient client, string entity)
    {
        var all = new List<JsonElement>();
        for (var path = $"/v1/entities/{entity}/events?limit=10000"; path is not null;)
        {
            var page = JsonDocument.Parse(await client.GetStringAsync(path)).RootElement;
            all.AddRange(page.GetProperty("events").EnumerateArray());
            path = page.GetProperty("next").GetString();
        }

        return all;
    }
}
