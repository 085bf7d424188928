namespace Warp.Http.Tests.Endpoints;

public sealed class AppendTests(WarpApp app) : IClassFixture<WarpApp>
{
    private readonly string _path = $"/v1/entities/user/{Guid.NewGuid():N}";

    private string Events => _path + "/events";

    [Fact]
    public async Task An_append_answers_201_with_its_place_and_a_tag()
    {
        var first = (await app.PostAsync(Events, """{"type":"A"}""")).ShouldBe(201);
        var more = (await app.PostAsync(Events, """[{"type":"B"},{"type":"C","id":"own"}]""")).ShouldBe(201);

        first.Header("Location").ShouldBe($"{Events}?from=1&to=1");
        first.Header("ETag").ShouldBe($"\"1.{first["life"].GetString()}\"");
        first.Header("Cache-Control")!.Split(", ").ShouldBe(["private", "no-cache"], ignoreOrder: true);
        first.Header("Warp-Cursor").ShouldNotBeNullOrEmpty();
        first["firstId"].GetString().ShouldBe($"{first["life"].GetString()}-1");
        (more["firstSeq"].GetInt64(), more["lastSeq"].GetInt64(), more["lastId"].GetString()).ShouldBe((2, 3, "own"));
        (await app.GetAsync(more.Header("Location")!))["events"].GetArrayLength().ShouldBe(2);
    }

    [Fact]
    public async Task Every_form_of_a_body_is_taken()
    {
        (await app.SendAsync(HttpMethod.Post, Events, "{\"type\":\"A\"}\n{\"type\":\"B\"}\n", "application/x-ndjson"))["lastSeq"].GetInt64().ShouldBe(2);
        (await app.SendAsync(HttpMethod.Post, Events, """{"type":"C"}""")).ShouldBe(201);
        (await app.SendAsync(HttpMethod.Post, Events, """{"type":"D"}""", "application/json; charset=\"UTF-8\"")).ShouldBe(201);
        (await app.SendAsync(HttpMethod.Post, Events, """{"type":"E"}""", "application/cloudevents+json")).ShouldBe(201);
        (await app.PostAsync(Events, """{"events":[{"type":"F"}],"expect":{"seq":5}}""")).ShouldBe(201);
    }

    [Theory]
    [InlineData("application/x-www-form-urlencoded", null)]
    [InlineData("text/plain", null)]
    [InlineData("application/json; charset=latin1", null)]
    [InlineData("nonsense", null)]
    [InlineData("application/json", "gzip")]
    public async Task Other_media_types_get_415(string type, string? encoding)
    {
        (string, string)[] headers = encoding is null ? [("Content-Type", type)] : [("Content-Type", type), ("Content-Encoding", encoding)];
        (await app.SendAsync(HttpMethod.Post, Events, """{"type":"A"}""", null, headers)).ShouldBeProblem(415, "unsupported-media-type");
        (await app.GetAsync(_path)).ShouldBeProblem(404, "entity-not-found");
    }

    [Fact]
    public async Task A_bad_body_stores_nothing()
    {
        (await app.PostAsync(Events, """[{"type":"A"},{"type":""}]""")).ShouldBeProblem(400, "invalid-request")["errors"].GetProperty("$[1].type").GetArrayLength().ShouldBe(1);
        (await app.PostAsync(Events, "[]")).ShouldBeProblem(400, "empty-batch");
        (await app.PostAsync(Events, "")).ShouldBeProblem(400, "invalid-json");
        (await app.PostAsync(Events, "{")).ShouldBeProblem(400, "invalid-json");
        (await app.GetAsync(_path)).ShouldBeProblem(404, "entity-not-found");
    }

    [Fact]
    public async Task A_body_may_have_its_limit_and_no_byte_more()
    {
        var one = $$"""{"type":"A","payload":"{{new string('x', 1_000_000)}}"}""";
        var batch = "[" + string.Join(',', Enumerable.Repeat(one, 8));
        const int limit = 8 * 1024 * 1024;
        (await app.PostAsync(Events, batch + new string(' ', limit - batch.Length - 1) + "]")).ShouldBe(201);

        var refused = (await app.PostAsync(Events, batch + new string(' ', limit - batch.Length) + "]")).ShouldBeProblem(413, "payload-too-large");
        (refused["limit"].GetInt32(), refused["actual"].GetInt32()).ShouldBe((limit, limit + 1));
    }

