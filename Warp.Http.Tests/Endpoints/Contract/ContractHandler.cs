using System.Net;
using System.Text.Json.Nodes;

namespace Warp.Http.Tests.Endpoints.Contract;

/// <summary>Holds every answer to openapi.yaml: path, method, status, headers, media type, and the body to its schema.</summary>
/// <param name="document">What answers are held to.</param>
/// <param name="mayFail">A test breaks the service on purpose, so that answers above 500 are held to the document, too, instead of being refused.</param>
internal sealed class ContractHandler(OpenApiDocument document, bool mayFail = false) : DelegatingHandler
{
    private const string ProblemType = "application/problem+json";
    private const string EventStreamType = "text/event-stream";

    /// <summary>Headers of the protocol itself.</summary>
    private static readonly string[] s_protocol =
        ["Date", "Transfer-Encoding", "Connection", "Content-Type", "Content-Length", "Allow", "Vary"];

    private readonly SchemaCheck _check = new(document);

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken);
        if (response.Content.Headers.ContentType?.MediaType == EventStreamType) return Checked(request, response);
        await response.Content.LoadIntoBufferAsync(cancellationToken);
        var body = await response.Content.ReadAsStringAsync(cancellationToken);
        var where = $"{request.Method} {request.RequestUri!.AbsolutePath} answered {(int)response.StatusCode}";
        if (!mayFail) IsFailure(response.StatusCode).ShouldBeFalse($"{where}: {body}");
        if (DescriptionOf(request, response) is { } description) CheckDescribed(where, request, response, description, body);
        else CheckUndescribed(where, response, body);
        return response;
    }

    /// <summary>An event stream has no end to wait for: what is held to the document is its head.</summary>
    private HttpResponseMessage Checked(HttpRequestMessage request, HttpResponseMessage response)
    {
        var where = $"{request.Method} {request.RequestUri!.AbsolutePath} answered {(int)response.StatusCode}";
        var description = DescriptionOf(request, response).ShouldNotBeNull(where);
        CheckDescribed(where, request, response, description, body: "");
        description["content"]?[EventStreamType]?["schema"].ShouldNotBeNull(where);
        return response;
    }

    private JsonObject? DescriptionOf(HttpRequestMessage request, HttpResponseMessage response)
    {
        var template = document.Match(request.RequestUri!.AbsolutePath);
        var operation = document.Operations.FirstOrDefault(o => o.Path == template && o.Method == request.Method.Method).Operation;
        if (operation is null) return null;
        var status = ((int)response.StatusCode).ToString(System.Globalization.CultureInfo.InvariantCulture);
        var described = operation["responses"]![status];
        described.ShouldNotBeNull($"{request.Method} {template} answered {status}, which openapi.yaml does not describe there.");
        return document.Follow(described);
    }

    private void CheckDescribed(string where, HttpRequestMessage request, HttpResponseMessage response, JsonObject description, string body)
    {
        var isProblem = response.Content.Headers.ContentType?.MediaType == ProblemType;
        var known = ((JsonObject?)description["headers"] ?? []).Select(h => h.Key).Concat(s_protocol).ToList();
        if (isProblem) known.Add("Cache-Control");
        foreach (var header in response.Headers.Concat(response.Content.Headers))
            known.Contains(header.Key, StringComparer.OrdinalIgnoreCase).ShouldBeTrue($"{where} with {header.Key}, which openapi.yaml does not describe there.");
        if (request.Method == HttpMethod.Head || body.Length == 0) return;
        var mediaType = response.Content.Headers.ContentType?.MediaType;
        mediaType.ShouldNotBeNull(where);
        var schema = description["content"]?[mediaType]?["schema"];
        schema.ShouldNotBeNull($"{where} with {mediaType}, which openapi.yaml does not describe there.");
        if (mediaType.EndsWith("json", StringComparison.Ordinal)) CheckBody(where, mediaType, document.Follow(schema), body);
    }

    /// <summary>What no operation describes is refused with a problem all the same.</summary>
    private void CheckUndescribed(string where, HttpResponseMessage response, string body)
    {
        response.StatusCode.ShouldBeOneOf([HttpStatusCode.BadRequest, HttpStatusCode.NotFound, HttpStatusCode.MethodNotAllowed], where);
        if (body.Length == 0) return;
        response.Content.Headers.ContentType?.MediaType.ShouldBe(ProblemType, where);
        CheckBody(where, ProblemType, document.Schema("Problem"), body);
    }

    private void CheckBody(string where, string mediaType, JsonObject schema, string body)
    {
        var values = mediaType == "application/x-ndjson" ? body.Split('\n', StringSplitOptions.RemoveEmptyEntries) : [body];
        foreach (var value in values) _check.Find(schema, JsonNode.Parse(value)).ShouldBeNull($"{where}: {value}");
        if (mediaType == ProblemType) ((int)JsonNode.Parse(body)!["status"]!).ShouldBe(int.Parse(where[^3..], System.Globalization.CultureInfo.InvariantCulture), where);
    }

    /// <summary>504 is an answer like others; the rest above 500 is not to be had by asking.</summary>
    private static bool IsFailure(HttpStatusCode status) => (int)status >= 500 && status != HttpStatusCode.GatewayTimeout;
}
