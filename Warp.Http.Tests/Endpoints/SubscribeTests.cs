using System.Text;
using System.Text.Json;
using Warp.Http.Events;
using Warp.Http.Tests.Subscriptions;

namespace Warp.Http.Tests.Endpoints;

/// <summary>The two event streams as the contract has them.</summary>
public sealed class SubscribeTests(WarpApp app) : IClassFixture<WarpApp>
{
    private const string CaughtUp = "caught-up";
    private static int s_names;

    private readonly string _entity = $"sub/e{Interlocked.Increment(ref s_names)}";

    private string Path => $"/v1/entities/{_entity}/subscribe";

    [Fact]
    public async Task A_stream_begins_with_its_headers_and_retry_and_says_when_it_is_live()
    {
        await using var stream = await EventStream.OpenAsync(app.Http, Path);

        stream.ContentType!.MediaType.ShouldBe("text/event-stream");
        stream.Headers.CacheControl!.NoStore.ShouldBeTrue();
        stream.Headers.GetValues("X-Accel-Buffering").ShouldBe(["no"]);
        (await stream.NextAsync()).ShouldBe(new SseMessage(CaughtUp, "0", """{"seq":0}"""));
        stream.Reader.Retry.ShouldBe("1000");
    }

    [Fact]
    public async Task An_entity_that_does_not_exist_is_waited_for_and_its_events_are_what_history_shows()
    {
        await using var stream = await EventStream.OpenAsync(app.Http, Path);
        await AppendAsync("""{"type":"First","payload":{"n":1.50},"metadata":{"by":"me"}}""", """{"type":"Second","aggregate":"Account"}""");

        var history = (await app.GetAsync($"/v1/entities/{_entity}/events")).ShouldBe(200)["events"];
        for (var i = 0; i < 2; i++)
        {
            var (id, e) = await stream.NextEventAsync();
            id.ShouldBe($"{i + 1}");
            e.GetRawText().ShouldBe(history[i].GetRawText());
        }
    }

    [Fact]
    public async Task Without_a_place_only_what_comes_next_is_sent_and_from_begins_where_it_says()
    {
        await AppendAsync("""{"type":"A"}""", """{"type":"A"}""", """{"type":"A"}""");
        await using var next = await EventStream.OpenAsync(app.Http, Path);
        await using var from = await EventStream.OpenAsync(app.Http, Path + "?from=2");
        await AppendAsync("""{"type":"A"}""");

        (await next.NextEventAsync()).Id.ShouldBe("4");
        foreach (var id in new[] { "2", "3", "4" }) (await from.NextEventAsync()).Id.ShouldBe(id);
    }

    [Fact]
    public async Task Last_Event_ID_goes_before_from_and_resumes_behind_it()
    {
        await AppendAsync("""{"type":"A"}""", """{"type":"A"}""", """{"type":"A"}""");
        await using var stream = await EventStream.OpenAsync(app.Http, Path + "?from=1", lastEventId: "2");

        (await stream.NextEventAsync()).Id.ShouldBe("3");
        (await stream.NextAsync()).ShouldBe(new SseMessage(CaughtUp, "3", """{"seq":3}"""));
    }

    [Fact]
    public async Task Filters_let_through_types_and_aggregates_and_a_default_is_resolved_as_reads_do()
    {
        (await app.PutAsync("/v1/aggregates/SubAccount", """{"otherwise":"ignore","defaultForKind":"subaccount"}""")).Status.ShouldBeInRange(200, 201);
        var entity = $"subaccount/e{Interlocked.Increment(ref s_names)}";
        await using var byType = await EventStream.OpenAsync(app.Http, $"/v1/entities/{entity}/subscribe?type=B&type=C");
        await using var byAggregate = await EventStream.OpenAsync(app.Http, $"/v1/entities/{entity}/subscribe?aggregate=SubAccount");
        await using var stored = await EventStream.OpenAsync(app.Http, "/v1/subscribe?kind=subaccount&aggregate=Other&type=B&cursor=start");
        (await app.PostAsync(
            $"/v1/entities/{entity}/events", """[{"type":"A"},{"type":"B","aggregate":"Other"},{"type":"C"},{"type":"D","aggregate":"SubAccount"}]""")).ShouldBe(201);

        (await byType.NextEventAsync()).Id.ShouldBe("2");
        (await byType.NextEventAsync()).Id.ShouldBe("3");
        foreach (var id in new[] { "1", "3", "4" }) (await byAggregate.NextEventAsync()).Id.ShouldBe(id);
        (await stored.NextEventAsync()).Event.GetProperty("seq").GetInt64().ShouldBe(2);
    }

