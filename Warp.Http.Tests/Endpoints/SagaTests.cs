using System.Text.Json;
using Warp.Http.Tests.Subscriptions;
using Warp.Http.Tests.Support;
using static Warp.Http.Tests.Endpoints.SagaBodies;

namespace Warp.Http.Tests.Endpoints;

public sealed class SagaTests(WarpApp app) : IClassFixture<WarpApp>
{
    private readonly string _run = Guid.NewGuid().ToString("N")[..12];

    private string Id => $"s-{_run}";

    private string Path => $"/v1/sagas/{Id}";

    private string Alice => $"user/alice-{_run}";

    private string Bob => $"user/bob-{_run}";

    [Fact]
    public async Task A_transfer_is_done_once_however_often_it_is_sent()
    {
        await OpenAsync(Alice, 100);
        await OpenAsync(Bob, 0);

        var done = (await app.PostAsync(Path, Transfer(Alice, Bob, 30))).ShouldBe(200);
        var again = (await app.PostAsync(Path, Transfer(Alice, Bob, 30).Replace("\"amount\":30", "\"amount\": 3e1", StringComparison.Ordinal))).ShouldBe(200);

        done.Body.ShouldBe($$"""{"sagaId":"{{Id}}","resultType":"COMMITTED","steps":[{"entity":"{{Alice}}","status":"DONE","seq":2},{"entity":"{{Bob}}","status":"DONE","seq":2}]}""");
        again.Body.ShouldBe(done.Body);
        done.Header("Warp-Cursor").ShouldNotBeNullOrEmpty();
        (await app.GetAsync(Path)).ShouldBe(200).Body.ShouldBe(done.Body);
        (await BalanceAsync(Alice), await BalanceAsync(Bob)).ShouldBe((70, 30));
        var e = (await app.GetAsync($"/v1/entities/{Alice}/events?from=2"))["events"][0];
        e.GetProperty("metadata").GetRawText().ShouldBe($$"""{"saga":"{{Id}}","step":0}""");
        e.GetProperty("id").GetString()![14].ShouldBe('5', "a UUID of version 5");
    }

    [Fact]
    public async Task A_refused_step_is_told_and_what_was_done_before_is_undone()
    {
        await OpenAsync(Alice, 10);
        await OpenAsync(Bob, 5);

        var undone = (await app.PostAsync(Path, Saga(Credit(Alice, 3), Debit(Bob, 50), Credit(Alice, 4)))).ShouldBe(200);

        undone["resultType"].GetString().ShouldBe("COMPENSATED");
        Statuses(undone).ShouldBe(["COMPENSATED", "REFUSED", "PENDING"]);
        (await app.PostAsync(Path, Saga(Credit(Alice, 3), Debit(Bob, 50), Credit(Alice, 4)))).Body.ShouldBe(undone.Body, "the same answer, whoever asks");
        (await app.GetAsync(Path)).Body.ShouldBe(undone.Body);
        var problem = undone["steps"][1].GetProperty("problem");
        (problem.GetProperty("type").GetString(), problem.GetProperty("message").GetString()).ShouldBe(("/problems/invariant-violated", "insufficient funds"));
        (await app.GetAsync(Path))["steps"][1].GetProperty("problem").GetProperty("rule").GetString().ShouldBe("state.balance >= 0");
        (await BalanceAsync(Alice), await BalanceAsync(Bob)).ShouldBe((10, 5));
        (await app.GetAsync($"/v1/entities/{Alice}"))["seq"].GetInt64().ShouldBe(3, "the action and its compensation are both there");
    }

