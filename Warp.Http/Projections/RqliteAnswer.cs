using System.Net;
using System.Text;
using System.Text.Json;

namespace Warp.Http.Projections;

internal enum RqliteStatus : byte
{
    /// <summary>All statements were run.</summary>
    Done,

    /// <summary>One was refused; in a transaction none of them happened.</summary>
    Refused,

    /// <summary>Nobody can say what happened: no answer, or one that says nothing of it.</summary>
    Unknown,
}

/// <summary>What one statement gave.</summary>
internal sealed record RqliteResult(long RowsAffected, IReadOnlyList<string> Columns, IReadOnlyList<string> Types, IReadOnlyList<IReadOnlyList<JsonElement>> Rows);

/// <param name="WasUnknown">True if an earlier attempt of the same call ended so: it may have happened.</param>
internal sealed record RqliteReply(RqliteStatus Status, string? Error, IReadOnlyList<RqliteResult> Results, bool WasUnknown = false)
{
    /// <summary>True if the answer was not read to its end: of the last statement there are the first rows alone.</summary>
    public bool IsCut { get; init; }

    /// <summary>Bytes of an answer that were to be read at most.</summary>
    public int BytesMax { get; init; }
}

/// <summary>Says what an answer of rqlite means.</summary>
/// <remarks>
/// Errors are in three places (the status, the answer, each result), and an answer is a success only if none of them has any and there are as many results
/// as statements.
/// </remarks>
internal static class RqliteAnswer
{
    /// <summary>Never parses before it has looked at the status: errors of the HTTP layer are plain texts.</summary>
    /// <param name="isCut">True if there is more than the body.</param>
    public static RqliteReply Judge(HttpStatusCode status, ReadOnlyMemory<byte> body, bool isCut, int statements)
    {
        if (status != HttpStatusCode.OK)
        {
            var text = body.Span[..Math.Min(body.Length, 4 * ProjectionSql.ErrorChars)];
            var said = $"rqlite answered {(int)status}{(text.IsEmpty ? "" : ": " + ProjectionSql.Shortened(Encoding.UTF8.GetString(text).Trim()))}";
            return (int)status >= 500 ? Unknown(said) : new RqliteReply(RqliteStatus.Refused, said, []);
        }

        try
        {
            return isCut ? JudgeCut(body, statements) : JudgeWhole(body, statements);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return Unknown("rqlite's answer can't be read.");
        }
    }

    public static RqliteReply Unknown(string error) => new(RqliteStatus.Unknown, error, []);

    private static RqliteReply JudgeWhole(ReadOnlyMemory<byte> body, int statements)
    {
        using var document = JsonDocument.Parse(body);
        var root = document.RootElement;
        if (root.TryGetProperty("error", out var error)) return Unknown($"rqlite: {error.GetString()}");
        if (!root.TryGetProperty("results", out var results)) return Unknown("rqlite answered without results.");
        var read = results.EnumerateArray().Select(Read).ToList();
        if (read.Find(result => result.Error is not null).Error is { } refused) return new RqliteReply(RqliteStatus.Refused, $"rqlite: {refused}", []);
        return read.Count == statements
            ? new RqliteReply(RqliteStatus.Done, null, [.. read.Select(result => result.Result)])
            : Unknown($"rqlite gave {read.Count} results for {statements} statements.");
    }

    /// <summary>An answer that is as long as that has rows, and errors have none: what is whole of it counts.</summary>
    private static RqliteReply JudgeCut(ReadOnlyMemory<byte> body, int statements)
    {
        var reader = new Utf8JsonReader(body.Span, isFinalBlock: false, default);
        var read = new List<RqliteResult>();
        reader.Read(); // {
        if (!reader.Read() || !reader.ValueTextEquals("results"u8) || !reader.Read()) return Unknown("rqlite answered without results.");
        while (reader.Read() && reader.TokenType == JsonTokenType.StartObject)
        {
            if (!JsonDocument.TryParseValue(ref reader, out var whole))
            {
                read.Add(ReadBegun(ref reader));
                break;
            }

            using (whole)
            {
                var (error, result) = Read(whole.RootElement);
                if (error is not null) return new RqliteReply(RqliteStatus.Refused, $"rqlite: {error}", []);
                read.Add(result);
            }
        }

        return read.Count == statements
            ? new RqliteReply(RqliteStatus.Done, null, read) { IsCut = true }
            : new RqliteReply(RqliteStatus.Refused, $"rqlite's answer is too long: {body.Length} bytes hold {read.Count} of {statements} results.", []);
    }

    /// <summary>A result whose end is not there: its whole rows.</summary>
    private static RqliteResult ReadBegun(ref Utf8JsonReader reader)
    {
        List<string> columns = [], types = [];
        var rows = new List<IReadOnlyList<JsonElement>>();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("values"u8))
            {
                if (!reader.Read()) break;
                while (reader.Read() && reader.TokenType == JsonTokenType.StartArray && JsonDocument.TryParseValue(ref reader, out var row))
                    using (row) rows.Add(Values(row.RootElement));
                break;
            }

            var of = reader.ValueTextEquals("columns"u8) ? columns : reader.ValueTextEquals("types"u8) ? types : null;
            if (!JsonDocument.TryParseValue(ref reader, out var texts)) break;
            using (texts) of?.AddRange(Texts(texts.RootElement));
        }

        return new RqliteResult(0, columns, types, rows);
    }

    private static (string? Error, RqliteResult Result) Read(JsonElement result)
    {
        var error = result.TryGetProperty("error", out var said) ? said.GetString() : null;
        var affected = result.TryGetProperty("rows_affected", out var rows) ? rows.GetInt64() : 0; // left out when 0
        IReadOnlyList<IReadOnlyList<JsonElement>> values = result.TryGetProperty("values", out var given) ? [.. given.EnumerateArray().Select(Values)] : []; // left out when there are none
        var columns = result.TryGetProperty("columns", out var names) ? Texts(names) : [];
        return (error, new RqliteResult(affected, columns, result.TryGetProperty("types", out var types) ? Texts(types) : [], values));
    }

    private static IReadOnlyList<JsonElement> Values(JsonElement row) => [.. row.EnumerateArray().Select(value => value.Clone())];

    private static List<string> Texts(JsonElement texts) => [.. texts.EnumerateArray().Select(text => text.GetString() ?? "")];
}
