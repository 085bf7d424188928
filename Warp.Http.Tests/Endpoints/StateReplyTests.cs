namespace Warp.Http.Tests.Endpoints;

/// <summary>States and events in the answers to appends, and what tags spare of states.</summary>
public sealed class StateReplyTests(WarpApp app) : IClassFixture<WarpApp>
{
    private const string Counts = """{"initial":{"n":0},"on":{"*":{"n":"state.n + 1"}}DEFAULT}""";

    private readonly string _kind = "k" + Guid.NewGuid().ToString("N")[..20];
    private readonly string _name = "A" + Guid.NewGuid().ToString("N");

    private string Entity => $"/v1/entities/{_kind}/1";

    private string Events => Entity + "/events";

    private string States => Events + "?return=state";

    private string State => $"{Entity}/aggregates/{_name}";

    [Fact]
    public async Task A_single_event_and_a_batch_answer_with_the_states_of_their_aggregates()
    {
        await DefineAsync();
        await DefineAsync("x", isDefault: false);

        var single = (await app.PostAsync(States, $$"""{"type":"A","aggregate":"{{_name}}x"}""")).ShouldBe(201);
        single["states"].GetRawText().ShouldBe($$$"""{"{{{_name}}}x":{"n":1}}""");
        var batch = (await app.PostAsync(States, $$$"""
            [{"type":"A"},{"type":"B","aggregate":"{{{_name}}}x"},{"type":"C","aggregate":"Merged","payload":{"c":[1]}},{"type":"D","aggregate":"{{{_name}}}"}]
            """)).ShouldBe(201);
        StatesOf(batch).ShouldBe($"{_name}={{\"n\":2}} {_name}x={{\"n\":2}} Merged={{\"c\":[1]}}", "an event that names none belongs to the default of its kind");
        batch.Headers.ContainsKey("Preference-Applied").ShouldBeFalse();
    }

    [Fact]
    public async Task An_NDJSON_body_answers_as_an_array_does()
    {
        await DefineAsync();
        var answer = (await app.SendAsync(HttpMethod.Post, States, "{\"type\":\"A\"}\n{\"type\":\"B\",\"aggregate\":\"Else\",\"payload\":{\"b\":1}}\n", "application/x-ndjson",
            ("Prefer", "return=representation"))).ShouldBe(201);

        StatesOf(answer).ShouldBe($"{_name}={{\"n\":1}} Else={{\"b\":1}}");
        answer["events"].EnumerateArray().Select(e => $"{e.GetProperty("seq")} {e.GetProperty("type")}").ShouldBe(["1 A", "2 B"]);
        answer.Header("Preference-Applied").ShouldBe("return=representation");
    }

    [Fact]
    public async Task A_replay_answers_with_what_the_append_answered_though_the_entity_has_gone_on()
    {
        await DefineAsync();
        (string, string)[] key = [("Idempotency-Key", "one"), ("Prefer", "return=representation")];
        const string Body = """[{"type":"A","payload":{"a":1.50}},{"type":"B","aggregate":"Merged","payload":{"b":1}}]""";
        var first = (await app.PostAsync(States, Body, key)).ShouldBe(201);
        await app.PostAsync(Events, """[{"type":"A"},{"type":"B","aggregate":"Merged","payload":{"b":2}}]""");

        var again = (await app.PostAsync(States, Body, key)).ShouldBe(200);

        again.Header("Idempotent-Replayed").ShouldBe("true");
        again.Body.ShouldBe(first.Body);
        again.Header("ETag").ShouldBe(first.Header("ETag"), "the tag of the append, not of what came after it");
    }

    [Fact]
    public async Task A_state_that_does_not_fold_is_told_beside_the_others_and_the_append_stands()
    {
        await app.PutAsync("/v1/aggregates/" + _name, """{"on":{"A":{"n":"payload.missing"}}}""");
        var answer = (await app.PostAsync(States, $$$"""[{"type":"A","aggregate":"{{{_name}}}"},{"type":"B","aggregate":"Merged","payload":{"b":1}}]""")).ShouldBe(201);

        StatesOf(answer).ShouldBe("""Merged={"b":1}""");
        var problem = answer["stateProblems"].GetProperty(_name);
        (problem.GetProperty("type").GetString(), problem.GetProperty("seq").GetInt64(), problem.GetProperty("expression").GetString())
            .ShouldBe(("/problems/fold-failed", 1, "payload.missing"));
        (await app.GetAsync(Entity))["seq"].GetInt64().ShouldBe(2);
    }

    [Fact]
    public async Task A_refused_append_answers_with_no_state()
    {
        await DefineAsync();
        await app.PostAsync(Events, """{"type":"A"}""");
        var refused = (await app.PostAsync(States, """{"type":"A"}""", ("If-Match", "\"7\""), ("Prefer", "return=representation"))).ShouldBeProblem(412, "seq-mismatch");
        refused.Body.ShouldNotContain("states");
        (await app.GetAsync(State))["state"].GetRawText().ShouldBe("""{"n":1}""");
    }