    [Fact]
    public async Task A_step_may_expect_a_seq_or_a_condition()
    {
        await OpenAsync(Alice, 10);
        var step = Credit(Alice, 1);

        var stale = await app.PostAsync(Path + "-a", Saga(Expecting(step, """{"seq":7}""")));
        var poor = await app.PostAsync(Path + "-b", Saga(Expecting(step, """{"when":"state.balance >= 11","aggregate":"Account"}""")));
        var fine = await app.PostAsync(Path + "-c", Saga(Expecting(step, """{"seq":1,"when":"state.balance >= 10","aggregate":"Account"}""")));
        var unjudged = await app.PostAsync(Path + "-d", Saga(Expecting(step, """{"when":"state.nothing > 1","aggregate":"Account"}""")));

        Problem(stale).GetProperty("type").GetString().ShouldBe("/problems/seq-mismatch");
        (Problem(stale).GetProperty("expectedSeq").GetInt64(), Problem(stale).GetProperty("actualSeq").GetInt64()).ShouldBe((7, 1));
        Problem(poor).GetProperty("condition").GetString().ShouldBe("state.balance >= 11");
        fine["resultType"].GetString().ShouldBe("COMMITTED");
        Problem(unjudged).GetProperty("expression").GetString().ShouldBe("state.nothing > 1");
        foreach (var (path, answer) in new[] { ("-a", stale), ("-b", poor), ("-d", unjudged) })
            Problem(await app.GetAsync(Path + path)).GetProperty("detail").GetString().ShouldBe(Problem(answer).GetProperty("detail").GetString());
    }

    [Fact]
    public async Task Other_steps_under_the_same_id_are_a_conflict()
    {
        await OpenAsync(Alice, 10);
        await app.PostAsync(Path, Saga(Credit(Alice, 1)));

        (await app.PostAsync(Path, Saga(Credit(Alice, 2)))).ShouldBeProblem(409, "saga-conflict");
        (await app.PostAsync(Path, Saga(Credit(Alice, 1), Credit(Alice, 1)))).ShouldBeProblem(409, "saga-conflict");
        (await app.PostAsync(Path, $$"""{"steps":[{{Credit(Alice, 1)}}],"timeout":"5s"}""")).ShouldBe(200);
    }

    [Fact]
    public async Task A_hundred_at_once_with_one_id_run_once()
    {
        await OpenAsync(Alice, 100);
        await OpenAsync(Bob, 0);

        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(_ => app.PostAsync(Path, Transfer(Alice, Bob, 1))));

