using System.Buffers;
using System.Text;
using Warp.Http.Events;
using Warp.Http.Projections;

namespace Warp.Http.Endpoints;

/// <summary>Writes the rows of an answer as JSON, NDJSON or CSV, up to a number of bytes.</summary>
internal static class QueryWriter
{
    private static readonly SearchValues<byte> s_quotedInCsv = SearchValues.Create("\",\r\n"u8);

    /// <summary>Writes <c>{"columns":[…],"rows":[…]</c> and leaves it open for what follows.</summary>
    /// <returns>False if not all rows went in.</returns>
    public static bool WriteJson(JsonBuffer json, QueryOutcome outcome, int bytesMax)
    {
        json.Raw("{\"columns\":["u8);
        for (var i = 0; i < outcome.Columns.Count; i++)
        {
            if (i > 0) json.Raw((byte)',');
            json.Text(outcome.Columns[i]);
        }

        json.Raw("],\"rows\":["u8);
        for (var i = 0; i < outcome.Rows.Count; i++)
        {
            var before = json.Length;
            if (i > 0) json.Raw((byte)',');
            WriteObject(json, outcome.Columns, outcome.Rows[i]);
            if (json.Length <= bytesMax) continue;
            json.Truncate(before);
            json.Raw((byte)']');
            return false;
        }

        json.Raw((byte)']');
        return true;
    }

    /// <inheritdoc cref="WriteJson"/>
    /// <summary>Writes a line a row.</summary>
    public static bool WriteNdjson(JsonBuffer json, QueryOutcome outcome, int bytesMax)
    {
        foreach (var row in outcome.Rows)
        {
            var before = json.Length;
            WriteObject(json, outcome.Columns, row);
            json.Raw((byte)'\n');
            if (json.Length <= bytesMax) continue;
            json.Truncate(before);
            return false;
        }

        return true;
    }

    /// <inheritdoc cref="WriteJson"/>
    /// <summary>Writes a header and a record a row (RFC 4180). NULL is nothing between the commas, an empty text is <c>""</c>.</summary>
    public static bool WriteCsv(JsonBuffer csv, QueryOutcome outcome, int bytesMax)
    {
        for (var i = 0; i < outcome.Columns.Count; i++)
        {
            if (i > 0) csv.Raw((byte)',');
            WriteField(csv, Encoding.UTF8.GetBytes(outcome.Columns[i]));
        }

        csv.Raw("\r\n"u8);
        foreach (var row in outcome.Rows)
        {
            var before = csv.Length;
            for (var i = 0; i < row.Length; i++)
            {
                if (i > 0) csv.Raw((byte)',');
                if (row[i].Kind == SqlKind.Text) WriteField(csv, row[i].Text);
                else if (!row[i].IsNullInJson) row[i].WriteTo(csv);
            }

            csv.Raw("\r\n"u8);
            if (csv.Length <= bytesMax) continue;
            csv.Truncate(before);
            return false;
        }

        return true;
    }

    private static void WriteObject(JsonBuffer json, IReadOnlyList<string> columns, SqlValue[] row)
    {
        json.Raw((byte)'{');
        for (var i = 0; i < row.Length; i++)
        {
            if (i > 0) json.Raw((byte)',');
            json.Text(columns[i]);
            json.Raw((byte)':');
            row[i].WriteTo(json);
        }

        json.Raw((byte)'}');
    }

    private static void WriteField(JsonBuffer csv, ReadOnlySpan<byte> text)
    {
        if (!text.IsEmpty && text.IndexOfAny(s_quotedInCsv) < 0)
        {
            csv.Raw(text);
            return;
        }

        csv.Raw((byte)'"');
        while (text.IndexOf((byte)'"') is >= 0 and var at)
        {
            csv.Raw(text[..(at + 1)]);
            csv.Raw((byte)'"');
            text = text[(at + 1)..];
        }

        csv.Raw(text);
        csv.Raw((byte)'"');
    }
}
