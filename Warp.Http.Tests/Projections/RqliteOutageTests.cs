using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using Warp.Http.Events;
using Warp.Http.Projections;
using Warp.Http.Tests.Recovery;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;
using Warp.Http.Tests.Support.Rqlite;

namespace Warp.Http.Tests.Projections;

/// <summary>A cluster that is away for ten minutes, which pass on a clock of the projector's own.</summary>
public sealed class RqliteOutageTests : IAsyncLifetime
{
    private const int Entities = 60;
    private const int Writers = 16;
    private static readonly TimeSpan Outage = TimeSpan.FromMinutes(10);

    /// <summary>The ways of being away: refused, unreachable, undecided, and without any answer until the caller's patience ends.</summary>
    private static readonly RqliteFault[] s_away = [RqliteFault.NoLeader, RqliteFault.DropBefore, RqliteFault.UnknownAndNotDone, RqliteFault.Silence];

    private readonly TempDirectory _directory = new("rqlite-outage");
    private readonly FakeTimeProvider _time = new();
    private readonly HttpClient _http = new();
    private readonly long[] _balances = new long[Entities];
    private FakeRqlite? _fake;
    private ProjectionFixture? _fixture;

    private FakeRqlite Fake => _fake!;

    private ProjectionFixture Fixture => _fixture!;

    private ProjectionLoop Loop => Fixture.Projector.Find("accounts")!;

    public async ValueTask InitializeAsync()
    {
        _fake = await FakeRqlite.StartAsync();
        var client = new RqliteClient(_http, [_fake.Address], null, null, _time);
        _fixture = await new ProjectionFixture(StoreFixture.Small(_directory.File("data"), shards: 2), makeStore: _ => new RqliteProjectionStore(client), time: _time).StartAsync();
        _fixture.DefineAggregate("Account", """{"on":{"Credited":{"balance":"(has(state.balance) ? state.balance : 0) + payload.amount"}},"defaultForKind":"user"}""");
        await _fixture.DefineAsync("accounts", """{"kind":"user","table":"accounts","columns":{"id":"entity.id","balance":"state.balance"},"types":{"balance":"INTEGER"},"indexes":[["balance"]]}""");
    }

    public async ValueTask DisposeAsync()
    {
        await Fixture.DisposeAsync();
        await Fake.DisposeAsync();
        _http.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task Ten_minutes_without_the_cluster_stop_the_projection_alone_and_end_by_themselves()
    {
        var random = new Random(RecoveryTests.Seed());
        await WriteAsync(random.Next(), 100);
        await PassesUntilAsync("the table is at the log's end", () => Loop.State == ProjectionState.Live && Loop.LagEvents == 0, TimeSpan.FromMilliseconds(20));
        var before = await RowsAsync();
        before.ShouldBe(Expected());

        Fake.Fault = _ =>
        {
            lock (random) return s_away[random.Next(s_away.Length)];
        };
        var calls = Fake.Calls;
        var left = _time.GetUtcNow() + Outage;
        var writing = WriteAsync(random.Next(), 2_000);
        await writing; // while nothing of the cluster answers
        var erased = (await Fixture.Log.EraseAsync("user/e0"))!;
        _balances[0] = 0;
        var shard = Fixture.Log.Store.ShardOf(StoreFixture.Bytes("user/e0"));
        shard.Tombstones.TryFind(Guid.ParseExact(erased.ReceiptId, "N"), out var tombstone).ShouldBeTrue();
        await PassesUntilAsync("it says that it is stopped", () => Fixture.Projector.Troubles.Count == 1, TimeSpan.FromMilliseconds(250));
        await PassesUntilAsync("the outage is over", () => _time.GetUtcNow() >= left, TimeSpan.FromSeconds(4));

        (Loop.State, Loop.LagEvents > 0).ShouldBe((ProjectionState.Stopped, true));
        Loop.LagSeconds.ShouldBeInRange(Outage.TotalSeconds, Outage.TotalSeconds + 60);
        (await Fixture.Projector.DescribeAsync(shard.Index, tombstone, default)).ShouldBe("erasing");
        (await RowsAsync()).ShouldBe(before, "and what was there is there");
        (Fake.Calls - calls).ShouldBeInRange(3, 600, "it goes on asking, and not without a pause");

        Fake.Fault = _ => RqliteFault.None;
        await PassesUntilAsync(
            "it has caught up by itself", () => Loop.State == ProjectionState.Live && Loop.LagEvents == 0 && Fixture.Projector.Troubles.Count == 0, TimeSpan.FromMilliseconds(100));
        (await RowsAsync()).ShouldBe(Expected());
        await PassesUntilAsync("the erasure is done", () => Loop.HasErased(shard.Index, tombstone.Position, tombstone.Entity), TimeSpan.FromMilliseconds(100));
        (await Fixture.Projector.DescribeAsync(shard.Index, tombstone, default)).ShouldBe("erased");
        (await Fake.SelectAsync("SELECT count(*) FROM accounts WHERE id = 'e0'")).ShouldBe(["0"]);
    }

    private async Task WriteAsync(int seed, int events) => await Task.WhenAll(Enumerable.Range(0, Writers).Select(writer => Task.Run(async () =>
    {
        var random = new Random(seed + writer);
        for (var i = 0; i < events / Writers; i++)
        {
            var entity = random.Next(Entities);
            var amount = random.Next(1, 100);
            (await Fixture.Log.AppendAsync($"user/e{entity}", new TestEvent("Credited", $$"""{"amount":{{amount}} }"""))).Status.ShouldBe(AppendStatus.Appended);
            Interlocked.Add(ref _balances[entity], amount);
        }
    })));

    private Task<List<string>> RowsAsync() => Fake.SelectAsync("SELECT id, balance FROM accounts ORDER BY id");

    private IEnumerable<string> Expected() => Enumerable.Range(0, Entities).Where(i => _balances[i] > 0).OrderBy(i => $"e{i}", StringComparer.Ordinal)
        .Select(i => string.Create(CultureInfo.InvariantCulture, $"e{i}|{_balances[i]}"));

    /// <summary>Lets time pass until something is so; what runs on real threads meanwhile gets some for each step.</summary>
    private async Task PassesUntilAsync(string reason, Func<bool> condition, TimeSpan step) => await Eventually.BecomesTrueAsync(
        reason,
        () =>
        {
            _time.Advance(step);
            return condition();
        },
        TimeSpan.FromSeconds(60));
}
