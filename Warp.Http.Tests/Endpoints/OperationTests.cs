using System.Text.Json;

namespace Warp.Http.Tests.Endpoints;

public sealed class OperationTests(WarpApp app) : IClassFixture<WarpApp>
{
    private const string Limits = """
        {"bodyBytes":8388608,"eventBytes":1048576,"batchEvents":10000,"idBytes":256,"kindChars":64,"typeChars":128,"eventIdChars":128,"jsonDepth":64,"metadataBytes":65536,"expressionChars":4096,"mailboxCommands":1024,"historyLimit":10000,"waitSeconds":60,"sagaSteps":100,"queryRows":10000,"queryBytes":8388608,"querySeconds":2,"sqlChars":16384,"subscriptions":10000,"streamFailedEntities":16384}
        """;

    [Fact]
    public async Task Info_tells_the_limits()
    {
        var info = (await app.GetAsync("/v1/info")).ShouldBe(200);

        info["limits"].GetRawText().ShouldBe(Limits.Trim());
        (info["name"].GetString(), info["durability"].GetString()).ShouldBe(("Warp.Http", "fsync"));
    }

    [Fact]
    public async Task Health_is_ok()
    {
        (await app.GetAsync("/health/live")).ShouldBe(200).Body.ShouldBe("""{"status":"ok"}""");
        (await app.GetAsync("/health/ready")).ShouldBe(200)["status"].GetString().ShouldBe("ok");
        (await app.GetAsync("/")).ShouldBe(200).Body.ShouldContain("/swagger");
    }

    [Fact]
    public async Task Metrics_tell_appends_and_problems_by_type()
    {
        await app.PostAsync("/v1/entities/user/m/events", """{"type":"A"}""");
        await app.PostAsync("/v1/entities/user/m/events", """{"type":""}""");

        var metrics = (await app.GetAsync("/metrics")).ShouldBe(200).Body;

        metrics.ShouldContain("warp_appends_total");
        metrics.ShouldContain("warp_http_problems_total");
        metrics.ShouldContain("type=\"invalid-request\"");
        metrics.ShouldContain("le=\"0.0005\"");
        metrics.ShouldNotContain("user/m");
    }

    [Fact]
    public async Task A_page_that_the_browser_has_is_not_sent_again()
    {
        foreach (var path in new[] { "/live", "/live/live.js" })
        {
            var tag = (await app.GetAsync(path)).ShouldBe(200).Header("ETag")!;
            foreach (var known in new[] { tag, "W/" + tag, $"\"other\", W/{tag}", "*" }) (await app.GetAsync(path, ("If-None-Match", known))).ShouldBe(304).Body.ShouldBeEmpty();
            (await app.GetAsync(path, ("If-None-Match", "\"other\""))).ShouldBe(200);
        }
    }

    [Fact]
    public async Task Unknown_routes_and_methods_are_problems()
    {
        (await app.GetAsync("/nothing")).ShouldBeProblem(404, "route-not-found")["instance"].GetString().ShouldBe("/nothing");
        (await app.GetAsync("/v1/entities/user")).ShouldBeProblem(404, "route-not-found");
        (await app.GetAsync("/V1/Entities/user/alice")).ShouldBeProblem(404, "entity-not-found");
        (await app.SendAsync(HttpMethod.Patch, "/v1/entities/user/alice")).ShouldBeProblem(405, "method-not-allowed").Header("Allow").ShouldBe("DELETE, GET, HEAD");
        (await app.DeleteAsync("/v1/info")).ShouldBeProblem(405, "method-not-allowed").Header("Allow").ShouldBe("GET");
        (await app.GetAsync("/v1/info?x=1")).ShouldBeProblem(400, "invalid-request");
    }

    [Fact]
    public async Task The_callers_trace_is_kept()
    {
        (await app.GetAsync("/nothing", ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")))["traceId"].GetString().ShouldBe("0af7651916cd43dd8448eb211c80319c");
        (await app.GetAsync("/nothing", ("traceparent", "nonsense")))["traceId"].GetString()!.Length.ShouldBe(32);
    }
}