    [Fact]
    public async Task A_replay_answers_200_and_the_original_seqs()
    {
        (string, string) key = ("Idempotency-Key", "key-1");
        var first = (await app.PostAsync(Events, """[{"type":"A"},{"type":"B","payload":{"a":1,"b":2}}]""", key)).ShouldBe(201);
        await app.PostAsync(Events, """{"type":"C"}""");

        var again = (await app.PostAsync(Events, """[{"type":"A"},{"type":"B","payload":{"b":2.0,"a":1}}]""", key, ("If-Match", "\"0\""))).ShouldBe(200);

        again.Header("Idempotent-Replayed").ShouldBe("true");
        again.Body.ShouldBe(first.Body);
        first["firstId"].GetString().ShouldBe("key-1:0");
        var conflict = (await app.PostAsync(Events, """[{"type":"A"},{"type":"X"}]""", key)).ShouldBeProblem(409, "event-id-conflict");
        (conflict["id"].GetString(), conflict["seq"].GetInt64()).ShouldBe(("key-1:1", 2));
        var longer = (await app.PostAsync(Events, """[{"type":"A"},{"type":"B","payload":{"a":1,"b":2}},{"type":"C"}]""", key)).ShouldBeProblem(409, "event-id-conflict");
        (longer["id"].GetString(), longer["seq"].GetInt64()).ShouldBe(("key-1:0", 1), "an id that is used, not one that the append would give");
        (await app.PostAsync(Events, """{"type":"A","id":"own"}""", key)).ShouldBeProblem(400, "invalid-request");
        (await app.PostAsync(Events, """{"type":"A"}""", ("Idempotency-Key", new string('k', 121)))).ShouldBeProblem(400, "invalid-request");
        (await app.PostAsync(Events, """{"type":"A"}""", ("Idempotency-Key", new string('k', 120)))).ShouldBe(201);
    }

    [Fact]
    public async Task A_replay_with_other_events_beside_it_names_the_id_that_is_used()
    {
        await app.PostAsync(Events, """{"type":"Z"}""");
        (await app.PostAsync(Events, """[{"type":"A"},{"type":"B","id":"own"},{"type":"C"}]""")).ShouldBe(201);

        foreach (var other in new[] { """[{"type":"A"},{"type":"B","id":"own"},{"type":"X"}]""", """[{"type":"A"},{"type":"B","id":"own"},{"type":"C","id":"more"}]""",
            """[{"type":"A"},{"type":"B","id":"own"}]""", """[{"type":"B","id":"own"},{"type":"C"}]""" })
        {
            var conflict = (await app.PostAsync(Events, other)).ShouldBeProblem(409, "event-id-conflict");
            (conflict["id"].GetString(), conflict["seq"].GetInt64()).ShouldBe(("own", 3), other);
        }
    }

    [Fact]
    public async Task Preconditions_hold_by_header_and_by_body()
    {
        (await app.PostAsync(Events, """{"type":"A"}""", ("If-Match", "*"))).ShouldBeProblem(412, "seq-mismatch");
        (await app.PostAsync(Events, """{"type":"A"}""", ("If-Match", "\"1\""))).ShouldBeProblem(412, "seq-mismatch");
        var first = (await app.PostAsync(Events, """{"type":"A"}""", ("If-None-Match", "*"))).ShouldBe(201);
        var again = (await app.PostAsync(Events, """{"type":"A"}""", ("If-None-Match", "*"))).ShouldBeProblem(412, "seq-mismatch");
        (again["expectedSeq"].GetInt64(), again["actualSeq"].GetInt64()).ShouldBe((0, 1));

        (await app.PostAsync(Events, """{"type":"B"}""", ("If-Match", first.Header("ETag")!))).ShouldBe(201);
        var state = await app.GetAsync(_path + "/aggregates/Default");
        (await app.PostAsync(Events, """{"type":"C"}""", ("If-Match", state.Header("ETag")!))).ShouldBe(201);
        (await app.PostAsync(Events, """{"type":"D"}""", ("If-Match", "*"))).ShouldBe(201);
        (await app.PostAsync(Events, """{"type":"E"}""", ("If-Match", "\"4.zz\""))).ShouldBeProblem(412, "seq-mismatch");
        (await app.PostAsync(Events, """{"events":[{"type":"E"}],"expect":{"seq":3}}""")).ShouldBeProblem(412, "seq-mismatch");
        (await app.PostAsync(Events, """{"events":[{"type":"E"}],"expect":{"seq":4}}""", ("If-Match", "\"4\""))).ShouldBe(201);
    }

