using Warp.Http.Projections;
using Warp.Http.Tests.Support.Rqlite;

namespace Warp.Http.Tests.Projections;

/// <summary>The suite of stores on rqlite: on the fake, and on a real one whose URL is in <c>WARP_TEST_RQLITE</c> (its tables are dropped first).</summary>
public sealed class RqliteProjectionStoreTests : ProjectionStoreTests
{
    private static readonly string? s_real = Environment.GetEnvironmentVariable("WARP_TEST_RQLITE");

    private FakeRqlite? _fake;
    private HttpClient? _http;
    private RqliteClient? _client;

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _http?.Dispose();
        if (_fake is not null) await _fake.DisposeAsync();
    }

    private protected override async Task<IProjectionStore> OpenAsync()
    {
        if (_client is not null) return new RqliteProjectionStore(_client);
        _http = new HttpClient();
        if (s_real is null) _fake = await FakeRqlite.StartAsync();
        _client = new RqliteClient(_http, [s_real is null ? _fake!.Address : new Uri(s_real)], null, null, TimeProvider.System);
        if (s_real is not null) await EmptyAsync();
        return new RqliteProjectionStore(_client);
    }

    private protected override async Task<List<string>> SelectAsync(string sql)
    {
        using var body = new RqliteBody();
        body.Add(sql);
        var reply = await _client!.QueryAsync(body.Finish(), 1, ReadLevel.Strong, TestContext.Current.CancellationToken);
        reply.Status.ShouldBe(RqliteStatus.Done, reply.Error);
        return [.. reply.Results[0].Rows.Select(row => string.Join('|', row.Select(value => value.ValueKind == System.Text.Json.JsonValueKind.Null ? "NULL" : value.ToString())))];
    }

    private protected override async Task ExecuteAsync(string sql)
    {
        using var body = new RqliteBody();
        body.Add(sql);
        var reply = await _client!.ExecuteAsync(body.Finish(), 1, TestContext.Current.CancellationToken);
        reply.Status.ShouldBe(RqliteStatus.Done, reply.Error);
    }

    [Theory]
    [InlineData(RqliteFault.DropBefore)]
    [InlineData(RqliteFault.NoLeader)]
    [InlineData(RqliteFault.UnknownOutcome)]
    [InlineData(RqliteFault.UnknownAndNotDone)]
    public async Task A_batch_whose_first_attempt_fails_is_applied_once(RqliteFault fault)
    {
        Assert.SkipWhen(s_real is not null, "A real one does not fail when it is told to.");
        var table = Table(1);
        await Store.CreateAsync(table, "p0", default);
        FailOnce(fault);

        (await Store.ApplyAsync(Batch(table, "p0", "p1", (256, 1, "a", 1)), default)).ShouldBeTrue();

        (await Store.ReadPositionAsync(table.Name, default)).ShouldBe("p1");
        (await RowsAsync(table, 256)).ShouldBe(["1: a|1|1.5|NULL"]);
    }

    [Fact]
    public Task A_batch_that_comes_through_without_an_answer_is_applied_once_and_told_as_done() => A_batch_whose_first_attempt_fails_is_applied_once(RqliteFault.DropAfter);

    [Fact]
    public async Task A_batch_for_a_table_that_is_gone_is_not_told_as_done()
    {
        var table = Table(1);
        (await Store.ReadTablesAsync(default)).ShouldBeEmpty();
        (await Store.ApplyAsync(new ProjectionBatch(table, "p0") { Next = "p1" }, default)).ShouldBeFalse();
    }

    [Theory]
    [InlineData(RqliteFault.DropBefore)]
    [InlineData(RqliteFault.DropAfter)]
    [InlineData(RqliteFault.UnknownOutcome)]
    public async Task Tables_are_made_shown_and_dropped_over_failures(RqliteFault fault)
    {
        Assert.SkipWhen(s_real is not null, "A real one does not fail when it is told to.");
        var old = Table(1);
        var table = Table(2);
        FailOnce(fault);
        await Store.CreateAsync(old, "p0", default);
        await Store.PublishAsync(old, [], default);
        await Store.CreateAsync(table, "p0", default);
        FailOnce(fault);
        await Store.CreateIndexesAsync(table, default);
        FailOnce(fault);
        await Store.PublishAsync(table, [.. (await Store.ReadTablesAsync(default)).Where(stored => stored.Name == old.Name)], default);

        (await Store.ReadTablesAsync(default)).ShouldBe([new StoredTable(table.Name, "p", "accounts", true, "p0", table.Spec)]);
        FailOnce(fault);
        await Store.DropAsync((await Store.ReadTablesAsync(default))[0], default);
        (await Store.ReadTablesAsync(default)).ShouldBeEmpty();
        (await SelectAsync("SELECT name FROM sqlite_master WHERE name LIKE '%accounts%'")).ShouldBeEmpty();
    }

    [Fact]
    public async Task While_all_is_away_calls_fail_and_then_they_go_on()
    {
        Assert.SkipWhen(s_real is not null, "A real one does not fail when it is told to.");
        var table = Table(1);
        await Store.CreateAsync(table, "p0", default);
        _fake!.Fault = _ => RqliteFault.NoLeader;
        (await Should.ThrowAsync<ProjectionStoreException>(async () => await Store.ApplyAsync(Batch(table, "p0", "p1", (256, 1, "a", 1)), default))).IsTransient.ShouldBeTrue();
        _fake.Fault = _ => RqliteFault.None;

        await Support.Eventually.BecomesTrueAsync(
            "the circuit closes and the batch is applied",
            async () =>
            {
                try
                {
                    return await Store.ApplyAsync(Batch(table, "p0", "p1", (256, 1, "a", 1)), default);
                }
                catch (ProjectionStoreException)
                {
                    return false;
                }
            },
            TimeSpan.FromSeconds(30));
        (await RowsAsync(table, 256)).ShouldBe(["1: a|1|1.5|NULL"]);
    }

    private void FailOnce(RqliteFault fault)
    {
        var isDue = true;
        _fake!.Fault = path =>
        {
            if (!isDue || path != "/db/execute") return RqliteFault.None;
            isDue = false;
            return fault;
        };
    }

    private async Task EmptyAsync()
    {
        foreach (var kind in (string[])["view", "table"])
            foreach (var name in await SelectAsync($"SELECT name FROM sqlite_master WHERE type = '{kind}' AND name NOT LIKE 'sqlite_%'")) await ExecuteAsync($"DROP {kind} IF EXISTS \"{name}\"");
    }
}
