using Warp.Http.Tests.Support;
using Warp.Http.Tests.Support.Rqlite;

namespace Warp.Http.Tests.Endpoints;

/// <summary>The service with its tables in a cluster.</summary>
public sealed class RqliteServiceTests : IAsyncLifetime
{
    private readonly WarpApp _app = new() { MayFail = true };
    private FakeRqlite? _fake;

    public async ValueTask InitializeAsync()
    {
        _fake = await FakeRqlite.StartAsync("warp", "se:cret");
        _app.Set("Warp:Projections:Rqlite", $"http://warp:se%3Acret@{_fake.Address.Authority}");
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        await _fake!.DisposeAsync();
    }

    [Fact]
    public async Task Tables_are_kept_queried_and_erased_there_and_an_outage_stops_nothing_else()
    {
        (await _app.PutAsync("/v1/projections/users", """{"kind":"user","table":"users","columns":{"id":"entity.id","n":"state.n","half":"state.half"},"types":{"half":"REAL"}}""")).ShouldBe(201);
        var cursor = "";
        for (var i = 1; i <= 3; i++)
            cursor = (await _app.PostAsync($"/v1/entities/user/e{i}/events", $$$"""{"type":"Set","payload":{"n":{{{i}}},"half":{{{i}}}.0}}""")).Header("Warp-Cursor")!;

        await Eventually.BecomesTrueAsync("the table is shown", async () => (await QueryAsync("SELECT 1 AS one FROM users", "[]", cursor)).Status == 200, TimeSpan.FromSeconds(60));
        var read = (await QueryAsync("SELECT id, n, half FROM users WHERE n >= :least ORDER BY n DESC -- newest first", """{"least":2}""", cursor)).ShouldBe(200);
        read["rows"].GetRawText().ShouldBe("""[{"id":"e3","n":3,"half":3.0},{"id":"e2","n":2,"half":2.0}]""");
        (await QueryAsync("SELECT count(*) AS n FROM users;", "[]", cursor))["rows"].GetRawText().ShouldBe("""[{"n":3}]""");
        foreach (var hostile in new[] { "DELETE FROM users", "SELECT * FROM warp_checkpoint", "SELECT * FROM sqlite_master", "SELECT load_extension('x')", "SELECT 1; SELECT 2", "SELECT 1) UNION SELECT (2" })
            (await QueryAsync(hostile, "[]", cursor)).ShouldBeProblem(422, "invalid-sql");
        (await QueryAsync("SELECT ? AS b", """["x'41'"]""", cursor)).ShouldBeProblem(400, "invalid-request");
        (await _fake!.SelectAsync("SELECT count(*) FROM users")).ShouldBe(["3"]);

        _fake.Fault = _ => RqliteFault.NoLeader;
        (await QueryAsync("SELECT count(*) AS n FROM users", "[]", null)).ShouldBeProblem(503, "projection-store-unavailable");
        (await _app.PostAsync("/v1/entities/user/e4/events", """{"type":"Set","payload":{"n":4}}""")).ShouldBe(201);
        _fake.Fault = _ => RqliteFault.None;
        await Eventually.BecomesTrueAsync(
            "the table has caught up", async () => (await _fake.SelectAsync("SELECT count(*) FROM users"))[0] == "4", TimeSpan.FromSeconds(60));

        (await _app.DeleteAsync("/v1/entities/user/e1")).Status.ShouldBeInRange(200, 202);
        await Eventually.BecomesTrueAsync(
            "the erased row is gone", async () => (await _fake.SelectAsync("SELECT count(*) FROM users WHERE id = 'e1'"))[0] == "0", TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task A_query_says_how_sure_it_must_be_and_an_answer_of_a_node_that_is_behind_says_so()
    {
        _app.Set("Warp:Projections:RqliteLevel", "linearizable");
        (await _app.PutAsync("/v1/projections/users", """{"kind":"user","table":"users","columns":{"id":"entity.id","n":"state.n"}}""")).ShouldBe(201);
        var first = await AppendAsync(1);
        const string count = "SELECT count(*) AS n FROM users";
        await Eventually.BecomesTrueAsync("the table is shown", async () => (await QueryAsync(count, "[]", first)).Status == 200, TimeSpan.FromSeconds(60));
        _fake!.Levels.Contains("linearizable", StringComparer.Ordinal).ShouldBeTrue();
        (await QueryAsync(count, "[]", first, "strong")).ShouldBe(200);
        _fake.Levels.Contains("strong", StringComparer.Ordinal).ShouldBeTrue();
        (await QueryAsync(count, "[]", first, "sure")).ShouldBeProblem(400, "invalid-request")["errors"].GetProperty("$.level").GetRawText().ShouldContain("weak, strong, linearizable or none");

        await _fake.FallBehindAsync();
        var second = await AppendAsync(2);
        var fresh = (await QueryAsync(count, "[]", second)).ShouldBe(200);
        fresh["rows"].GetRawText().ShouldBe("""[{"n":2}]""");
        var stale = (await QueryAsync(count, "[]", second, "none", wait: "300ms")).ShouldBeProblem(504, "projection-stale");
        stale["required"].GetString().ShouldBe(second);
        var old = (await QueryAsync(count, "[]", null, "none")).ShouldBe(200);
        old["rows"].GetRawText().ShouldBe("""[{"n":1}]""");
        (old["asOf"].GetString() == fresh["asOf"].GetString()).ShouldBeFalse();

        var waiting = QueryAsync(count, "[]", second, "none");
        await _fake.CatchUpAsync();
        (await waiting)["rows"].GetRawText().ShouldBe("""[{"n":2}]""", "it was asked again until the node had it");
    }

    private async Task<string> AppendAsync(int n) => (await _app.PostAsync($"/v1/entities/user/e{n}/events", $$$"""{"type":"Set","payload":{"n":{{{n}}}}}""")).ShouldBe(201).Header("Warp-Cursor")!;

    private Task<Answer> QueryAsync(string sql, string parameters, string? cursor, string? level = null, string wait = "60s") => _app.PostAsync(
        "/v1/query",
        $$"""{"sql":{{System.Text.Json.JsonSerializer.Serialize(sql)}},"params":{{parameters}}""" + (level is null ? "" : $$""","level":"{{level}}" """) + (cursor is null ? "}" : $$""","minCursor":"{{cursor}}","wait":"{{wait}}"}"""));
}
