using System.Globalization;
using System.Text.Json;
using System.Text.Unicode;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>What RFC 8259 and RFC 7493 ask beyond what <see cref="Utf8JsonReader"/> looks at: valid UTF-8, no half surrogate pairs.</summary>
internal static class JsonStrictness
{
    /// <summary>Judges a whole document's bytes, before it is read; null = nothing is wrong with them.</summary>
    public static Problem? Check(ReadOnlySpan<byte> json)
    {
        if (!Utf8.IsValid(json)) return Problems.InvalidJson("This is not valid UTF-8.");
        if (FindLoneSurrogate(json) is >= 0 and var at)
        {
            return Problems.InvalidJson(string.Create(CultureInfo.InvariantCulture,
                $"Byte {at}: the escape {System.Text.Encoding.ASCII.GetString(json.Slice(at, 6))} is half of a surrogate pair."));
        }

        return null;
    }

    /// <summary>The same, and that it is one JSON document within the depth limit: for bodies that something else reads.</summary>
    public static Problem? CheckDocument(ReadOnlySpan<byte> json, Limits limits)
    {
        if (Check(json) is { } invalid) return invalid;
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = limits.JsonDepth });
        try
        {
            while (reader.Read())
            {
                // Reading is the check.
            }

            return null;
        }
        catch (JsonException error)
        {
            return Explain(error, ref reader, json, limits);
        }
    }

    /// <summary>The byte at which half a surrogate pair is escaped, or -1. What is not JSON is left to the reader to refuse.</summary>
    public static int FindLoneSurrogate(ReadOnlySpan<byte> json)
    {
        if (json.IndexOf("\\u"u8) < 0) return -1;

        // From backslash to backslash, since in \\ud800 the first escapes the second.
        var at = json.IndexOf((byte)'\\');
        while (at + 1 < json.Length)
        {
            if (TryUnit(json[at..], out var unit))
            {
                if (char.IsLowSurrogate(unit)) return at;
                if (char.IsHighSurrogate(unit))
                {
                    if (!TryUnit(json[(at + 6)..], out var low) || !char.IsLowSurrogate(low)) return at;
                    at += 6;
                }

                at += 6;
            }
            else
            {
                at += 2;
            }

            if (at >= json.Length || json[at..].IndexOf((byte)'\\') is not (>= 0 and var next)) break;
            at += next;
        }

        return -1;
    }

    /// <summary>Drops the white space between the tokens of valid JSON, so that it stands on one line.</summary>
    public static int Compact(ReadOnlySpan<byte> json, Span<byte> destination)
    {
        var length = 0;
        var inString = false;
        for (var i = 0; i < json.Length; i++)
        {
            var b = json[i];
            if (b == '"') inString = !inString;
            else if (!inString && b is (byte)' ' or (byte)'\t' or (byte)'\r' or (byte)'\n') continue;
            destination[length++] = b;
            if (inString && b == '\\') destination[length++] = json[++i];
        }

        return length;
    }

    /// <summary>Explains the reader's refusal in the contract's words.</summary>
    public static Problem Explain(JsonException error, ref Utf8JsonReader reader, ReadOnlySpan<byte> json, Limits limits)
    {
        var depth = reader.CurrentDepth + (reader.TokenType is JsonTokenType.StartArray or JsonTokenType.StartObject ? 1 : 0);
        var rest = json[Math.Min((int)reader.BytesConsumed, json.Length)..].TrimStart(" \t\r\n,:"u8);
        if (depth >= limits.JsonDepth && rest is [(byte)'{' or (byte)'[', ..])
            return Problems.InvalidJson($"This is nested deeper than {limits.JsonDepth} (jsonDepth).");
        var line = error.LineNumber is > 0 and var before ? string.Create(CultureInfo.InvariantCulture, $"Line {before + 1}, byte") : "Byte"; // most have one
        return Problems.InvalidJson(string.Create(CultureInfo.InvariantCulture, $"{line} {error.BytePositionInLine ?? 0}: this is not JSON (RFC 8259)."));
    }

    private static bool TryUnit(ReadOnlySpan<byte> text, out char unit)
    {
        unit = default;
        if (text.Length < 6 || text[0] != '\\' || text[1] != 'u') return false;
        if (!ushort.TryParse(text.Slice(2, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)) return false;
        unit = (char)value;
        return true;
    }
}
