using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Warp.Http.Tests.Endpoints;

public sealed class EntityTests(WarpApp app) : IClassFixture<WarpApp>
{
    private readonly string _kind = "k" + Guid.NewGuid().ToString("N");

    [Fact]
    public async Task An_entity_is_described()
    {
        await app.PostAsync($"/v1/entities/{_kind}/a/events", """[{"type":"A"},{"type":"B","aggregate":"Other"}]""");

        var entity = (await app.GetAsync($"/v1/entities/{_kind}/a")).ShouldBe(200);
        (entity["entity"].GetString(), entity["seq"].GetInt64()).ShouldBe(($"{_kind}/a", 2));
        entity["aggregates"].GetRawText().ShouldBe("""["Default","Other"]""");
        entity.Header("ETag").ShouldBe($"\"2.{entity["life"].GetString()}\"");
        (await app.GetAsync($"/v1/entities/{_kind}/a", ("If-None-Match", entity.Header("ETag")!))).ShouldBe(304);
        var head = (await app.SendAsync(HttpMethod.Head, $"/v1/entities/{_kind}/a")).ShouldBe(200);
        (head.Body, head.Header("ETag")).ShouldBe(("", entity.Header("ETag")));
        (await app.SendAsync(HttpMethod.Head, $"/v1/entities/{_kind}/b")).ShouldBe(404);
    }

    [Fact]
    public async Task Names_that_differ_in_bytes_are_different_entities_and_come_back_as_they_are()
    {
        string[] names = ["e%CC%81", "%C3%A9", "%25", "%2525", "a%20b", "a+b", "%22", "...", "%F0%9F%98%80", "~"];
        foreach (var name in names)
            (await app.PostAsync($"/v1/entities/{_kind}/{name}/events", $$"""{"type":"A","payload":"{{name}}"}""")).ShouldBe(201)["lastSeq"].GetInt64().ShouldBe(1, name);

        var listed = (await app.GetAsync($"/v1/entities?kind={_kind}"))["entities"].EnumerateArray().Select(e => e.GetProperty("entity").GetString());
        listed.ShouldBe(names.Select(n => $"{_kind}/{Uri.UnescapeDataString(n)}"));
        foreach (var name in names)
        {
            var history = (await app.GetAsync($"/v1/entities/{_kind}/{name}/events")).ShouldBe(200);
            history["entity"].GetString().ShouldBe($"{_kind}/{Uri.UnescapeDataString(name)}");
            history["events"][0].GetProperty("payload").GetString().ShouldBe(name);
        }
    }

    [Fact]
    public async Task A_list_has_pages()
    {
        for (var i = 0; i < 5; i++) await app.PostAsync($"/v1/entities/{_kind}/{i}/events", """{"type":"A"}""");

        List<string> found = [];
        for (var next = $"/v1/entities?kind={_kind}&limit=2"; next is not null;)
        {
            var page = (await app.GetAsync(next)).ShouldBe(200);
            found.AddRange(page["entities"].EnumerateArray().Select(e => e.GetProperty("entity").GetString()!));
            next = page["next"].GetString();
        }

        found.ShouldBe(Enumerable.Range(0, 5).Select(i => $"{_kind}/{i}"));
        (await app.GetAsync($"/v1/entities?kind={_kind}&limit=5"))["next"].ValueKind.ShouldBe(JsonValueKind.Null);
        foreach (var cursor in new[] { "!!", "", "zz" }) (await app.GetAsync("/v1/entities?cursor=" + cursor)).ShouldBeProblem(400, "invalid-cursor");
        (await app.GetAsync("/v1/entities?kind=")).ShouldBeProblem(400, "invalid-request");
        (await app.GetAsync("/v1/entities?kind=User")).ShouldBeProblem(400, "invalid-request");
        (await app.GetAsync("/v1/entities?limit=10001")).ShouldBeProblem(400, "invalid-request");
    }

    [Fact]
    public async Task An_export_ends_with_count_and_hash()
    {
        var events = string.Join(',', Enumerable.Range(1, 3_000).Select(i => $$"""{"type":"T","payload":[{{i}},"{{new string('x', 100)}}"]}"""));
        await app.PostAsync($"/v1/entities/{_kind}/a/events", $"[{events}]");

        var export = (await app.GetAsync($"/v1/entities/{_kind}/a/export")).ShouldBe(200);

        export.Header("Content-Disposition").ShouldStartWith("attachment; filename=");
        var lines = export.Lines;
        lines[0].GetProperty("entity").GetString().ShouldBe($"{_kind}/a");
        lines.Skip(1).Take(3_000).Select(l => l.GetProperty("payload")[0].GetInt32()).ShouldBe(Enumerable.Range(1, 3_000));
        lines[3_001].GetProperty("state").GetArrayLength().ShouldBe(2);
        var end = lines[3_002];
        end.GetProperty("events").GetInt64().ShouldBe(3_000);
        var before = export.Body[..export.Body.LastIndexOf("{\"end\"", StringComparison.Ordinal)];
        end.GetProperty("sha256").GetString().ShouldBe(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(before))));

        var document = (await app.GetAsync($"/v1/entities/{_kind}/a/export", ("Accept", "application/json"))).ShouldBe(200);
        (document["events"].GetArrayLength(), document["states"].GetArrayLength()).ShouldBe((3_000, 1));
    }

    [Fact]
    public async Task An_erased_entity_is_gone_for_every_call_until_it_is_recreated()
    {
        var path = $"/v1/entities/{_kind}/gone";
        (await app.DeleteAsync(path)).ShouldBeProblem(404, "entity-not-found");
        var first = (await app.PostAsync(path + "/events", """[{"type":"A"},{"type":"B"}]"""))["life"].GetString();

        var receipt = (await app.DeleteAsync(path)).ShouldBe(200);
        (await app.DeleteAsync(path)).ShouldBe(200).Body.ShouldBe(receipt.Body);
        (await app.GetAsync($"/v1/erasures/{receipt["receiptId"].GetString()}")).ShouldBe(200).Body.ShouldBe(receipt.Body);
        (receipt["events"].GetInt64(), receipt["complete"].GetBoolean()).ShouldBe((2, true));
        receipt.Body.ShouldNotContain(_kind);
        foreach (var call in new[] { "", "/events", "/aggregates/Default", "/aggregates/Default/diff", "/export", "/aggregates/Default?atSeq=1" })
        {
            var refused = (await app.GetAsync(path + call)).ShouldBeProblem(410, "entity-erased");
            refused["receiptId"].GetString().ShouldBe(receipt["receiptId"].GetString());
            refused["erasedAt"].GetString().ShouldBe(receipt["erasedAt"].GetString());
        }

        (await app.PostAsync(path + "/events", """{"type":"C"}""")).ShouldBeProblem(410, "entity-erased")["receiptId"].GetString().ShouldNotBeNull();
        (await app.SendAsync(HttpMethod.Head, path)).ShouldBe(410);

        var again = (await app.PostAsync(path + "/events?recreate=true", """{"type":"C"}""")).ShouldBe(201);
        (again["firstSeq"].GetInt64(), again["life"].GetString() == first).ShouldBe((1, false));
        (await app.GetAsync(path + "/events"))["events"].GetArrayLength().ShouldBe(1);
        (await app.GetAsync("/v1/erasures/nothing")).ShouldBeProblem(404, "erasure-not-found");
    }
}
