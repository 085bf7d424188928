using System.Net;
using System.Text;
using System.Text.Json;
using Warp.Http.Projections;

namespace Warp.Http.Tests.Support.Rqlite;

/// <summary>The fake does what a real rqlite was seen to do, fact by fact.</summary>
public sealed class FakeRqliteTests : IAsyncLifetime
{
    private readonly HttpClient _http = new();
    private FakeRqlite? _fake;

    private FakeRqlite Fake => _fake!;

    public async ValueTask InitializeAsync() => _fake = await FakeRqlite.StartAsync();

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Fake.DisposeAsync();
    }

    [Fact]
    public async Task Rows_affected_is_left_out_when_it_is_0_and_values_when_there_are_no_rows()
    {
        (await ExecuteAsync("""["CREATE TABLE t(a INTEGER PRIMARY KEY, b REAL)"]""")).ShouldNotContain("rows_affected");
        (await ExecuteAsync("""[["INSERT INTO t VALUES(?, ?)", 1, 5]]""")).ShouldContain("\"rows_affected\":1");
        (await ExecuteAsync("""["UPDATE t SET b = 1 WHERE a = 2"]""")).ShouldBe("""{"results":[{}]}""");
        (await QueryAsync("""["SELECT a FROM t WHERE a = 2"]""")).ShouldNotContain("values");
        (await QueryAsync("""[["SELECT a, b FROM t WHERE a = :a", {"a":1}]]""")).ShouldBe("""{"results":[{"columns":["a","b"],"types":["integer","real"],"values":[[1,5]]}]}""");
    }

    [Fact]
    public async Task Errors_of_SQL_come_with_200_and_undo_a_transaction_only()
    {
        await ExecuteAsync("""["CREATE TABLE t(a INTEGER NOT NULL)"]""");
        (await ExecuteAsync("""["INSERT INTO t VALUES(1)", "INSERT INTO t VALUES(NULL)", "INSERT INTO t VALUES(2)"]""")).ShouldBe(
            """{"results":[{"last_insert_id":1,"rows_affected":1},{"error":"NOT NULL constraint failed: t.a"}]}""");
        (await Fake.SelectAsync("SELECT count(*) FROM t")).ShouldBe(["0"]);
        var loose = await PostAsync("/db/execute", """["INSERT INTO t VALUES(1)", "INSERT INTO nowhere VALUES(2)", "INSERT INTO t VALUES(3)"]""");
        loose.Body.ShouldContain("no such table: nowhere");
        (await Fake.SelectAsync("SELECT a FROM t")).ShouldBe(["1", "3"], "without a transaction the others happen");
    }

    [Fact]
    public async Task Empty_statements_are_dropped_and_results_move_up() =>
        (await QueryAsync("""["", "SELECT 1 AS one"]""")).ShouldBe("""{"results":[{"columns":["one"],"types":["integer"],"values":[[1]]}]}""");

    [Fact]
    public async Task Bad_bodies_get_400_and_bad_credentials_401_without_JSON()
    {
        (await PostAsync("/db/execute", "{")).ShouldBe((HttpStatusCode.BadRequest, "bad request\n"));
        await using var guarded = await FakeRqlite.StartAsync("warp", "secret");
        (await PostAsync(new Uri(guarded.Address, "/db/query"), "[]")).ShouldBe((HttpStatusCode.Unauthorized, ""));
        var client = new RqliteClient(new HttpClient(), [guarded.Address], "warp", "secret", TimeProvider.System);
        using var body = new RqliteBody();
        (await client.QueryAsync(body.Add("SELECT 1").Finish(), 1, ReadLevel.Weak, TestContext.Current.CancellationToken)).Status.ShouldBe(RqliteStatus.Done);
    }

    [Fact]
    public async Task Without_a_leader_it_is_503_with_a_text_and_an_unknown_outcome_is_200_with_an_error_at_the_top()
    {
        await ExecuteAsync("""["CREATE TABLE t(a)"]""");
        Fake.Fault = _ => RqliteFault.NoLeader;
        (await PostAsync("/db/execute", """["INSERT INTO t VALUES(1)"]""")).ShouldBe((HttpStatusCode.ServiceUnavailable, "leader not found\n"));
        Fake.Fault = _ => RqliteFault.UnknownOutcome;
        var (status, body) = await PostAsync("/db/execute", """["INSERT INTO t VALUES(2)"]""");
        (status, JsonDocument.Parse(body).RootElement.GetProperty("results").GetArrayLength()).ShouldBe((HttpStatusCode.OK, 0));
        (await Fake.SelectAsync("SELECT a FROM t")).ShouldBe(["2"], "it had happened all the same");
        Fake.Fault = _ => RqliteFault.UnknownAndNotDone;
        (await PostAsync("/db/execute", """["INSERT INTO t VALUES(3)"]""")).ShouldBe((status, body), "nobody can tell them apart");
        (await Fake.SelectAsync("SELECT a FROM t")).ShouldBe(["2"]);
    }

    [Fact]
    public async Task Connections_break_before_and_after()
    {
        await ExecuteAsync("""["CREATE TABLE t(a)"]""");
        Fake.Fault = _ => RqliteFault.DropBefore;
        await Should.ThrowAsync<HttpRequestException>(() => PostAsync("/db/execute", """["INSERT INTO t VALUES(1)"]"""));
        (await Fake.SelectAsync("SELECT count(*) FROM t")).ShouldBe(["0"]);
        Fake.Fault = _ => RqliteFault.DropAfter;
        await Should.ThrowAsync<HttpRequestException>(() => PostAsync("/db/execute", """["INSERT INTO t VALUES(1)"]"""));
        (await Fake.SelectAsync("SELECT count(*) FROM t")).ShouldBe(["1"]);
    }

    [Fact]
    public async Task A_node_that_is_asked_for_what_it_has_itself_may_be_behind_and_needs_no_leader()
    {
        await ExecuteAsync("""["CREATE TABLE t(a)", "INSERT INTO t VALUES(1)"]""");
        await Fake.FallBehindAsync();
        await ExecuteAsync("""["INSERT INTO t VALUES(2)"]""");
        const string count = """["SELECT count(*) AS n FROM t"]""";
        (await PostAsync("/db/query?level=none", count)).Body.ShouldContain("[[1]]");
        foreach (var level in (string[])["weak", "linearizable", "strong"]) (await PostAsync($"/db/query?level={level}", count)).Body.ShouldContain("[[2]]");
        Fake.Fault = _ => RqliteFault.NoLeader;
        (await PostAsync("/db/query?level=weak", count)).Status.ShouldBe(HttpStatusCode.ServiceUnavailable);
        await Fake.CatchUpAsync();
        (await PostAsync("/db/query?level=none", count)).Body.ShouldContain("[[2]]");
    }

    [Fact]
    public async Task A_text_that_looks_like_a_blob_becomes_one_unless_it_goes_inside_JSON()
    {
        (await QueryAsync("""[["SELECT typeof(?) AS t", "x'41'"]]""")).ShouldContain("[[\"blob\"]]");
        (await QueryAsync("""[["SELECT typeof(value->>0) AS t FROM json_each(?)", "[[\"x'41'\"]]"]]""")).ShouldContain("[[\"text\"]]");
        (await QueryAsync("""[["SELECT typeof(?) AS a, typeof(?) AS b", 9223372036854775807, 9223372036854775808]]""")).ShouldContain("[[\"integer\",\"real\"]]");
    }

    [Fact]
    public async Task The_next_node_is_asked_when_one_fails()
    {
        await using var other = await FakeRqlite.StartAsync();
        Fake.Fault = _ => RqliteFault.DropBefore;
        using var http = new HttpClient();
        var client = new RqliteClient(http, [Fake.Address, other.Address], null, null, TimeProvider.System);
        for (var i = 0; i < 3; i++)
        {
            using var body = new RqliteBody();
            (await client.QueryAsync(body.Add("SELECT 1").Finish(), 1, ReadLevel.Weak, TestContext.Current.CancellationToken)).Status.ShouldBe(RqliteStatus.Done);
        }

        (Fake.Calls, other.Calls).ShouldBe((1, 3), "and it stays there");
    }

    private async Task<string> ExecuteAsync(string body) => (await PostAsync("/db/execute?transaction", body)).Body;

    private async Task<string> QueryAsync(string body) => (await PostAsync("/db/query", body)).Body;

    private Task<(HttpStatusCode Status, string Body)> PostAsync(string path, string body) => PostAsync(new Uri(Fake.Address, path), body);

    private async Task<(HttpStatusCode Status, string Body)> PostAsync(Uri uri, string body)
    {
        using var content = new StringContent(body, Encoding.UTF8, "application/json");
        using var response = await _http.PostAsync(uri, content, TestContext.Current.CancellationToken);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }
}
