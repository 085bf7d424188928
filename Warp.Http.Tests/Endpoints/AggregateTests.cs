namespace Warp.Http.Tests.Endpoints;

public sealed class AggregateTests(WarpApp app) : IClassFixture<WarpApp>
{
    private const string Account = """
        {"initial":{"balance":0},"on":{"Credited":{"balance":"state.balance + payload.amount"},"Debited":{"balance":"state.balance - payload.amount"}},
         "invariants":[{"rule":"state.balance >= 0","message":"insufficient funds"}]}
        """;

    private readonly string _name = "A" + Guid.NewGuid().ToString("N");

    private string Path => "/v1/aggregates/" + _name;

    [Fact]
    public async Task A_definition_is_put_read_listed_and_deleted()
    {
        var created = (await app.PutAsync(Path, Account)).ShouldBe(201);
        (created["version"].GetInt32(), created["changed"].GetBoolean(), created.Header("Location"), created.Header("ETag")).ShouldBe((1, true, Path, "\"1\""));
        var same = (await app.PutAsync(Path, Account.Replace("\"initial\":{\"balance\":0}", "\"initial\":{\"balance\":0.0}", StringComparison.Ordinal))).ShouldBe(200);
        (same["version"].GetInt32(), same["changed"].GetBoolean()).ShouldBe((1, false));
        var replaced = (await app.PutAsync(Path, "{}")).ShouldBe(200);
        (replaced["version"].GetInt32(), replaced["changed"].GetBoolean()).ShouldBe((2, true));

        var read = (await app.GetAsync(Path)).ShouldBe(200);
        read["definition"].GetRawText().ShouldBe("{}");
        read["versions"].EnumerateArray().Select(v => v.GetProperty("version").GetInt32()).ShouldBe([2, 1]);
        read["versions"][1].GetProperty("definition").GetProperty("initial").GetRawText().ShouldBe("""{"balance":0}""");
        (await app.GetAsync(Path, ("If-None-Match", read.Header("ETag")!))).ShouldBe(304);
        (await app.GetAsync("/v1/aggregates"))["aggregates"].EnumerateArray().Count(a => a.GetProperty("name").GetString() == _name).ShouldBe(1);
        (await app.GetAsync("/v1/aggregates", ("Accept", "application/x-ndjson"))).Lines.ShouldContain(l => l.GetProperty("name").GetString() == _name);
        (await app.DeleteAsync(Path)).ShouldBe(204);
        (await app.GetAsync(Path)).ShouldBeProblem(404, "aggregate-not-found");
        (await app.DeleteAsync(Path)).ShouldBeProblem(404, "aggregate-not-found");
    }

    [Fact]
    public async Task Versions_beyond_a_page_are_read_with_next()
    {
        for (var i = 1; i <= 102; i++) await app.PutAsync(Path, $$"""{"initial":{"n":{{i}}} }""");

        var newest = (await app.GetAsync(Path)).ShouldBe(200);
        (newest["version"].GetInt32(), newest["versions"].GetArrayLength(), newest["next"].GetString()).ShouldBe((102, 100, Path + "?before=3"));
        var rest = (await app.GetAsync(newest["next"].GetString()!)).ShouldBe(200);
        rest["versions"].EnumerateArray().Select(v => v.GetProperty("version").GetInt32()).ShouldBe([2, 1]);
        rest["next"].ValueKind.ShouldBe(System.Text.Json.JsonValueKind.Null);
        (await app.GetAsync(Path + "?before=0")).ShouldBeProblem(400, "invalid-request");
    }

    [Fact]
    public async Task What_is_wrong_with_a_definition_is_all_told()
    {
        var refused = (await app.PutAsync(Path, """{"on":{"A":{"x":"1 +"},"B":{"y":"("}},"otherwise":"sometimes"}""")).ShouldBeProblem(422, "invalid-definition");
        refused["errors"].EnumerateObject().Select(e => e.Name).ShouldBe(["$.on.A.x", "$.on.B.y", "$.otherwise"], ignoreOrder: true);
        (await app.PutAsync("/v1/aggregates/1x", "{}")).ShouldBeProblem(400, "invalid-request");
        (await app.PutAsync(Path, "{\"initial\":{\"a\":\"\\ud800\"}}")).ShouldBeProblem(400, "invalid-json");
        (await app.SendAsync(HttpMethod.Put, Path, "{}", "application/x-ndjson")).ShouldBeProblem(415, "unsupported-media-type");
    }

    [Fact]
    public async Task A_member_given_twice_gets_400() =>
        (await app.PutAsync(Path, """{"on":{"A":{"x":"1","x":"2"}},"strict":7}""")).ShouldBeProblem(400, "invalid-request")["errors"].EnumerateObject()
            .Select(e => e.Name).ShouldBe(["$.on.A.x", "$.strict"], ignoreOrder: true);

    [Fact]
    public async Task A_body_that_is_not_json_gets_400() => (await app.PutAsync(Path, "{")).ShouldBeProblem(400, "invalid-json");