    [Theory]
    [InlineData("If-Match", "W/\"1\"")]
    [InlineData("If-Match", "\"1\", \"2\"")]
    [InlineData("If-Match", "1")]
    [InlineData("If-Match", "\"x\"")]
    [InlineData("If-Match", "\"1.\"")]
    [InlineData("If-Match", "\"1.80.A\"")]
    [InlineData("If-Match", "\"-1\"")]
    [InlineData("If-None-Match", "\"1\"")]
    public async Task A_precondition_that_can_not_be_meant_gets_400(string name, string value) =>
        (await app.PostAsync(Events, """{"type":"A"}""", (name, value))).ShouldBeProblem(400, "invalid-request");

    [Fact]
    public async Task Header_and_body_must_not_contradict_each_other() =>
        (await app.PostAsync(Events, """{"events":[{"type":"A"}],"expect":{"seq":0}}""", ("If-Match", "\"1\""))).ShouldBeProblem(400, "invalid-request");

    [Fact]
    public async Task A_condition_is_judged_on_the_state()
    {
        await app.PostAsync(Events, """{"type":"A","payload":{"balance":10}}""");

        (await app.PostAsync(Events, """{"events":[{"type":"B"}],"expect":{"when":"state.balance >= 10"}}""")).ShouldBe(201);
        var refused = (await app.PostAsync(Events, """{"events":[{"type":"B"}],"expect":{"when":"state.balance > 10"}}""")).ShouldBeProblem(412, "condition-false");
        (refused["condition"].GetString(), refused["seq"].GetInt64()).ShouldBe(("state.balance > 10", 2));
        (await app.PostAsync(Events, """{"events":[{"type":"B"}],"expect":{"when":"state.nothing > 10"}}""")).ShouldBeProblem(422, "fold-failed");
        (await app.PostAsync(Events, """{"events":[{"type":"B"}],"expect":{"when":"state.balance >"}}""")).ShouldBeProblem(400, "invalid-request");
    }

    [Fact]
    public async Task States_and_events_come_with_the_answer_if_asked_for()
    {
        await app.PostAsync(Events, """{"type":"A","payload":{"a":1}}""");

        var answer = (await app.PostAsync(Events + "?return=state", """[{"type":"B","payload":{"b":2}},{"type":"C","aggregate":"Other","payload":{"c":3}}]""",
            ("Prefer", "respond-async, return=representation"))).ShouldBe(201);

        answer["states"].GetRawText().ShouldBe("""{"Default":{"a":1,"b":2},"Other":{"c":3}}""");
        answer["events"].EnumerateArray().Select(e => e.GetProperty("seq").GetInt64()).ShouldBe([2, 3]);
        answer.Header("Preference-Applied").ShouldBe("return=representation");
    }

    [Theory]
    [InlineData("?returns=state")]
    [InlineData("?return=states")]
    [InlineData("?return=")]
    [InlineData("?recreate=1")]
    [InlineData("?recreate=true&recreate=true")]
    public async Task A_query_that_is_not_understood_gets_400(string query) =>
        (await app.PostAsync(Events + query, """{"type":"A"}""")).ShouldBeProblem(400, "invalid-request");

    [Fact]
    public async Task A_reserved_kind_can_be_neither_written_nor_found()
    {
        (await app.PostAsync("/v1/entities/warp.sagas/x/events", """{"type":"A"}""")).ShouldBeProblem(403, "reserved-kind");
        (await app.DeleteAsync("/v1/entities/warp.sagas/x")).ShouldBeProblem(403, "reserved-kind");
        (await app.GetAsync("/v1/entities/warp.sagas/x")).ShouldBeProblem(404, "entity-not-found");
        (await app.PostAsync("/v1/entities/warped/x/events", """{"type":"A"}""")).ShouldBe(201);
    }
}
