using System.Text.Json;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

public sealed class ProjectionTests(WarpApp app) : IClassFixture<WarpApp>
{
    private readonly string _kind = "k" + Guid.NewGuid().ToString("N")[..12];

    private string Path => "/v1/projections/" + _kind;

    private string Body => $$$"""{"kind":"{{{_kind}}}","table":"t_{{{_kind}}}","columns":{"id":"entity.id","n":"state.n"},"types":{"n":"INTEGER"},"indexes":[["n"]]}""";

    [Fact]
    public async Task A_projection_is_put_read_listed_and_deleted()
    {
        var created = (await app.PutAsync(Path, Body)).ShouldBe(201);
        (created["version"].GetInt32(), created["changed"].GetBoolean(), created.Header("Location")).ShouldBe((1, true, Path));
        var same = (await app.PutAsync(Path, Body.Replace(",\"types\"", " , \"types\"", StringComparison.Ordinal))).ShouldBe(200);
        (same["version"].GetInt32(), same["changed"].GetBoolean()).ShouldBe((1, false));
        var read = (await app.GetAsync(Path)).ShouldBe(200);
        read["definition"].GetRawText().ShouldBe(Body);
        (read["failedCount"].GetInt64(), read["failed"].GetArrayLength(), read["error"].ValueKind).ShouldBe((0, 0, JsonValueKind.Null));
        await BecomesLiveAsync();
        (await app.GetAsync("/v1/projections"))["projections"].EnumerateArray().Count(p => p.GetProperty("name").GetString() == _kind).ShouldBe(1);
        (await app.GetAsync("/v1/projections", ("Accept", "application/x-ndjson"))).Lines.ShouldContain(l => l.GetProperty("name").GetString() == _kind);
        (await app.PutAsync(Path, Body.Replace("INTEGER", "TEXT", StringComparison.Ordinal))).ShouldBe(200)["version"].GetInt32().ShouldBe(2);
        (await app.DeleteAsync(Path)).ShouldBe(204);
        (await app.GetAsync(Path)).ShouldBeProblem(404, "projection-not-found");
        (await app.DeleteAsync(Path)).ShouldBeProblem(404, "projection-not-found");
        (await app.PostAsync(Path + "/rebuild", "")).ShouldBeProblem(404, "projection-not-found");
    }

    [Fact]
    public async Task What_is_wrong_with_a_definition_is_all_told()
    {
        var refused = (await app.PutAsync(Path, """
            {"kind":"warp.x","aggregate":"1","source":"rows","table":"warp_t","columns":{"a b":"1","x":"state.n +","X":"payload.n","warp_seq":"1"},"types":{"y":"TEXT","x":"BLOB"},"indexes":[[],["z"]],"more":1}
            """)).ShouldBeProblem(422, "invalid-definition");
        refused["errors"].EnumerateObject().Select(e => e.Name).ShouldBe(
            ["$.more", "$.kind", "$.aggregate", "$.source", "$.table", "$.types.x", "$.columns['a b']", "$.columns.x", "$.columns.X", "$.columns.warp_seq", "$.types.y", "$.indexes[0]", "$.indexes[1][0]"],
            ignoreOrder: true);
        refused["errors"].GetProperty("$.columns.x")[0].GetString()!.ShouldContain("Line 1, column 10");
        (await app.PutAsync(Path, "{}")).ShouldBeProblem(422, "invalid-definition")["errors"].EnumerateObject().Select(e => e.Name).ShouldBe(["$.table", "$.columns"]);
        (await app.PutAsync(Path, "[]")).ShouldBeProblem(422, "invalid-definition");
        (await app.PutAsync(Path, """{"table":"t","table":"t"}""")).ShouldBeProblem(400, "invalid-request");
        (await app.PutAsync(Path, """{"kind":"user","table":"t","columns":{"n":"entity.id"},"types":{"n":"text"}}""")).ShouldBeProblem(422, "invalid-definition");
        (await app.PutAsync(Path, """{"table":"t","columns":{"n":"state.n"}}""")).ShouldBeProblem(422, "invalid-definition");
        (await app.PutAsync(Path, """{"kind":"user","table":"t","columns":{"n":"payload.n"}}""")).ShouldBeProblem(422, "invalid-definition");
        (await app.PutAsync("/v1/projections/1x", Body)).ShouldBeProblem(400, "invalid-request");
        (await app.PutAsync(Path, "{")).ShouldBeProblem(400, "invalid-json");
        (await app.PostAsync(Path + "/rebuild?entity=nobody", "")).ShouldBeProblem(400, "invalid-request");
    }

