using System.Text.Json;

namespace Warp.Http.Aggregates.Values;

/// <summary>Makes values of UTF-8 JSON (RFC 8259, strict).</summary>
/// <remarks>A member name that comes twice: the last wins, as in JavaScript. What is stored keeps both; only folding sees one.</remarks>
public static class JsonParser
{
    /// <summary>Texts up to this many bytes are unescaped on the stack.</summary>
    private const int StackBytes = 256;

    /// <exception cref="JsonException">The bytes are not one JSON value, or nested deeper than <paramref name="depthMax"/>.</exception>
    public static JsonValue Parse(ReadOnlySpan<byte> utf8, int depthMax)
    {
        var reader = new Utf8JsonReader(utf8, new JsonReaderOptions { MaxDepth = depthMax });
        if (!reader.Read()) throw new JsonException("There is no JSON value.");
        var value = ReadValue(ref reader);
        if (reader.Read()) throw new JsonException("There is more than one JSON value.");
        return value;
    }

    /// <summary>Reads the value at which the reader stands and leaves the reader on its last token.</summary>
    /// <remarks>Recursion is bounded by the reader's MaxDepth.</remarks>
    /// <exception cref="JsonException">The bytes are not JSON, or a text has a lone surrogate, which UTF-8 can't express.</exception>
    public static JsonValue ReadValue(ref Utf8JsonReader reader)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.Number:
                return JsonValue.OfNumber(reader.ValueSpan);
            case JsonTokenType.String:
                return JsonValue.Of(ReadText(ref reader));
            case JsonTokenType.True:
                return JsonValue.True;
            case JsonTokenType.False:
                return JsonValue.False;
            case JsonTokenType.StartObject:
                return ReadMap(ref reader);
            case JsonTokenType.StartArray:
                return ReadList(ref reader);
            default:
                return JsonValue.Null;
        }
    }

    /// <summary>The UTF-8 of the text or member name at which the reader stands, without escapes.</summary>
    public static byte[] ReadText(ref Utf8JsonReader reader)
    {
        if (!reader.ValueIsEscaped) return reader.ValueSpan.ToArray();
        Span<byte> buffer = reader.ValueSpan.Length <= StackBytes ? stackalloc byte[StackBytes] : new byte[reader.ValueSpan.Length];
        try
        {
            return buffer[..reader.CopyString(buffer)].ToArray();
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException("A text has a surrogate that is not one of a pair.", e);
        }
    }

    private static JsonValue ReadMap(ref Utf8JsonReader reader)
    {
        var map = new JsonMap();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = ReadText(ref reader);
            reader.Read();
            map.Set(name, ReadValue(ref reader));
        }

        return JsonValue.Of(map);
    }

    private static JsonValue ReadList(ref Utf8JsonReader reader)
    {
        var items = new JsonValue[4];
        var count = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (count == items.Length) Array.Resize(ref items, count * 2);
            items[count++] = ReadValue(ref reader);
        }

        Array.Resize(ref items, count);
        return JsonValue.Of(new JsonList(items));
    }
}
