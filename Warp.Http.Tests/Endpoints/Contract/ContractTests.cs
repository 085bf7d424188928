using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Warp.Http.Tests.Endpoints.Contract;

/// <summary>Server and openapi.yaml say the same.</summary>
public sealed class ContractTests(WarpApp app) : IClassFixture<WarpApp>
{
    private static readonly OpenApiDocument s_document = OpenApiDocument.Instance;

    [Fact]
    public void Every_route_and_method_is_described_and_every_description_has_a_route()
    {
        var served = app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .SelectMany(e => e.Metadata.GetRequiredMetadata<HttpMethodMetadata>().HttpMethods.Select(m => $"{m} /{e.RoutePattern.RawText!.Trim('/')}"));
        var described = s_document.Operations.Select(o => $"{o.Method} {o.Path}");

        served.Order(StringComparer.Ordinal).ShouldBe(described.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_path_parameter_is_described_with_an_example()
    {
        foreach (var (path, method, operation) in s_document.Operations)
        {
            var inPath = path.Split('/').Where(s => s.StartsWith('{')).Select(s => s.Trim('{', '}'));
            var parameters = s_document.Parameters(path, operation).ToList();
            var described = parameters.Where(p => (string)p["in"]! == "path").Select(p => (string)p["name"]!);
            described.Order(StringComparer.Ordinal).ShouldBe(inPath.Order(StringComparer.Ordinal), $"{method} {path}");
            parameters.Where(p => (string)p["in"]! == "path").ShouldAllBe(p => p["example"] != null);
        }
    }

    [Fact]
    public async Task Every_query_parameter_that_is_described_is_known_and_others_are_refused()
    {
        foreach (var (path, method, operation) in s_document.Operations.Where(o => o.Path.StartsWith("/v1/", StringComparison.Ordinal)))
        {
            foreach (var parameter in s_document.Parameters(path, operation).Where(p => (string)p["in"]! == "query"))
            {
                var name = (string)parameter["name"]!;
                var known = await SendAsync(method, Filled(path, operation) + $"?{name}=%00");
                // A value that no parameter takes is refused under its name, not as an unknown one.
                if (known.Status == 400) known.Body.ShouldNotContain("is unknown", Case.Sensitive, $"{method} {path}?{name}");
            }

            var unknown = await SendAsync(method, Filled(path, operation) + "?no-such=1");
            unknown.Status.ShouldBe(400, $"{method} {path} with an unknown parameter");
        }
    }

    [Fact]
    public async Task Examples_are_accepted_by_the_schema_and_by_the_service()
    {
        var check = new SchemaCheck(s_document);
        foreach (var (path, method, operation) in s_document.Operations)
        {
            foreach (var (mediaType, content) in (JsonObject?)operation["requestBody"]?["content"] ?? [])
            {
                List<JsonNode> examples = content!["example"] is { } one ? [one] : [.. ((JsonObject)content["examples"]!).Select(e => e.Value!["value"]!)];
                examples.ShouldNotBeEmpty($"{method} {path}");
                var isRefused = path == "/v1/sagas/{sagaId}/resolve"; // the saga of the example is not stuck
                foreach (var example in examples)
                {
                    if (mediaType == "application/json") check.Find(content["schema"]!, example).ShouldBeNull($"{method} {path}: {example.ToJsonString()}");
                    var body = mediaType == "application/json" ? example.ToJsonString() : (string)example!;
                    var response = await SendAsync(method, Filled(path, operation), body, mediaType);
                    response.Status.ShouldBeInRange(isRefused ? 409 : 200, isRefused ? 409 : 299, $"{method} {path}: {body} got {response.Body}");
                    if (path == "/v1/events") response.Body.ShouldNotContain("problem");
                }
            }
        }

        foreach (var (path, method, operation) in s_document.Operations.Where(o => o.Method is "GET" or "HEAD" && o.Path != "/v1/erasures/{receiptId}" && !IsStream(o.Operation)))
        {
            var response = await SendAsync(method, Filled(path, operation));
            response.Status.ShouldBe(200, $"{method} {path}: {response.Body}");
        }

        foreach (var (path, method, operation) in s_document.Operations.Where(o => o.Method is "DELETE"))
        {
            var response = await SendAsync(method, Filled(path, operation));
            response.Status.ShouldBeInRange(200, 299, $"{method} {path}: {response.Body}");
        }
    }

    [Fact]
    public async Task The_document_is_served_and_the_user_interface_loads_it()
    {
        (await app.Http.GetStringAsync("/openapi.yaml")).ShouldBe(await File.ReadAllTextAsync(Path.Combine(AppContext.BaseDirectory, "openapi.yaml")));
        (await app.Bare.GetStringAsync("/swagger/index.html")).ShouldContain("swagger-ui");
        (await app.Bare.GetStringAsync("/swagger/index.js")).ShouldContain("/openapi.yaml");
        (await app.Bare.GetStringAsync("/swagger")).ShouldContain("swagger-ui");
    }

    /// <summary>An event stream has no end that could be waited for.</summary>
    private static bool IsStream(JsonObject operation) => operation["responses"]?["200"]?["content"]?["text/event-stream"] is not null;

    private static string Filled(string path, JsonObject operation)
    {
        foreach (var parameter in s_document.Parameters(path, operation).Where(p => (string)p["in"]! == "path"))
            path = path.Replace($"{{{(string)parameter["name"]!}}}", parameter["example"]!.ToString(), StringComparison.Ordinal);
        return path;
    }

    private Task<Answer> SendAsync(string method, string path, string? body = null, string? mediaType = null) =>
        app.SendAsync(new HttpMethod(method), path, body, mediaType);
}