    [Fact]
    public async Task An_append_that_breaks_an_invariant_gets_422()
    {
        await app.PutAsync(Path, Account);
        var events = $"/v1/entities/user/{Guid.NewGuid():N}/events";

        (await app.PostAsync(events, $$$"""[{"type":"Credited","aggregate":"{{{_name}}}","payload":{"amount":5}}]""")).ShouldBe(201);
        var refused = (await app.PostAsync(events, $$$"""[{"type":"Debited","aggregate":"{{{_name}}}","payload":{"amount":6}}]""")).ShouldBeProblem(422, "invariant-violated");

        (refused["rule"].GetString(), refused["message"].GetString(), refused["seq"].GetInt64()).ShouldBe(("state.balance >= 0", "insufficient funds", 2));
        var failed = (await app.PostAsync(events, $$"""[{"type":"Debited","aggregate":"{{_name}}"}]""")).ShouldBeProblem(422, "fold-failed");
        failed["expression"].GetString().ShouldBe("state.balance - payload.amount");
    }

    [Fact]
    public async Task A_condition_that_cannot_be_judged_blames_no_event()
    {
        await app.PutAsync(Path, Account);
        var events = $"/v1/entities/user/{Guid.NewGuid():N}/events";
        await app.PostAsync(events, $$$"""[{"type":"Credited","aggregate":"{{{_name}}}","payload":{"amount":5}}]""");
        var refused = (await app.PostAsync(events, $$$"""{"events":[{"type":"A"}],"expect":{"when":"state.nope > 1","aggregate":"{{{_name}}}"}}"""))
            .ShouldBeProblem(422, "fold-failed");
        refused["detail"].GetString()!.ShouldStartWith("The rule can't be judged at seq 1: There is no member \"nope\" in the state");
        (refused["line"].GetInt64(), refused["column"].GetInt64()).ShouldBe((1, 7));
    }

    [Fact]
    public async Task A_trial_folds_and_stores_nothing()
    {
        (await app.PostAsync(Path + "/try", """[{"type":"Credited","payload":{"amount":5}}]""")).ShouldBeProblem(404, "aggregate-not-found");
        await app.PutAsync(Path, Account);

        (await app.PostAsync(Path + "/try", """[{"type":"Credited","payload":{"amount":0.1}},{"type":"Credited","payload":{"amount":0.2}},{"type":"X","aggregate":"Else"}]"""))
            .ShouldBe(200)["state"].GetRawText().ShouldBe("""{"balance":0.3}""");
        (await app.PostAsync(Path + "/try", """{"type":"Debited","payload":{"amount":1}}""")).ShouldBeProblem(422, "invariant-violated");
        (await app.PostAsync(Path + "/try", """{"definition":{"on":{"*":{"n":"1"}}},"events":[{"type":"Debited"}]}""")).ShouldBe(200)["state"].GetRawText().ShouldBe("""{"n":1}""");
        (await app.PostAsync(Path + "/try", """{"definition":{"on":{"*":{"n":"("}}},"events":[{"type":"Debited"}]}""")).ShouldBeProblem(422, "invalid-definition");
        (await app.PostAsync(Path + "/try", """{"definition":{},"events":[{"type":"A"}],"more":1}""")).ShouldBeProblem(400, "invalid-request");
        (await app.PostAsync(Path + "/try", "[]")).ShouldBeProblem(400, "empty-batch");
    }

    [Fact]
    public async Task A_trial_shows_the_state_after_each_event_of_a_sample_or_of_a_real_history()
    {
        var id = Guid.NewGuid().ToString("N");
        var events = $"/v1/entities/user/{id}/events";
        await app.PostAsync(events, $$$"""[{"type":"Credited","aggregate":"{{{_name}}}","payload":{"amount":5}},{"type":"Else"},{"type":"Debited","aggregate":"{{{_name}}}","payload":{"amount":9}}]""");

        (await app.PostAsync(Path + "/try", $$"""{"entity":"user/{{id}}"}""")).ShouldBeProblem(404, "aggregate-not-found");
        await app.PutAsync(Path, Account.Replace(">= 0", ">= -100", StringComparison.Ordinal));
        var sample = (await app.PostAsync(Path + "/try", """[{"type":"Credited","payload":{"amount":1}},{"type":"Credited","payload":{"amount":2}}]""")).ShouldBe(200);
        sample["steps"].GetRawText().ShouldBe("""[{"seq":1,"type":"Credited","state":{"balance":1}},{"seq":2,"type":"Credited","state":{"balance":3}}]""");
        var real = (await app.PostAsync(Path + "/try", $$"""{"entity":"user/{{id}}"}""")).ShouldBe(200);
        real["steps"].GetRawText().ShouldBe("""[{"seq":1,"type":"Credited","state":{"balance":5}},{"seq":3,"type":"Debited","state":{"balance":-4}}]""");
        (real["seq"].GetInt64(), real["definitionVersion"].GetInt32(), real["firstHiddenSeq"].ValueKind).ShouldBe((3, 1, System.Text.Json.JsonValueKind.Null));
        var both = (await app.PostAsync(Path + "/try", $$$"""
            {"entity":"user/{{{id}}}","definition":{"initial":{"n":0},"on":{"*":{"n":"state.n + 1","seq":"event.seq"}},"defaultForKind":"user"},"events":[{"type":"Next"}]}
            """)).ShouldBe(200);
        both["steps"].GetArrayLength().ShouldBe(4, "the event without an aggregate is this definition's, too");
        both["state"].GetRawText().ShouldBe("""{"n":4,"seq":4}""");
        (await app.PostAsync(Path + "/try", """{"entity":"user/nobody-at-all"}""")).ShouldBeProblem(404, "entity-not-found");
        (await app.PostAsync(Path + "/try", """{"entity":"user"}""")).ShouldBeProblem(400, "invalid-request");
        (await app.PostAsync(Path + "/try", """{"definition":{}}""")).ShouldBeProblem(400, "invalid-request");
        (await app.GetAsync(events))["events"].GetArrayLength().ShouldBe(3, "nothing of it is stored");
    }

