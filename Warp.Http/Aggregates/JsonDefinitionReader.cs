using System.Text.Json;
using Warp.Http.Aggregates.Expressions;
using Warp.Http.Aggregates.Values;
using Warp.Http.Events;

namespace Warp.Http.Aggregates;

/// <summary>Goes over a definition's body with the path of each part, and collects every error in it, so that a person mends them in one go.</summary>
internal abstract class JsonDefinitionReader(Limits limits)
{
    /// <summary>Errors past this are not looked for: a body may have as many as it has members.</summary>
    private const int ErrorsMax = 100;

    private readonly List<DefinitionError> _errors = [];

    public IReadOnlyList<DefinitionError> Errors => _errors;

    protected Limits Limits { get; } = limits;

    /// <summary>Names of members as the expressions have them, which are looked up by reference.</summary>
    protected Utf8Names Names { get; } = new();

    /// <summary>Parses a body and has its root read; what is no JSON is an error like any other.</summary>
    protected void ReadBody(byte[] body, Action<JsonElement> read)
    {
        try
        {
            using var document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = Limits.JsonDepth });
            read(document.RootElement);
        }
        catch (JsonException e)
        {
            Add("$", $"The body is not JSON: {e.Message}");
        }
        catch (InvalidOperationException)
        {
            // What JsonElement throws for a text that no UTF-8 can express.
            Add("$", "A text has a surrogate that is not one of a pair.");
        }
    }

    protected IEnumerable<(string Name, JsonElement Value, string Path)> Members(JsonElement value, string path, string expected)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            Add(path, expected);
            yield break;
        }

        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var member in value.EnumerateObject())
        {
            var memberPath = PathOf(path, member.Name);
            if (seen.Add(member.Name)) yield return (member.Name, member.Value, memberPath);
            else Add(new DefinitionError(memberPath, "The member is given twice.") { IsRepetition = true });
        }
    }

    protected IEnumerable<(JsonElement Value, string Path)> Items(JsonElement value, string path, string expected)
    {
        if (value.ValueKind != JsonValueKind.Array)
        {
            Add(path, expected);
            yield break;
        }

        var index = 0;
        foreach (var item in value.EnumerateArray()) yield return (item, $"{path}[{index++}]");
    }

    protected string? ReadText(JsonElement value, string path, string expected)
    {
        if (value.ValueKind == JsonValueKind.String) return value.GetString();
        Add(path, expected);
        return null;
    }

    /// <summary>True if a name can be written without quotes, in a path and in SQL.</summary>
    protected static bool IsIdentifier(string name) => name.Length > 0 && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');

    protected void Add(string path, string message) => Add(new DefinitionError(path, message));

    protected void Add(string path, string text, ExpressionError error) => Add(new DefinitionError(path, error.Message, text, error.Line, error.Column));

    /// <summary>A member's JSONPath (RFC 9535), with brackets where the shorthand doesn't do.</summary>
    private static string PathOf(string parent, string name)
    {
        if (IsIdentifier(name)) return $"{parent}.{name}";
        return $"{parent}['{name.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}']";
    }

    private void Add(DefinitionError error)
    {
        if (_errors.Count < ErrorsMax) _errors.Add(error);
    }
}