        answers.Select(a => a.ShouldBe(200).Body).Distinct(StringComparer.Ordinal).Count().ShouldBe(1);
        (await BalanceAsync(Alice), await BalanceAsync(Bob)).ShouldBe((99, 1));
    }

    [Fact]
    public async Task A_saga_that_can_not_be_undone_is_stuck_until_a_person_ends_it()
    {
        await OpenAsync(Alice, 10);
        await OpenAsync(Bob, 0);
        // Bob spends what he was given before alice's refusal takes it back.
        var steps = Saga(Credit(Bob, 5), Spend(Bob, 5), Debit(Alice, 11));

        var stuck = (await app.PostAsync(Path, steps)).ShouldBe(200);
        stuck["resultType"].GetString().ShouldBe("STUCK");
        Statuses(stuck).ShouldBe(["STUCK", "COMPENSATED", "REFUSED"]);
        Problem(stuck).GetProperty("type").GetString().ShouldBe("/problems/invariant-violated");
        (await app.PostAsync(Path, steps)).Body.ShouldContain("\"STUCK\"");
        (await app.GetAsync("/health/ready")).ShouldBe(200)["status"].GetString().ShouldBe("degraded");
        (await ListAsync("resultType=STUCK")).ShouldContain(id => id == Id);

        (await app.PostAsync(Path + "/retry", "")).ShouldBe(200)["resultType"].GetString().ShouldBe("STUCK");
        await app.PostAsync($"/v1/entities/{Bob}/events", """{"type":"Credited","aggregate":"Account","payload":{"amount":5}}""");
        (await app.PostAsync(Path + "/retry", "")).ShouldBe(200)["resultType"].GetString().ShouldBe("COMPENSATED");
        (await app.PostAsync(Path + "/retry", "")).ShouldBeProblem(409, "saga-conflict");
        (await ListAsync("resultType=STUCK")).ShouldNotContain(id => id == Id);
    }

    [Fact]
    public async Task A_person_resolves_with_a_note()
    {
        await OpenAsync(Alice, 10);
        await OpenAsync(Bob, 0);
        var steps = Saga(Credit(Bob, 5), Spend(Bob, 5), Debit(Alice, 11));
        (await app.PostAsync(Path, steps))["resultType"].GetString().ShouldBe("STUCK");

        (await app.PostAsync(Path + "/resolve", "{}")).ShouldBeProblem(400, "invalid-request");
        (await app.PostAsync(Path + "/resolve", """{"note":""}""")).ShouldBeProblem(400, "invalid-request");
        var resolved = (await app.PostAsync(Path + "/resolve", """{"note":"paid back in cash"}""")).ShouldBe(200);

        resolved["resultType"].GetString().ShouldBe("COMPENSATED");
        resolved["resolution"].GetProperty("note").GetString().ShouldBe("paid back in cash");
        (await app.GetAsync(Path)).Body.ShouldBe(resolved.Body);
        (await app.PostAsync(Path + "/resolve", """{"note":"again"}""")).ShouldBeProblem(409, "saga-conflict");
        (await app.PostAsync("/v1/sagas/nobody/resolve", """{"note":"x"}""")).ShouldBeProblem(404, "saga-not-found");
        (await app.PostAsync("/v1/sagas/nobody/retry", "")).ShouldBeProblem(404, "saga-not-found");
    }

    [Fact]
    public async Task Who_does_not_wait_is_told_where_to_look()
    {
        await OpenAsync(Alice, 100);
        await OpenAsync(Bob, 0);

        var accepted = await app.PostAsync(Path, Transfer(Alice, Bob, 1), ("Prefer", "respond-async"));

        if (accepted.Status == 202)
        {
            (accepted.Header("Location"), accepted.Header("Preference-Applied")).ShouldBe((Path, "respond-async"));
            accepted["resultType"].GetString().ShouldBe("RUNNING");
        }

        await Eventually.BecomesTrueAsync("the saga ends", async () => (await app.GetAsync(Path))["resultType"].GetString() == "COMMITTED", TimeSpan.FromSeconds(60));
        (await app.PostAsync(Path, Transfer(Alice, Bob, 1), ("Prefer", "respond-async"))).ShouldBe(200);
    }

    [Fact]
    public async Task A_sagas_progress_is_followed_and_names_no_party()
    {
        await OpenAsync(Alice, 10);
        await OpenAsync(Bob, 5);
        await using var stream = await EventStream.OpenAsync(app.Http, Path + "/subscribe?from=1");
        await app.PostAsync(Path, Saga(Credit(Alice, 4711), Debit(Bob, 50)));

        var seen = new List<string>();
        while (!seen.Contains("Ended", StringComparer.Ordinal))
        {
            var (_, e) = await stream.NextEventAsync();
            seen.Add(e.GetProperty("type").GetString()!);
            (e.GetRawText().Contains(_run, StringComparison.Ordinal) || e.GetRawText().Contains("4711", StringComparison.Ordinal)).ShouldBeFalse(e.GetRawText());
        }

        seen.ShouldBe(["Started", "StepDone", "StepRefused", "Compensating", "StepCompensated", "Ended"]);
        (await app.GetAsync("/v1/sagas/-/subscribe")).ShouldBeProblem(400, "invalid-request");
    }

    [Fact]
    public async Task A_party_that_is_erased_before_the_saga_is_a_refusal_and_nothing_is_sent()
    {
        await OpenAsync(Alice, 100);
        await OpenAsync(Bob, 0);
        await app.DeleteAsync($"/v1/entities/{Bob}");

        var refused = (await app.PostAsync(Path, Transfer(Alice, Bob, 1))).ShouldBe(200);

        refused["resultType"].GetString().ShouldBe("COMPENSATED");
        Statuses(refused).ShouldBe(["PENDING", "REFUSED"]);
        refused["steps"][1].GetProperty("problem").GetProperty("type").GetString().ShouldBe("/problems/entity-erased");
        (refused["steps"][1].GetProperty("entity").ValueKind, refused["steps"][1].GetProperty("erased").GetBoolean()).ShouldBe((JsonValueKind.Null, true));
        (await app.GetAsync($"/v1/entities/{Alice}"))["seq"].GetInt64().ShouldBe(1);
    }

    [Fact]
    public async Task Erasing_a_party_takes_it_out_of_the_saga_and_leaves_the_other()
    {
        await OpenAsync(Alice, 100);
        await OpenAsync(Bob, 0);
        await app.PostAsync(Path, Transfer(Alice, Bob, 17));

        var receipt = await app.DeleteAsync($"/v1/entities/{Alice}");
        await Eventually.BecomesTrueAsync("the erasure is complete", async () =>
            (receipt = (await app.GetAsync($"/v1/erasures/{receipt["receiptId"].GetString()}")).ShouldBe(200))["complete"].GetBoolean(), TimeSpan.FromSeconds(60));

        receipt["stores"].GetProperty("sagas").GetString().ShouldBe("erased");
        var saga = (await app.GetAsync(Path)).ShouldBe(200);
        saga.Body.ShouldBe($$"""{"sagaId":"{{Id}}","resultType":"COMMITTED","steps":[{"entity":null,"erased":true,"status":"DONE","seq":2},{"entity":"{{Bob}}","status":"DONE","seq":2}]}""");
        (await app.PostAsync(Path, Transfer(Alice, Bob, 17))).ShouldBe(200).Body.ShouldBe(saga.Body);
        (await app.PostAsync(Path, Transfer(Alice, Bob, 18))).ShouldBeProblem(409, "saga-conflict");
        (await app.PostAsync($"/v1/entities/{Alice}/events?recreate=true", """{"type":"Opened"}""")).ShouldBe(201);
        (await app.GetAsync(Path)).Body.ShouldBe(saga.Body, "a new life is another party");
        (await app.PostAsync(Path + "-2", Transfer(Bob, Alice, 17))).ShouldBe(200)["resultType"].GetString().ShouldBe("COMMITTED");
        (await app.GetAsync(Path + "-2"))["steps"][1].GetProperty("entity").GetString().ShouldBe(Alice);
    }

    [Fact]
    public async Task Sagas_are_listed_by_party_and_by_result_page_by_page()
    {
        await OpenAsync(Alice, 100);
        await OpenAsync(Bob, 0);
        for (var i = 0; i < 5; i++) await app.PostAsync($"{Path}-{i}", Transfer(Alice, Bob, i == 3 ? 1000 : 1));
        await app.PostAsync($"{Path}-5", Saga(Credit(Bob, 1), Credit(Bob, 2)));

        (await ListAsync($"entity={Alice}&limit=2")).ShouldBe([.. Enumerable.Range(0, 5).Select(i => $"{Id}-{i}")]);
        (await ListAsync($"entity={Bob}")).ShouldBe([.. Enumerable.Range(0, 6).Select(i => $"{Id}-{i}")], "one with two steps is listed once");
        (await ListAsync($"entity={Bob}&resultType=COMPENSATED")).ShouldBe([$"{Id}-3"]);
        (await ListAsync("resultType=COMPENSATED&limit=1")).ShouldContain(id => id == $"{Id}-3");
        (await ListAsync("limit=3")).Where(id => id.StartsWith(Id, StringComparison.Ordinal)).ShouldBe([.. Enumerable.Range(0, 6).Select(i => $"{Id}-{i}")]);
        (await ListAsync("entity=user/nobody")).ShouldBeEmpty();
        (await app.GetAsync("/v1/sagas", ("Accept", "application/x-ndjson"))).Lines.Count.ShouldBeGreaterThanOrEqualTo(6);
        foreach (var cursor in new[] { "cursor=x-", "cursor=", "cursor=zz", "resultType=STUCK&cursor=zz", "entity=user/a&cursor=9-9", "entity=user/a&cursor=" })
            (await app.GetAsync("/v1/sagas?" + cursor)).ShouldBeProblem(400, "invalid-cursor");
        (await app.GetAsync("/v1/sagas?resultType=DONE")).ShouldBeProblem(400, "invalid-request");
        (await app.GetAsync("/v1/entities?kind=warp.saga"))["entities"].GetArrayLength().ShouldBe(0);
    }

    [Fact]
    public async Task An_export_has_the_entitys_own_steps_and_names_nobody_else()
    {
        await OpenAsync(Alice, 100);
        await OpenAsync(Bob, 0);
        await app.PostAsync(Path, Transfer(Alice, Bob, 7));
        await app.PostAsync(Path + "-2", Saga(Credit(Bob, 5), Debit(Alice, 500)));

        var lines = (await app.GetAsync($"/v1/entities/{Alice}/export")).ShouldBe(200);
        var steps = lines.Lines.Where(line => line.TryGetProperty("saga", out _)).ToList();
        steps.Select(step => step.GetRawText()).ShouldBe([
            Exported(Id, 0, "COMMITTED", "DONE", "2", 7),
            Exported(Id + "-2", 1, "COMPENSATED", "REFUSED", "null", 500),
        ]);
        lines.Body.ShouldNotContain(Bob);
        var document = await app.GetAsync($"/v1/entities/{Alice}/export", ("Accept", "application/json"));
        document["sagas"].EnumerateArray().Select(step => step.GetRawText()).ShouldBe(steps.Select(step => step.GetRawText()));
    }

    [Fact]
    public async Task Who_is_named_by_sagas_alone_is_exported_and_erased()
    {
        await OpenAsync(Alice, 1);
        await app.PostAsync(Path, Saga(Expecting(Credit(Bob, 7), """{"seq":3}"""), Credit(Alice, 1)));

        var lines = (await app.GetAsync($"/v1/entities/{Bob}/export")).ShouldBe(200).Lines;
        lines.Count.ShouldBe(3);
        (lines[0].GetProperty("entity").GetString(), lines[0].GetProperty("life").ValueKind, lines[0].GetProperty("seq").GetInt64()).ShouldBe((Bob, JsonValueKind.Null, 0));
        (lines[1].GetProperty("saga").GetString(), lines[1].GetProperty("status").GetString(), lines[1].GetProperty("action").GetProperty("payload").GetProperty("amount").GetInt32())
            .ShouldBe((Id, "REFUSED", 7));
        lines[2].GetProperty("events").GetInt64().ShouldBe(0);
        (await app.GetAsync($"/v1/entities/{Bob}/export", ("Accept", "application/json"))).ShouldBe(200)["sagas"].GetArrayLength().ShouldBe(1);

        var receipt = (await app.DeleteAsync($"/v1/entities/{Bob}")).ShouldBe(200);
        receipt["events"].GetInt64().ShouldBe(0);
        (await app.GetAsync($"/v1/entities/{Bob}/export")).ShouldBeProblem(410, "entity-erased");
        (await app.GetAsync(Path))["steps"][0].GetProperty("entity").ValueKind.ShouldBe(JsonValueKind.Null);
        (await app.GetAsync($"/v1/sagas?entity={Bob}"))["sagas"].GetArrayLength().ShouldBe(0);
        (await app.DeleteAsync($"/v1/entities/{Bob}")).ShouldBe(200)["receiptId"].GetString().ShouldBe(receipt["receiptId"].GetString());
    }

    [Fact]
    public async Task The_service_keeps_its_own_entities_to_itself()
    {
        (await app.GetAsync("/v1/entities/warp.sagas/open")).ShouldBeProblem(404, "entity-not-found");
        (await app.PostAsync(Path, $$"""{"steps":[{{Credit("warp.saga/x", 1)}}]}""")).ShouldBeProblem(403, "reserved-kind");
    }

    private static List<string?> Statuses(Answer answer) => [.. answer["steps"].EnumerateArray().Select(s => s.GetProperty("status").GetString())];

    private static JsonElement Problem(Answer answer) => answer.ShouldBe(200)["steps"][0].GetProperty("problem");

    private static string Expecting(string step, string expect) => $$"""{{step[..^1].TrimEnd()}},"expect":{{expect}}}""";

    private static string Exported(string saga, int step, string result, string status, string seq, int amount) => $$"""
        {"saga":"{{saga}}","step":{{step}},"resultType":"{{result}}","status":"{{status}}","seq":{{seq}},"aggregate":"Account","schemaVersion":1,
        "action":{{Event("Debited", amount)}},"compensation":{{Event("Credited", amount)}} }
        """.Replace(" ", "", StringComparison.Ordinal).Replace("\n", "", StringComparison.Ordinal);

    private async Task OpenAsync(string entity, int amount)
    {
        await app.PutAsync("/v1/aggregates/Account", Account);
        (await app.PostAsync($"/v1/entities/{entity}/events", $$"""{"type":"Credited","aggregate":"Account","payload":{"amount":{{amount}}} }""")).ShouldBe(201);
    }

    private async Task<int> BalanceAsync(string entity) => (await app.GetAsync($"/v1/entities/{entity}/aggregates/Account"))["state"].GetProperty("balance").GetInt32();

    private async Task<List<string>> ListAsync(string query)
    {
        var ids = new List<string>();
        for (var path = $"/v1/sagas?{query}"; path is not null;)
        {
            var page = (await app.GetAsync(path)).ShouldBe(200);
            ids.AddRange(page["sagas"].EnumerateArray().Select(s => s.GetProperty("sagaId").GetString()!));
            path = page["next"].GetString();
        }

        return ids;
    }
}
