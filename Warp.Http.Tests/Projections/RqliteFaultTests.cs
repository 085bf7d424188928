using System.Globalization;
using Warp.Http.Projections;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;
using Warp.Http.Tests.Support.Rqlite;

namespace Warp.Http.Tests.Projections;

/// <summary>A projector over a cluster whose connections break, before and after commits, whose leader is away, and whose answers say nothing.</summary>
public sealed class RqliteFaultTests(ITestOutputHelper output)
{
    private const int Entities = 60;

    [Fact]
    public async Task Nothing_is_skipped_doubled_or_gone_back_while_every_third_call_fails()
    {
        var seed = int.TryParse(Environment.GetEnvironmentVariable("WARP_TEST_SEED"), CultureInfo.InvariantCulture, out var given) ? given : Random.Shared.Next();
        output.WriteLine($"WARP_TEST_SEED={seed}");
        var random = new Random(seed);
        var faults = new Random(seed + 1);
        using var directory = new TempDirectory("rqlite");
        await using var fake = await FakeRqlite.StartAsync();
        using var http = new HttpClient();
        var client = new RqliteClient(http, [fake.Address], null, null, TimeProvider.System);
        await using var fixture = await new ProjectionFixture(StoreFixture.Small(directory.File("data"), shards: 2), makeStore: _ => new RqliteProjectionStore(client)).StartAsync();
        fixture.DefineAggregate("Account", """{"on":{"Credited":{"balance":"(has(state.balance) ? state.balance : 0) + payload.amount"}},"defaultForKind":"user"}""");
        await fixture.DefineAsync("accounts", """{"kind":"user","table":"accounts","columns":{"id":"entity.id","balance":"state.balance"},"types":{"balance":"INTEGER"},"indexes":[["balance"]]}""");
        fake.Fault = path =>
        {
            lock (faults) return faults.Next(3) == 0 ? (RqliteFault)faults.Next(1, 5) : RqliteFault.None;
        };

        var balances = new long[Entities];
        for (var i = 0; i < 600; i++)
        {
            var entity = random.Next(Entities);
            var amount = random.Next(1, 100);
            balances[entity] += amount;
            await fixture.Log.AppendAsync($"user/e{entity}", new TestEvent("Credited", $$"""{"amount":{{amount}} }"""));
            if (i == 300) fake.Fault = WithOutage(fake.Fault);
        }

        fake.Fault = _ => RqliteFault.None;
        await fixture.CatchUpAsync("accounts", TimeSpan.FromSeconds(60));
        var rows = await fake.SelectAsync("SELECT id, balance FROM accounts ORDER BY id");
        rows.ShouldBe(Enumerable.Range(0, Entities).Where(i => balances[i] > 0).OrderBy(i => $"e{i}", StringComparer.Ordinal).Select(i => $"e{i}|{balances[i]}"));
    }

    /// <summary>All is away for a second, then it goes on as before.</summary>
    private static Func<string, RqliteFault> WithOutage(Func<string, RqliteFault> then)
    {
        var until = TimeProvider.System.GetTimestamp() + TimeProvider.System.TimestampFrequency;
        return path => TimeProvider.System.GetTimestamp() < until ? RqliteFault.NoLeader : then(path);
    }
}