    [Fact]
    public async Task Two_defaults_of_a_kind_are_told_where_an_event_names_none()
    {
        var kind = "k" + Guid.NewGuid().ToString("N")[..20];
        var entity = $"/v1/entities/{kind}/1";
        await app.PutAsync(Path, $$"""{"initial":{"n":0},"on":{"*":{"n":"state.n + 1"} },"defaultForKind":"{{kind}}"}""");
        (await app.PostAsync(entity + "/events", """{"type":"A"}""")).ShouldBe(201);
        (await app.GetAsync($"{entity}/aggregates/{_name}"))["state"].GetRawText().ShouldBe("""{"n":1}""");

        await app.PutAsync(Path + "x", $$"""{"strict":true,"defaultForKind":"{{kind}}"}""");
        (await app.GetAsync($"{entity}/aggregates/{_name}")).ShouldBeProblem(422, "fold-failed")["seq"].GetInt64().ShouldBe(1);
        (await app.PostAsync(entity + "/events", """{"type":"A"}""")).ShouldBeProblem(422, "fold-failed");
        (await app.PostAsync(entity + "/events", $$"""{"type":"A","aggregate":"{{_name}}"}""")).ShouldBe(201);
        var claimed = (await app.PostAsync(entity + "/events", """{"type":"A"}""")).ShouldBeProblem(422, "fold-failed");
        claimed["detail"].GetString().ShouldBe($"The rule can't be judged at seq 2: The aggregates {_name} and {_name}x both claim the kind {kind} as default; name one.");
        claimed.Body.ShouldNotContain("\"line\"");
        await app.DeleteAsync(Path + "x");
        (await app.GetAsync($"{entity}/aggregates/{_name}"))["state"].GetRawText().ShouldBe("""{"n":2}""");
    }

    [Fact]
    public async Task The_examples_of_the_guide_work()
    {
        var definition = Example("definition").Replace("\"user\"", $"\"k{Guid.NewGuid():N}\"", StringComparison.Ordinal);
        (await app.PutAsync(Path, definition)).ShouldBe(201);
        var id = Guid.NewGuid().ToString("N");
        await app.PostAsync($"/v1/entities/user/{id}/events", $$"""{"type":"A","aggregate":"{{_name}}"}""");
        (await app.PostAsync(Path + "/try", Example("try").Replace("alice", id, StringComparison.Ordinal))).ShouldBe(200)["state"].GetRawText().ShouldBe("""{"n":2}""");

        static string Example(string name)
        {
            var guide = File.ReadAllText(System.IO.Path.Combine(AppContext.BaseDirectory, "docs", "aggregates.md"));
            var begin = guide.IndexOf($"```json {name}\n", StringComparison.Ordinal) + $"```json {name}\n".Length;
            return guide[begin..guide.IndexOf("```", begin, StringComparison.Ordinal)];
        }
    }

    [Fact]
    public async Task Upcast_history_shows_the_newest_version()
    {
        await app.PutAsync(Path, """{"upcast":[{"type":"Credited","from":1,"to":2,"set":{"amount":"payload.cents / 100"},"remove":["cents"]}]}""");
        var events = $"/v1/entities/user/{Guid.NewGuid():N}/events";
        await app.PostAsync(events, $$$"""[{"type":"Credited","aggregate":"{{{_name}}}","payload":{"cents":150}},{"type":"Credited","aggregate":"{{{_name}}}","payload":{}}]""");

        (await app.GetAsync(events))["events"][0].GetProperty("payload").GetRawText().ShouldBe("""{"cents":150}""");
        var upcast = (await app.GetAsync(events + "?upcast=true"))["events"];
        (upcast[0].GetProperty("payload").GetRawText(), upcast[0].GetProperty("schemaVersion").GetInt32()).ShouldBe(("""{"amount":1.5}""", 2));
        (upcast[1].GetProperty("payload").GetRawText(), upcast[1].GetProperty("schemaVersion").GetInt32()).ShouldBe(("{}", 1));
    }
}
