using System.Text;
using System.Text.Json;
using Warp.Http.Aggregates;
using Warp.Http.Aggregates.Expressions;
using Warp.Http.Aggregates.Values;
using Warp.Http.Events;

namespace Warp.Http.Projections;

/// <summary>Reads a projection's body.</summary>
/// <remarks>Split by role: this file goes over the body, .Columns reads columns, types and indexes.</remarks>
internal sealed partial class ProjectionReader(Limits limits) : JsonDefinitionReader(limits)
{
    public ProjectionParts Read(byte[] body)
    {
        var parts = new ProjectionParts();
        ReadBody(body, root => ReadMembers(parts, root));
        return parts;
    }

    private void ReadMembers(ProjectionParts parts, JsonElement body)
    {
        var members = Members(body, "$", "A definition is an object.").ToDictionary(member => member.Name, member => (member.Value, member.Path), StringComparer.Ordinal);
        foreach (var (name, (_, path)) in members)
            if (name is not ("kind" or "aggregate" or "source" or "table" or "columns" or "types" or "indexes"))
                Add(path, "A projection has only kind, aggregate, source, table, columns, types and indexes.");
        if (Errors.Count > 0 && body.ValueKind != JsonValueKind.Object) return;

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
        if (EntityName.KindError(utf8, Limits) is { } error) Add(path, error);
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

    /// <summary>SQLite's names are the same in upper and lower case.</summary>
    private static bool IsSame(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);
}