    [Fact]
    public async Task A_table_of_another_projection_gets_409_and_so_does_an_aggregate_that_is_needed()
    {
        (await app.PutAsync($"/v1/aggregates/A{_kind}", $$"""{"defaultForKind":"{{_kind}}"}""")).ShouldBe(201);
        (await app.PutAsync(Path, Body)).ShouldBe(201);

        (await app.PutAsync(Path + "x", Body)).ShouldBeProblem(409, "already-exists");
        (await app.DeleteAsync($"/v1/aggregates/A{_kind}")).ShouldBeProblem(409, "in-use")["detail"].GetString()!.ShouldContain($"projection {_kind}");
        await app.DeleteAsync(Path);
        (await app.DeleteAsync($"/v1/aggregates/A{_kind}")).ShouldBe(204);
        (await app.PutAsync(Path + "x", Body)).ShouldBe(201);
    }

    [Fact]
    public async Task Rows_are_exported_projected_anew_and_erased_with_their_entity()
    {
        (await app.PutAsync(Path, Body)).ShouldBe(201);
        var entity = $"/v1/entities/{_kind}/1";
        (await app.PostAsync(entity + "/events", """{"type":"Set","payload":{"n":7}}""")).ShouldBe(201);
        await BecomesLiveAsync();

        var row = (await app.GetAsync(entity + "/export")).Lines.Single(line => line.TryGetProperty("projection", out _));
        row.GetRawText().ShouldBe($$$"""{"projection":"{{{_kind}}}","table":"t_{{{_kind}}}","seq":1,"row":{"id":"1","n":7}}""");
        (await app.GetAsync(entity + "/export", ("Accept", "application/json")))["projections"].GetArrayLength().ShouldBe(1);
        (await app.PostAsync($"{Path}/rebuild?entity={_kind}/1", "")).ShouldBe(202).Header("Location").ShouldBe(Path);
        (await app.PostAsync($"{Path}/rebuild?entity=other/1", "")).ShouldBeProblem(400, "invalid-request");
        (await app.PostAsync($"{Path}/rebuild?entity={_kind}/2", "")).ShouldBeProblem(404, "entity-not-found");
        (await app.PostAsync(Path + "/rebuild", "")).ShouldBe(202);
        await BecomesLiveAsync();

        var receipt = (await app.DeleteAsync(entity));
        (receipt.Status, receipt["stores"].GetProperty("projections").GetString(), receipt["complete"].GetBoolean()).ShouldBe((200, "erased", true));
        (await app.PostAsync($"{Path}/rebuild?entity={_kind}/1", "")).ShouldBeProblem(410, "entity-erased");
    }

    [Fact]
    public async Task Rows_that_fail_are_listed()
    {
        (await app.PutAsync(Path, Body)).ShouldBe(201);
        (await app.PostAsync($"/v1/entities/{_kind}/1/events", """{"type":"Set","payload":{"n":"seven"}}""")).ShouldBe(201);
        await BecomesLiveAsync();

        var read = await app.GetAsync(Path);
        read["failedCount"].GetInt64().ShouldBe(1);
        read["failed"].GetRawText().ShouldBe($$"""[{"entity":"{{_kind}}/1","seq":1,"error":"Column n: a text is not of type INTEGER."}]""");
        (await app.GetAsync("/metrics")).Body.ShouldContain("warp_projection_lag_events");
    }

    private Task BecomesLiveAsync() => Eventually.BecomesTrueAsync("the projection is live at the log's end", async () =>
    {
        var read = await app.GetAsync(Path);
        return read["state"].GetString() == "live" && read["lag"].GetProperty("events").GetInt64() == 0;
    }, TimeSpan.FromSeconds(30));
}
