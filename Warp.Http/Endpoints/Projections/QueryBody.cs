using System.Text.Json;
using Warp.Http.Events;
using Warp.Http.Projections;

namespace Warp.Http.Endpoints;

/// <summary>The body of <c>POST /v1/query</c>, strictly: unknown members, repetitions and wrong values are refused by name.</summary>
internal sealed class QueryBody
{
    private static readonly TimeSpan s_waitDefault = TimeSpan.FromSeconds(5);

    public SqlQuery Query { get; private set; } = new("");

    public string? MinCursor { get; private set; }

    public TimeSpan Wait { get; private set; } = s_waitDefault;

    public bool MayBeStale { get; private set; }

    /// <param name="json">One JSON document, by <see cref="JsonStrictness.CheckDocument"/>.</param>
    public static QueryBody Read(ReadOnlyMemory<byte> json, Limits limits, out Problem? problem)
    {
        var body = new QueryBody();
        using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = limits.JsonDepth });
        problem = body.Read(document.RootElement, limits);
        return body;
    }

    private Problem? Read(JsonElement root, Limits limits)
    {
        if (root.ValueKind != JsonValueKind.Object) return Problems.InvalidRequest("$", "The body is an object with sql.");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var member in root.EnumerateObject())
        {
            if (!seen.Add(member.Name)) return Problems.InvalidRequest($"$.{member.Name}", $"The member {member.Name} is given twice.");
            var problem = member.Name switch
            {
                "sql" => ReadSql(member.Value, limits),
                "params" => ReadParameters(member.Value),
                "minCursor" => ReadMinCursor(member.Value),
                "wait" => ReadWait(member.Value, limits),
                "onTimeout" => ReadOnTimeout(member.Value),
                "level" => ReadLevelOf(member.Value),
                _ => Problems.InvalidRequest($"$.{member.Name}", $"The member {member.Name} is unknown; known are sql, params, minCursor, wait, onTimeout, level."),
            };
            if (problem is not null) return problem;
        }

        return seen.Contains("sql") ? null : Problems.InvalidRequest("$.sql", "The member sql is missing.");
    }

    private Problem? ReadSql(JsonElement value, Limits limits)
    {
        if (value.ValueKind != JsonValueKind.String) return Problems.InvalidRequest("$.sql", "sql is a text.");
        var sql = value.GetString()!;
        if (sql.Length > limits.SqlChars) return Problems.PayloadTooLarge("The statement's length in characters", "sqlChars", limits.SqlChars, sql.Length, "$.sql");
        Query = Query with { Sql = sql };
        return null;
    }

    private Problem? ReadParameters(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Null) return null; // as many clients send what they leave out
        if (value.ValueKind == JsonValueKind.Array)
        {
            var values = new List<SqlValue>();
            foreach (var element in value.EnumerateArray())
            {
                if (!TryValue(element, out var parameter)) return NoValue($"$.params[{values.Count}]");
                values.Add(parameter);
            }

            Query = Query with { Positional = values };
            return null;
        }

        if (value.ValueKind != JsonValueKind.Object) return Problems.InvalidRequest("$.params", "params is a list, or an object of names.");
        var named = new Dictionary<string, SqlValue>(StringComparer.Ordinal);
        foreach (var member in value.EnumerateObject())
        {
            if (!TryValue(member.Value, out var parameter)) return NoValue($"$.params.{member.Name}");
            if (!named.TryAdd(member.Name, parameter)) return Problems.InvalidRequest($"$.params.{member.Name}", "The parameter is given twice.");
        }

        Query = Query with { Named = named };
        return null;
    }

    private Problem? ReadMinCursor(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.String) return Problems.InvalidRequest("$.minCursor", "minCursor is a cursor, as Warp-Cursor gives it.");
        MinCursor = value.GetString();
        return null;
    }

    private Problem? ReadWait(JsonElement value, Limits limits)
    {
        var max = TimeSpan.FromSeconds(limits.WaitSeconds);
        if (value.ValueKind == JsonValueKind.String && QueryParameters.TryDuration(value.GetString()!, out var wait) && wait <= max)
        {
            Wait = wait;
            return null;
        }

        return Problems.InvalidRequest("$.wait", $"wait is a duration such as 500ms, 5s or 1m, at most {limits.WaitSeconds}s (waitSeconds).");
    }

    private Problem? ReadOnTimeout(JsonElement value)
    {
        var text = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        if (text is not ("fail" or "stale")) return Problems.InvalidRequest("$.onTimeout", "onTimeout is fail or stale.");
        MayBeStale = text is "stale";
        return null;
    }

    private Problem? ReadLevelOf(JsonElement value)
    {
        var text = value.ValueKind == JsonValueKind.String ? value.GetString() : null;
        foreach (var level in Enum.GetValues<ReadLevel>())
        {
            if (!string.Equals(level.ToString().ToLowerInvariant(), text, StringComparison.Ordinal)) continue;
            Query = Query with { Level = level };
            return null;
        }

        return Problems.InvalidRequest("$.level", "level is weak, strong, linearizable or none.");
    }

    private static Problem NoValue(string path) =>
        Problems.InvalidRequest(path, "A parameter is a text, a number within the range of a double, a truth value or null; give lists and maps as JSON texts.");

    private static bool TryValue(JsonElement element, out SqlValue value)
    {
        value = element.ValueKind switch
        {
            JsonValueKind.String => SqlValue.Of(element.GetString()!),
            JsonValueKind.True => SqlValue.Of(1),
            JsonValueKind.False => SqlValue.Of(0),
            JsonValueKind.Number when element.TryGetInt64(out var integer) => SqlValue.Of(integer),
            JsonValueKind.Number when element.TryGetDouble(out var real) && double.IsFinite(real) => SqlValue.Of(real),
            _ => SqlValue.Null,
        };
        return value.Kind != SqlKind.Null || element.ValueKind == JsonValueKind.Null;
    }
}