    [Fact]
    public async Task An_erasure_ends_the_stream_and_a_recreated_entity_has_ids_with_its_life()
    {
        await AppendAsync("""{"type":"A"}""", """{"type":"A"}""");
        await using var stream = await EventStream.OpenAsync(app.Http, Path + "?from=1");
        (await stream.NextEventAsync()).Id.ShouldBe("1");
        (await stream.NextControlAsync(CaughtUp)).Id.ShouldBe("2");
        var receipt = (await app.DeleteAsync($"/v1/entities/{_entity}")).ShouldBe(200);

        var erased = await stream.NextControlAsync("erased");
        JsonDocument.Parse(erased.Data).RootElement.GetProperty("receiptId").GetString().ShouldBe(receipt["receiptId"].GetString());
        (await stream.ReadAsync()).ShouldBeNull();
        (await app.GetAsync(Path)).ShouldBeProblem(410, "entity-erased");

        var life = (await app.PostAsync($"/v1/entities/{_entity}/events?recreate=true", """[{"type":"N"},{"type":"N"}]""")).ShouldBe(201)["life"].GetString();
        await using var old = await EventStream.OpenAsync(app.Http, Path, lastEventId: "2");
        (await old.NextAsync()).ShouldBe(new SseMessage("resync", $"0.{life}", """{"reason":"recreated","from":1}"""));
        (await old.NextEventAsync()).Id.ShouldBe($"1.{life}");
        await using var resumed = await EventStream.OpenAsync(app.Http, Path, lastEventId: $"1.{life}");
        (await resumed.NextEventAsync()).Id.ShouldBe($"2.{life}");
    }

    [Fact]
    public async Task An_id_of_any_earlier_life_is_known_and_one_of_another_entity_is_refused()
    {
        var lives = new List<string>();
        var other = $"sub/e{Interlocked.Increment(ref s_names)}";
        foreach (var entity in new[] { _entity, _entity, _entity, other })
        {
            (await app.PostAsync($"/v1/entities/{entity}/events?recreate=true", "{\"type\":\"A\"}")).ShouldBe(201);
            (await app.DeleteAsync($"/v1/entities/{entity}")).ShouldBe(200);
            lives.Add((await app.PostAsync($"/v1/entities/{entity}/events?recreate=true", "{\"type\":\"A\"}")).ShouldBe(201)["life"].GetString()!);
            if (entity != other && lives.Count < 3) (await app.DeleteAsync($"/v1/entities/{entity}")).ShouldBe(200);
        }

        Life.TryParse(Encoding.ASCII.GetBytes(lives[2]), out var present).ShouldBeTrue();
        var younger = present with { Number = present.Number + 1_000_000 }; // of before a restore
        foreach (var life in new[] { lives[0], lives[1], younger.ToString() })
        {
            await using var stream = await EventStream.OpenAsync(app.Http, Path, lastEventId: $"1.{life}");
            (await stream.NextAsync()).ShouldBe(new SseMessage("resync", $"0.{lives[2]}", """{"reason":"recreated","from":1}"""));
        }

        foreach (var path in new[] { Path, "/v1/entities/sub/never-there/subscribe" })
        {
            (await app.GetAsync(path, ("Last-Event-ID", $"1.{lives[3]}"))).ShouldBeProblem(400, "invalid-request");
            (await app.GetAsync(path, ("Last-Event-ID", "1.zz"))).ShouldBeProblem(400, "invalid-request"); // a shard that is not there
        }
    }

    [Fact]
    public async Task A_filter_on_an_aggregate_that_another_contends_with_is_refused_until_one_of_them_gives_way()
    {
        foreach (var name in new[] { "SubOne", "SubTwo" })
            (await app.PutAsync($"/v1/aggregates/{name}", """{"otherwise":"ignore","defaultForKind":"contested"}""")).Status.ShouldBeInRange(200, 201);
        (await app.PostAsync("/v1/entities/contested/a/events", """{"type":"A"}""")).ShouldBe(201);
        string[] paths = ["/v1/entities/contested/a/events", "/v1/entities/contested/a/subscribe", "/v1/entities/contested/b/subscribe", "/v1/subscribe?kind=contested"];

        foreach (var path in paths)
            (await app.GetAsync($"{path}{(path.Contains('?', StringComparison.Ordinal) ? '&' : '?')}aggregate=SubTwo")).ShouldBeProblem(422, "invalid-definition");
        (await app.GetAsync($"{paths[0]}?aggregate=Else")).ShouldBe(200)["events"].GetArrayLength().ShouldBe(0);

        (await app.DeleteAsync("/v1/aggregates/SubOne")).Status.ShouldBe(204);
        (await app.GetAsync($"{paths[0]}?aggregate=SubTwo")).ShouldBe(200)["events"].GetArrayLength().ShouldBe(1);
    }

    [Fact]
    public async Task A_saga_has_no_aggregates_to_filter_by() =>
        (await app.GetAsync("/v1/sagas/none/subscribe?aggregate=A")).ShouldBeProblem(400, "invalid-request");

