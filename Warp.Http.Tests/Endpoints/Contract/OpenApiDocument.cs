using System.Text.Json.Nodes;
using YamlDotNet.Serialization;

namespace Warp.Http.Tests.Endpoints.Contract;

/// <summary>openapi.yaml as JSON, with references followed.</summary>
public sealed class OpenApiDocument
{
    private static readonly string[] s_methods = ["get", "head", "put", "post", "patch", "delete", "options"];

    private readonly JsonObject _root;

    private OpenApiDocument(string yaml)
    {
        var graph = new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().Build().Deserialize<object>(yaml);
        _root = (JsonObject)JsonNode.Parse(new SerializerBuilder().JsonCompatible().Build().Serialize(graph))!;
    }

    public static OpenApiDocument Instance { get; } = new(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "openapi.yaml")));

    public IEnumerable<(string Path, string Method, JsonObject Operation)> Operations =>
        from path in (JsonObject)_root["paths"]!
        from method in (JsonObject)path.Value!
        where s_methods.Contains(method.Key, StringComparer.Ordinal)
        select (path.Key, method.Key.ToUpperInvariant(), (JsonObject)method.Value!);

    /// <summary>The node itself, or what its <c>$ref</c> stands for.</summary>
    public JsonObject Follow(JsonNode node)
    {
        while (node["$ref"] is { } reference)
        {
            JsonNode target = _root;
            foreach (var step in ((string)reference!).TrimStart('#', '/').Split('/'))
                target = target[step] ?? throw new InvalidDataException($"openapi.yaml: {reference} leads nowhere.");
            node = target;
        }

        return (JsonObject)node;
    }

    public JsonObject Schema(string name) => (JsonObject)_root["components"]!["schemas"]![name]!;

    /// <summary>The parameters of an operation, those of its path included.</summary>
    public IEnumerable<JsonObject> Parameters(string path, JsonObject operation) =>
        ((JsonArray?)_root["paths"]![path]!["parameters"] ?? []).Concat((JsonArray?)operation["parameters"] ?? []).Select(p => Follow(p!));

    /// <summary>The template that a raw path matches; null = it is not documented.</summary>
    public string? Match(string rawPath)
    {
        var segments = rawPath.Split('/');
        return ((JsonObject)_root["paths"]!).Select(p => p.Key).FirstOrDefault(template =>
        {
            var parts = template.Split('/');
            return parts.Length == segments.Length && parts.Zip(segments).All(pair => pair.First == pair.Second || (pair.First is ['{', .., '}'] && pair.Second.Length > 0));
        });
    }
}
