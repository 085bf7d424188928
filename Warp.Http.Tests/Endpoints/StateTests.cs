namespace Warp.Http.Tests.Endpoints;

public sealed class StateTests(WarpApp app) : IClassFixture<WarpApp>
{
    private readonly string _path = $"/v1/entities/user/{Guid.NewGuid():N}";

    private string Events => _path + "/events";

    private string State => _path + "/aggregates/Default";

    [Fact]
    public async Task A_state_has_a_tag_that_spares_its_sending_again()
    {
        await app.PostAsync(Events, """{"type":"A","payload":{"a":1}}""");
        var state = (await app.GetAsync(State)).ShouldBe(200);
        var tag = state.Header("ETag")!;

        state["state"].GetRawText().ShouldBe("""{"a":1}""");
        state.Header("Cache-Control")!.Split(", ").ShouldBe(["private", "no-cache"], ignoreOrder: true);
        foreach (var same in new[] { tag, $"W/{tag}", $"\"x\", {tag}", "*" })
        {
            var spared = (await app.GetAsync(State, ("If-None-Match", same))).ShouldBe(304);
            (spared.Body, spared.Header("ETag")).ShouldBe(("", tag));
        }

        await app.PostAsync(Events, """{"type":"A","payload":{"b":2}}""");
        (await app.GetAsync(State, ("If-None-Match", tag))).ShouldBe(200)["state"].GetRawText().ShouldBe("""{"a":1,"b":2}""");
    }

    [Fact]
    public async Task Time_travel_goes_by_seq_and_by_time()
    {
        for (var i = 1; i <= 3; i++)
        {
            await app.PostAsync(Events, $$$"""{"type":"A","payload":{"n":{{{i}}}}}""");
            await Task.Delay(3, TestContext.Current.CancellationToken);
        }

        (await app.GetAsync(State + "?atSeq=2"))["state"].GetProperty("n").GetInt32().ShouldBe(2);
        var recorded = (await app.GetAsync(Events + "?from=2&to=2"))["events"][0].GetProperty("recordedAt").GetString();
        (await app.GetAsync($"{State}?at={recorded}"))["state"].GetProperty("n").GetInt32().ShouldBe(2);
        (await app.GetAsync(State + "?atSeq=4")).ShouldBeProblem(400, "invalid-request");
        (await app.GetAsync(_path + "/aggregates/Default/diff?from=1&to=3")).Body.ShouldBe("""[{"op":"replace","path":"/n","value":3}]""");
        (await app.GetAsync(_path + "/aggregates/Default/diff")).Body.ShouldBe("""[{"op":"add","path":"/n","value":3}]""");
        (await app.GetAsync(_path + "/aggregates/Default/diff?to=4")).ShouldBeProblem(400, "invalid-request")["errors"].GetProperty("to").GetArrayLength().ShouldBe(1);
        (await app.GetAsync(_path + "/aggregates/None/diff")).ShouldBeProblem(404, "aggregate-not-found");
    }

    [Fact]
    public async Task A_read_can_wait_for_a_seq()
    {
        await app.PostAsync(Events, """{"type":"A","payload":{"n":1}}""");
        var waiting = app.GetAsync(State + "?minSeq=2&wait=20s");
        await app.PostAsync(Events, """{"type":"A","payload":{"n":2}}""");

        (await waiting).ShouldBe(200)["seq"].GetInt64().ShouldBe(2);
        var late = (await app.GetAsync(State + "?minSeq=9&wait=50ms")).ShouldBeProblem(504, "wait-timeout");
        (late["required"].GetInt64(), late["reached"].GetInt64(), late["retryable"].GetBoolean()).ShouldBe((9, 2, true));
    }

    [Theory]
    [InlineData("?wait=5s")]
    [InlineData("?minSeq=1&wait=61s")]
    [InlineData("?minSeq=1&wait=5")]
    [InlineData("?minSeq=1&wait=-5s")]
    [InlineData("?minSeq=1&wait=1h")]
    [InlineData("?minSeq=1&wait=99999999999999999999s")]
    [InlineData("?minSeq=1&atSeq=1")]
    [InlineData("?atSeq=1&at=2026-01-01T00:00:00Z")]
    [InlineData("?atSeq=-1")]
    [InlineData("?at=now")]
    [InlineData("?seq=1")]
    public async Task What_is_not_understood_gets_400(string query)
    {
        await app.PostAsync(Events, """{"type":"A"}""");

        (await app.GetAsync(State + query)).ShouldBeProblem(400, "invalid-request");
    }

    [Fact]
    public async Task What_is_not_there_gets_404()
    {
        (await app.GetAsync(State)).ShouldBeProblem(404, "entity-not-found");
        await app.PostAsync(Events, """{"type":"A"}""");
        (await app.GetAsync(_path + "/aggregates/None")).ShouldBeProblem(404, "aggregate-not-found");
        (await app.GetAsync(_path + "/aggregates/1x")).ShouldBeProblem(400, "invalid-request");
        (await app.GetAsync(_path + "/aggregates/D%65fault")).ShouldBe(200);
        (await app.GetAsync(_path + "/nothing")).ShouldBeProblem(404, "route-not-found");
        (await app.SendAsync(HttpMethod.Put, State)).ShouldBeProblem(405, "method-not-allowed").Header("Allow").ShouldBe("GET");
    }
}