    [Fact]
    public async Task A_place_ahead_of_the_log_is_told_and_the_stream_goes_on_where_the_log_ends()
    {
        await AppendAsync("""{"type":"A"}""", """{"type":"A"}""");
        await using var stream = await EventStream.OpenAsync(app.Http, Path, lastEventId: "9");
        await AppendAsync("""{"type":"A"}""");

        (await stream.NextAsync()).ShouldBe(new SseMessage("resync", "2", """{"reason":"ahead","from":3}"""));
        (await stream.NextEventAsync()).Id.ShouldBe("3");
    }

    [Fact]
    public async Task The_stream_of_all_entities_has_their_names_and_resumes_by_cursor()
    {
        var kind = $"all{Interlocked.Increment(ref s_names)}";
        await using var first = await EventStream.OpenAsync(app.Http, $"/v1/subscribe?kind={kind}");
        var appended = await app.PostAsync($"/v1/entities/{kind}/a/events", """{"type":"A"}""");
        await app.PostAsync($"/v1/entities/{kind}/b/events", """{"type":"B"}""");
        var (id, e) = await first.NextEventAsync();
        (e.GetProperty("entity").GetString(), e.GetProperty("type").GetString()).ShouldBe(($"{kind}/a", "A"));

        await using var byId = await EventStream.OpenAsync(app.Http, $"/v1/subscribe?kind={kind}&cursor=start", lastEventId: id);
        await using var byCursor = await EventStream.OpenAsync(app.Http, $"/v1/subscribe?kind={kind}&cursor={appended.Header("Warp-Cursor")}");
        await using var start = await EventStream.OpenAsync(app.Http, $"/v1/subscribe?kind={kind}&cursor=start");
        (await byId.NextEventAsync()).Event.GetProperty("entity").GetString().ShouldBe($"{kind}/b");
        (await byCursor.NextEventAsync()).Event.GetProperty("entity").GetString().ShouldBe($"{kind}/b");
        (await start.NextEventAsync()).Event.GetProperty("entity").GetString().ShouldBe($"{kind}/a");
        (await start.NextEventAsync()).Event.GetProperty("entity").GetString().ShouldBe($"{kind}/b");
        var live = await start.NextControlAsync(CaughtUp);
        live.Data.ShouldBe($$"""{"cursor":"{{live.Id}}"}""");
    }

    [Theory]
    [InlineData("abc", "")]
    [InlineData("1.", "")]
    [InlineData(".80", "")]
    [InlineData("-1", "")]
    [InlineData("01", "")]
    [InlineData("1.80.2", "")]
    [InlineData("1.u", "")]
    [InlineData("9999999999999999999", "")]
    [InlineData("1,2", "")]
    [InlineData("", "?from=0")]
    [InlineData("", "?from=x")]
    [InlineData("", "?type=")]
    [InlineData("", "?type=%0a")]
    [InlineData("", "?aggregate=1x")]
    [InlineData("", "?kind=user")]
    [InlineData("", "?cursor=start")]
    public async Task Hostile_places_and_filters_of_an_entity_are_refused(string lastEventId, string query)
    {
        (await app.GetAsync(Path + query, ("Last-Event-ID", lastEventId))).ShouldBeProblem(400, "invalid-request");
    }

    [Theory]
    [InlineData("abc")]
    [InlineData("")]
    [InlineData("%00")]
    [InlineData("START")]
    [InlineData("1")]
    [InlineData("AmYOm3ZFWxUyAAAS6WPp")] // another store's
    public async Task Hostile_cursors_are_refused(string cursor)
    {
        (await app.GetAsync($"/v1/subscribe?cursor={cursor}")).ShouldBeProblem(400, "invalid-cursor");
        if (cursor.Length > 0 && cursor[0] != '%') (await app.GetAsync("/v1/subscribe", ("Last-Event-ID", cursor))).ShouldBeProblem(400, "invalid-cursor");
    }

    [Fact]
    public async Task What_is_no_stream_is_refused()
    {
        (await app.GetAsync(Path, ("Accept", "application/json"))).ShouldBeProblem(406, "not-acceptable");
        (await app.SendAsync(HttpMethod.Head, Path)).Status.ShouldBe(405);
        (await app.PostAsync("/v1/subscribe", "{}")).ShouldBeProblem(405, "method-not-allowed");
        (await app.GetAsync("/v1/entities/warp.x/y/subscribe")).ShouldBeProblem(404, "entity-not-found");
    }

    [Fact]
    public async Task Metrics_tell_open_streams()
    {
        await using var stream = await EventStream.OpenAsync(app.Http, Path);
        await stream.NextAsync();

        (await app.GetAsync("/metrics")).Body.ShouldMatch(@"warp_subscriptions_open\{[^}]*\} [1-9]");
    }

    private async Task AppendAsync(params string[] events) =>
        (await app.PostAsync($"/v1/entities/{_entity}/events", $"[{string.Join(',', events)}]")).ShouldBe(201);
}
