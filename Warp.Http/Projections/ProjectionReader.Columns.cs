using System.Text.Json;
using Warp.Http.Aggregates;
using Warp.Http.Aggregates.Expressions;

namespace Warp.Http.Projections;

/// <content>The table's name, its columns with their types, and its indexes.</content>
internal sealed partial class ProjectionReader
{
    /// <summary>Characters of a table's or column's name; PostgreSQL has 63, and nobody types more.</summary>
    private const int NameChars = 64;

    /// <summary>Each column is evaluated for each row; a wider table is better two projections.</summary>
    private const int ColumnsMax = 200;

    private const int IndexesMax = 32;
    private const int IndexColumnsMax = 16;

    private string ReadTable(JsonElement value, string path)
    {
        var name = ReadText(value, path, "'table' is the name that queries use.");
        if (name is not null) CheckName(name, path, "A table");
        return name ?? "";
    }

    private List<(string Name, string Type, string Path)> ReadTypes(JsonElement value, string path)
    {
        const string expected = "A column's type is TEXT, INTEGER or REAL.";
        var types = new List<(string Name, string Type, string Path)>();
        foreach (var (name, member, memberPath) in Members(value, path, "'types' is an object of columns with a type each."))
        {
            switch (ReadText(member, memberPath, expected))
            {
                case null:
                    break;
                case { } type when type is "TEXT" or "INTEGER" or "REAL":
                    types.Add((name, type, memberPath));
                    break;
                case { } other:
                    Add(memberPath, $"{expected} It is '{other}'.");
                    break;
            }
        }

        return types;
    }

    private void ReadColumns(ProjectionParts parts, JsonElement value, string path, List<(string Name, string Type, string Path)> types)
    {
        parts.UsesState = parts.Source == ProjectionSource.State;
        var count = 0;
        foreach (var (name, member, memberPath) in Members(value, path, "'columns' is an object of columns with an expression each."))
        {
            count++;
            CheckName(name, memberPath, "A column");
            if (parts.Columns.Exists(column => IsSame(column.Column.Name, name))) Add(memberPath, "Two columns differ in upper and lower case only.");
            if (ReadText(member, memberPath, "An expression is a string.") is not { } text) continue;
            if (Compile(parts, text, memberPath) is not { } expression) continue;
            var type = types.Find(type => IsSame(type.Name, name)).Type ?? "";
            parts.Columns.Add(new DefinedColumn(new ProjectionColumn(name, type), expression));
        }

        if (count is 0 or > ColumnsMax && value.ValueKind == JsonValueKind.Object) Add(path, $"A projection has 1 to {ColumnsMax} columns; it has {count}.");
    }

    private Expression? Compile(ProjectionParts parts, string text, string path)
    {
        ExpressionError? error;
        if (parts.Source == ProjectionSource.State)
        {
            if (TryCompile(parts, text, ExpressionScope.Rule, out var ofState, out error)) return ofState;
        }
        else
        {
            // Without the state first: rows of events need no folding where no expression asks for it.
            if (TryCompile(parts, text, ExpressionScope.Upcast | ExpressionScope.Entity, out var ofEvent, out _)) return ofEvent;
            if (TryCompile(parts, text, ExpressionScope.Fold, out ofEvent, out error))
            {
                parts.UsesState = true;
                return ofEvent;
            }
        }

        Add(path, text, error!);
        return null;
    }

    private bool TryCompile(ProjectionParts parts, string text, ExpressionScope scope, out Expression? expression, out ExpressionError? error) =>
        Expression.TryCompile(text, new Compilation(scope, Names, parts.Payload, Limits.ExpressionChars), out expression, out error);

    private void ReadIndexes(ProjectionParts parts, JsonElement value, string path)
    {
        foreach (var (item, itemPath) in Items(value, path, "'indexes' is a list of lists of columns."))
        {
            var columns = new List<string>();
            foreach (var (column, columnPath) in Items(item, itemPath, "An index is a list of columns."))
            {
                if (ReadText(column, columnPath, "An index is a list of columns.") is not { } name) continue;
                if (!parts.Columns.Exists(known => IsSame(known.Column.Name, name))) Add(columnPath, $"There is no column {name}.");
                columns.Add(name);
            }

            if (columns.Count is 0 or > IndexColumnsMax && item.ValueKind == JsonValueKind.Array)
                Add(itemPath, $"An index has 1 to {IndexColumnsMax} columns; it has {columns.Count}.");
            parts.Indexes.Add(columns);
        }

        if (parts.Indexes.Count > IndexesMax) Add(path, $"A projection has at most {IndexesMax} indexes; it has {parts.Indexes.Count}.");
    }

    private void CheckName(string name, string path, string what)
    {
        if (!IsIdentifier(name) || name.Length > NameChars)
            Add(path, $"{what}'s name matches [A-Za-z_][A-Za-z0-9_]* and has at most {NameChars} characters.");
        else if (name.StartsWith("sqlite_", StringComparison.OrdinalIgnoreCase) || name.StartsWith(ProjectionTable.ReservedPrefix, StringComparison.OrdinalIgnoreCase))
            Add(path, $"Names that begin with sqlite_ or {ProjectionTable.ReservedPrefix} belong to SQLite and to the service.");
    }
}
