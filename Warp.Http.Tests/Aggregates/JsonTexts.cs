using System.Text.Json.Nodes;
using CsCheck;

namespace Warp.Http.Tests.Aggregates;

/// <summary>Random JSON over few names and values, so that parts often agree.</summary>
internal static class JsonTexts
{
    private static readonly Gen<string> Scalars = Gen.OneOf("null", "true", "false", "0", "1", "1.0", "10e-1", "2", "-0", "\"\"", "\"a\"", "\"\\u0061\"", "\"é\"", "1e400");

    private static readonly Gen<string> Names = Gen.OneOf("a", "b", "c", "d/e", "f~g", "\\u0061", "long name", "");

    public static Gen<string> Values { get; } = Tree(3);

    private static Gen<string> Tree(int depth) => depth == 0 ? Scalars : Gen.Frequency(
        (2, Scalars),
        (2, Tree(depth - 1).Array[0, 5].Select(items => $"[{string.Join(',', items)}]")),
        (3, Gen.Select(Names, Tree(depth - 1)).Array[0, 6].Select(members => $"{{{string.Join(',', members.Select(m => $"\"{m.Item1}\":{m.Item2}"))}}}")));
}

/// <summary>Applies an RFC 6902 patch of add, remove and replace, the plain way.</summary>
internal static class JsonPatchModel
{
    public static string Apply(string document, string patch)
    {
        var root = new JsonObject { ["root"] = Node(document) };
        foreach (var operation in JsonNode.Parse(patch)!.AsArray())
        {
            var path = "root" + operation!["path"]!.GetValue<string>();
            var tokens = path.Split('/').Select(token => token.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)).ToArray();
            JsonNode parent = root;
            foreach (var token in tokens[..^1]) parent = parent is JsonArray list ? list[int.Parse(token)]! : parent[token]!;
            Change(parent, tokens[^1], operation["op"]!.GetValue<string>(), operation["value"]?.DeepClone());
        }

        return root["root"]?.ToJsonString() ?? "null";
    }

    private static void Change(JsonNode parent, string token, string op, JsonNode? value)
    {
        if (parent is JsonArray list)
        {
            var index = int.Parse(token);
            switch (op)
            {
                case "add":
                    list.Insert(index, value);
                    break;
                case "remove":
                    list.RemoveAt(index);
                    break;
                default:
                    list[index] = value;
                    break;
            }

            return;
        }

        var map = parent.AsObject();
        map.ContainsKey(token).ShouldBe(op is not "add");
        if (op is "remove") map.Remove(token);
        else map[token] = value;
    }

    /// <summary>A document without doubled names, the last of which wins.</summary>
    private static JsonNode? Node(string json)
    {
        using var document = System.Text.Json.JsonDocument.Parse(json);
        return Copy(document.RootElement);

        static JsonNode? Copy(System.Text.Json.JsonElement element)
        {
            switch (element.ValueKind)
            {
                case System.Text.Json.JsonValueKind.Object:
                    var map = new JsonObject();
                    foreach (var member in element.EnumerateObject()) map[member.Name] = Copy(member.Value);
                    return map;
                case System.Text.Json.JsonValueKind.Array:
                    return new JsonArray([.. element.EnumerateArray().Select(Copy)]);
                default:
                    return JsonNode.Parse(element.GetRawText());
            }
        }
    }
}
