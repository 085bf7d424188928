using System.Text;
using System.Text.Json;
using Warp.Http.Aggregates;
using Warp.Http.Aggregates.Expressions;
using Warp.Http.Aggregates.Values;
using Warp.Http.Events;

namespace Warp.Http.Projections;

/// <summary>Reads a projection's body and collects every error in it, so that a person mends them in one go.</summary>
/// <remarks>Split by role: this file goes over the body, .Columns reads columns, types and indexes.</remarks>
internal sealed partial class ProjectionReader(Limits limits)
{
    /// <summary>Errors past this are not looked for: a body may have as many as it has members.</summary>
    private const int ErrorsMax = 100;

    private readonly List<DefinitionError> _errors = [];
    private readonly Utf8Names _names = new();

    public IReadOnlyList<DefinitionError> Errors => _errors;

    public ProjectionParts Read(byte[] body)
    {
        var parts = new ProjectionParts();
        try
        {
            using var document = JsonDocument.Parse(body, new JsonDocumentOptions { MaxDepth = limits.JsonDepth });
            ReadMembers(parts, document.RootElement);
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

        return parts;
    }

    private void ReadMembers(ProjectionParts parts, JsonElement body)
    {
        var members = Members(body, "$", "A definition is an object.").ToDictionary(member => member.Name, member => (member.Value, member.Path), StringComparer.Ordinal);
        foreach (var (name, (_, path)) in members)
            if (name is not ("kind" or "aggregate" or "source" or "table" or "columns" or "types" or "indexes"))
                Add(path, "A projection has only kind, aggregate, source, table, columns, types and indexes.");
        if (_errors.Count > 0 && body.ValueKind != JsonValueKind.Object) return;

        if (members.TryGetValue("kind", out var kind)) parts.Kind = ReadKind(kind.Value, kind.Path);
        if (members.TryGetValue("aggregate", out var aggregate)) parts.Aggregate = ReadAggregate(aggregate.Value, aggregate.Path);
        if (members.TryGetValue("source", out var source)) parts.Source = ReadSource(source.Value, source.Path);
        if (members.TryGetValue("table", out var table)) parts.Table = ReadTable(table.Value, table.Path);
        else Add("$.table", "A projection has a table: the name that queries use.");
        var types = members.TryGetValue("types", out var typed) ? ReadTypes(typed.Value, typed.Path) : [];
        if (members.TryGetValue("columns", out var columns)) ReadColumns(parts, columns.Value, columns.Path, types);
        else Add("$.columns", "A projection has columns: a name and an expression each.");
        foreach (var unknown in types.Where(type => !parts.Columns.Exists(column => IsSame(column.Column.Name, type.Name))))
            Add(unknown.Path, $"There is no column {unknown.Name}.");
        if (members.TryGetValue("indexes", out var indexes)) ReadIndexes(parts, indexes.Value, indexes.Path);
        if (parts.UsesState && !members.ContainsKey("kind") && !members.ContainsKey("aggregate"))
            Add("$.aggregate", "A projection of states says of which kind or of which aggregate they are.");
    }

    private string? ReadKind(JsonElement value, string path)
    {
        if (ReadText(value, path, "'kind' is the name of a kind.") is not { } kind) return null;
        var utf8 = Encoding.UTF8.GetBytes(kind);
        if (EntityName.KindError(utf8, limits) is { } error) Add(path, error);
        else if (EntityName.IsReserved(utf8)) Add(path, "Kinds that begin with \"warp.\" belong to the service.");
        return kind;
    }

    private string? ReadAggregate(JsonElement value, string path)
    {
        if (ReadText(value, path, "'aggregate' is the name of an aggregate.") is not { } name) return null;
        if (AggregateCatalog.NameError(name) is { } error) Add(path, error);
        return name;
    }

    private ProjectionSource ReadSource(JsonElement value, string path)
    {
        const string expected = "'source' is state or event.";
        switch (ReadText(value, path, expected))
        {
            case "event":
                return ProjectionSource.Event;
            case null or "state":
                break;
            case { } other:
                Add(path, $"{expected} It is '{other}'.");
                break;
        }

        return ProjectionSource.State;
    }

    private string? ReadText(JsonElement value, string path, string expected)
    {
        if (value.ValueKind == JsonValueKind.String) return value.GetString();
        Add(path, expected);
        return null;
    }

    private IEnumerable<(string Name, JsonElement Value, string Path)> Members(JsonElement value, string path, string expected)
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
            else Add(memberPath, "The member is given twice.");
        }
    }

    private IEnumerable<(JsonElement Value, string Path)> Items(JsonElement value, string path, string expected)
    {
        if (value.ValueKind != JsonValueKind.Array)
        {
            Add(path, expected);
            yield break;
        }

        var index = 0;
        foreach (var item in value.EnumerateArray()) yield return (item, $"{path}[{index++}]");
    }

    /// <summary>A member's JSONPath (RFC 9535), with brackets where the shorthand doesn't do.</summary>
    private static string PathOf(string parent, string name)
    {
        if (IsIdentifier(name)) return $"{parent}.{name}";
        return $"{parent}['{name.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}']";
    }

    private static bool IsIdentifier(string name) => name.Length > 0 && !char.IsAsciiDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');

    /// <summary>SQLite's names are the same in upper and lower case.</summary>
    private static bool IsSame(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);

    private void Add(string path, string message) => Add(new DefinitionError(path, message));

    private void Add(DefinitionError error)
    {
        if (_errors.Count < ErrorsMax) _errors.Add(error);
    }
}