    [Fact]
    public async Task States_now_and_then_and_their_difference_are_spared_by_their_tags()
    {
        await DefineAsync();
        await app.PostAsync(Events, """[{"type":"A"},{"type":"B"},{"type":"C"}]""");
        var recorded = (await app.GetAsync(Events))["events"][2].GetProperty("recordedAt").GetString();
        var tags = new List<string>();
        foreach (var path in new[] { State, State + "?atSeq=2", $"{State}?at={recorded}", State + "/diff?from=1&to=3", State + "/diff?from=2" })
        {
            var read = (await app.GetAsync(path)).ShouldBe(200);
            var tag = read.Header("ETag").ShouldNotBeNull(path);
            tags.Add(tag);
            var spared = (await app.GetAsync(path, ("If-None-Match", tag))).ShouldBe(304);
            (spared.Body, spared.Header("ETag")).ShouldBe(("", tag));
            (await app.GetAsync(path, ("If-None-Match", "\"x\""))).ShouldBe(200);
        }

        tags[2].ShouldBe(tags[0], "the same state");
        tags.Distinct(StringComparer.Ordinal).Count().ShouldBe(4);
        await app.PostAsync(Events, """{"type":"D"}""");
        (await app.GetAsync(State + "?atSeq=2", ("If-None-Match", tags[1]))).ShouldBe(304);
        (await app.GetAsync(State + "/diff?from=2", ("If-None-Match", tags[4]))).ShouldBe(200);
        await app.PutAsync("/v1/aggregates/" + _name, """{"initial":{"n":100},"on":{"*":{"n":"state.n + 1"}} }""");
        (await app.GetAsync(State + "?atSeq=2", ("If-None-Match", tags[1]))).ShouldBe(200); // by another version it is another state
    }

    [Fact]
    public async Task An_append_takes_the_tag_of_an_entity_or_of_a_state_and_of_nothing_else()
    {
        await DefineAsync();
        var first = (await app.PostAsync(Events, """{"type":"A"}""")).ShouldBe(201);
        var life = first["life"].GetString();
        (await app.PostAsync(Events, """{"type":"B"}""", ("If-Match", first.Header("ETag")!))).ShouldBe(201);
        (await app.PostAsync(Events, """{"type":"C"}""", ("If-Match", (await app.GetAsync(State)).Header("ETag")!))).ShouldBe(201);
        (await app.PostAsync(Events, """{"type":"D"}""", ("If-Match", (await app.GetAsync(Entity)).Header("ETag")!))).ShouldBe(201);
        (await app.PostAsync(Events, """{"type":"E"}""", ("If-Match", $"\"4.{life}.99\""))).ShouldBe(201); // whatever the definition was
        (await app.PostAsync(Events, """{"type":"F"}""", ("If-Match", (await app.GetAsync(State + "?atSeq=5")).Header("ETag")!))).ShouldBe(201);
        (await app.PostAsync(Events, """{"type":"G"}""", ("If-Match", (await app.GetAsync(State + "?atSeq=2")).Header("ETag")!))).ShouldBeProblem(412, "seq-mismatch");
        (await app.PostAsync(Events, """{"type":"G"}""", ("If-Match", (await app.GetAsync(State + "/diff?from=2")).Header("ETag")!))).ShouldBeProblem(400, "invalid-request");
        (await app.GetAsync(Entity))["seq"].GetInt64().ShouldBe(6);
    }

    [Fact]
    public async Task A_wait_ends_with_410_when_the_entity_is_erased()
    {
        await app.PostAsync(Events, """{"type":"A"}""");
        var waiting = app.GetAsync($"{Entity}/aggregates/Default?minSeq=2&wait=60s");
        await Task.Delay(20, TestContext.Current.CancellationToken); // either order is right; this one is the rarer
        (await app.DeleteAsync(Entity)).Status.ShouldBeInRange(200, 202);

        (await waiting.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken)).ShouldBeProblem(410, "entity-erased");
    }

    [Fact]
    public async Task A_wait_goes_on_in_the_life_after_an_erasure()
    {
        await app.PostAsync(Events, """{"type":"A"}""");
        var waiting = app.GetAsync($"{Entity}/aggregates/Default?minSeq=2&wait=60s");
        await app.DeleteAsync(Entity);
        await app.PostAsync(Events + "?recreate=true", """[{"type":"A","payload":{"n":1}},{"type":"B","payload":{"n":2}}]""");

        var answer = await waiting.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        if (answer.Status == 410) return; // it looked in between
        answer.ShouldBe(200)["state"].GetRawText().ShouldBe("""{"n":2}""");
    }

    [Fact]
    public async Task Events_that_several_definitions_claim_belong_to_none_in_the_description()
    {
        await DefineAsync();
        await app.PostAsync(Events, """[{"type":"A"},{"type":"B","aggregate":"Else"}]""");
        (await app.GetAsync(Entity))["aggregates"].EnumerateArray().Select(a => a.GetString()).ShouldBe([_name, "Else"]);
        await DefineAsync("x");

        (await app.GetAsync(Entity))["aggregates"].GetRawText().ShouldBe("""["Else"]""");
    }

    private static string StatesOf(Answer answer) => string.Join(' ', answer["states"].EnumerateObject().Select(s => $"{s.Name}={s.Value.GetRawText()}"));

    private async Task DefineAsync(string suffix = "", bool isDefault = true) =>
        (await app.PutAsync($"/v1/aggregates/{_name}{suffix}", Counts.Replace("DEFAULT", isDefault ? $",\"defaultForKind\":\"{_kind}\"" : "", StringComparison.Ordinal))).ShouldBe(201);
}
