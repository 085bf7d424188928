using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Warp.Http.Tests.Endpoints.Contract;

/// <summary>As much of JSON Schema as openapi.yaml uses. A keyword it does not know fails, so that none is written in vain.</summary>
internal sealed class SchemaCheck(OpenApiDocument document)
{
    private static readonly string[] s_ignored = ["description", "default", "example", "examples", "format", "title"];

    /// <summary>The first thing that is wrong, with its place; null = the value is as described.</summary>
    public string? Find(JsonNode schema, JsonNode? value, string path = "$")
    {
        foreach (var (keyword, rule) in document.Follow(schema))
        {
            if (s_ignored.Contains(keyword, StringComparer.Ordinal)) continue;
            var error = keyword switch
            {
                "type" => Type(rule!, value),
                "const" => JsonNode.DeepEquals(rule, value) ? null : $"is {Shown(value)}, not {rule}",
                "enum" => ((JsonArray)rule!).Any(e => JsonNode.DeepEquals(e, value)) ? null : $"is {Shown(value)}, none of {rule!.ToJsonString()}",
                "pattern" => value is JsonValue && Regex.IsMatch((string)value!, (string)rule!, RegexOptions.None, TimeSpan.FromSeconds(1)) ? null : $"{Shown(value)} does not match {rule}",
                "minimum" => (decimal)value! >= decimal.Parse(rule!.ToString(), CultureInfo.InvariantCulture) ? null : $"{value} is less than {rule}",
                "maximum" => (decimal)value! <= decimal.Parse(rule!.ToString(), CultureInfo.InvariantCulture) ? null : $"{value} is more than {rule}",
                "minLength" => ((string)value!).Length >= (int)rule! ? null : "is too short",
                "maxLength" => ((string)value!).Length <= (int)rule! ? null : "is too long",
                "minItems" => ((JsonArray)value!).Count >= (int)rule! ? null : "has too few items",
                "maxItems" => ((JsonArray)value!).Count <= (int)rule! ? null : "has too many items",
                "required" => value is JsonObject o ? ((JsonArray)rule!).Select(r => (string)r!).Where(r => !o.ContainsKey(r)).Select(r => $"lacks {r}").FirstOrDefault() : null,
                "properties" or "additionalProperties" => null, // together, below
                "items" => value is JsonArray items ? items.Select((item, i) => Find(rule!, item, $"{path}[{i}]")).FirstOrDefault(e => e is not null) : null,
                "anyOf" or "oneOf" => AnyOf((JsonArray)rule!, value, path),
                _ => $"openapi.yaml uses {keyword}, which this check does not know",
            };
            if (error is not null) return error.StartsWith('$') ? error : $"{path} {error}";
        }

        return value is JsonObject members ? Members(document.Follow(schema), members, path) : null;
    }

    private string? Members(JsonObject schema, JsonObject members, string path)
    {
        var known = schema["properties"] as JsonObject;
        foreach (var (name, value) in members)
        {
            if (known?[name] is { } property)
            {
                if (Find(property, value, $"{path}.{name}") is { } error) return error;
            }
            else if (schema["additionalProperties"] is JsonObject other)
            {
                if (Find(other, value, $"{path}.{name}") is { } error) return error;
            }
            else if (schema["additionalProperties"] is { } more && more.GetValueKind() == JsonValueKind.False)
            {
                return $"{path}.{name} is not described";
            }
        }

        return null;
    }

    private string? AnyOf(JsonArray schemas, JsonNode? value, string path)
    {
        var errors = schemas.Select(s => Find(s!, value, path)).ToList();
        return errors.Contains(null) ? null : $"fits none: {string.Join("; ", errors)}";
    }

    private static string? Type(JsonNode rule, JsonNode? value)
    {
        var kind = value?.GetValueKind() ?? JsonValueKind.Null;
        var allowed = rule is JsonArray several ? several.Select(t => (string)t!) : [(string)rule!];
        return allowed.Any(type => type switch
        {
            "object" => kind == JsonValueKind.Object,
            "array" => kind == JsonValueKind.Array,
            "string" => kind == JsonValueKind.String,
            "boolean" => kind is JsonValueKind.True or JsonValueKind.False,
            "integer" => kind == JsonValueKind.Number && long.TryParse(value!.ToJsonString(), out _),
            "number" => kind == JsonValueKind.Number,
            "null" => kind == JsonValueKind.Null,
            _ => throw new InvalidDataException($"openapi.yaml: the type {type} does not exist."),
        }) ? null : $"is {Shown(value)}, not of type {rule.ToJsonString()}";
    }

    private static string Shown(JsonNode? value) => value?.ToJsonString() is { } json ? json[..Math.Min(json.Length, 80)] : "null";
}
