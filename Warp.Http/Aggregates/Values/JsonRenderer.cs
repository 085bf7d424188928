using System.Buffers;

namespace Warp.Http.Aggregates.Values;

/// <summary>Writes values as UTF-8 JSON without white space. Text is escaped only where RFC 8259 section 7 demands it.</summary>
public static class JsonRenderer
{
    private static readonly SearchValues<byte> Escaped = SearchValues.Create(
    [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
        (byte)'"', (byte)'\\',
    ]);

    /// <remarks>Recursion is bounded by the value's <see cref="JsonValue.Depth"/>.</remarks>
    public static void Render(IBufferWriter<byte> writer, in JsonValue value)
    {
        switch (value.Kind)
        {
            case JsonKind.Null:
                writer.Write("null"u8);
                break;
            case JsonKind.True:
                writer.Write("true"u8);
                break;
            case JsonKind.False:
                writer.Write("false"u8);
                break;
            case JsonKind.Number when value.Characters is { } characters:
                writer.Write(characters);
                break;
            case JsonKind.Number:
                writer.Advance(value.Number.Format(writer.GetSpan(Number.TextMax)));
                break;
            case JsonKind.Text:
                RenderText(writer, value.Utf8);
                break;
            case JsonKind.List:
                RenderList(writer, value.List);
                break;
            case JsonKind.Map:
                RenderMap(writer, value.Map);
                break;
            default:
                throw new InvalidOperationException($"A value of kind {value.Kind} has no JSON.");
        }
    }

    public static byte[] ToUtf8(in JsonValue value)
    {
        var buffer = new ArrayBufferWriter<byte>();
        Render(buffer, value);
        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Writes a JSON string of UTF-8 text.</summary>
    public static void RenderText(IBufferWriter<byte> writer, ReadOnlySpan<byte> text)
    {
        Put(writer, (byte)'"');
        while (true)
        {
            var plain = text.IndexOfAny(Escaped);
            if (plain < 0)
            {
                writer.Write(text);
                break;
            }

            writer.Write(text[..plain]);
            RenderEscape(writer, text[plain]);
            text = text[(plain + 1)..];
        }

        Put(writer, (byte)'"');
    }

    private static void RenderEscape(IBufferWriter<byte> writer, byte c)
    {
        switch (c)
        {
            case (byte)'"':
                writer.Write("\\\""u8);
                break;
            case (byte)'\\':
                writer.Write("\\\\"u8);
                break;
            case (byte)'\n':
                writer.Write("\\n"u8);
                break;
            case (byte)'\r':
                writer.Write("\\r"u8);
                break;
            case (byte)'\t':
                writer.Write("\\t"u8);
                break;
            default:
                writer.Write("\\u00"u8);
                Put(writer, (byte)(c < 16 ? '0' : '1'));
                Put(writer, "0123456789abcdef"u8[c & 15]);
                break;
        }
    }

    private static void RenderList(IBufferWriter<byte> writer, JsonList list)
    {
        Put(writer, (byte)'[');
        for (var i = 0; i < list.Count; i++)
        {
            if (i > 0) Put(writer, (byte)',');
            Render(writer, list.Items[i]);
        }

        Put(writer, (byte)']');
    }

    private static void RenderMap(IBufferWriter<byte> writer, JsonMap map)
    {
        Put(writer, (byte)'{');
        var first = true;
        foreach (ref readonly var member in map)
        {
            if (!first) Put(writer, (byte)',');
            first = false;
            RenderText(writer, member.Name);
            Put(writer, (byte)':');
            Render(writer, member.Value);
        }

        Put(writer, (byte)'}');
    }

    private static void Put(IBufferWriter<byte> writer, byte c)
    {
        writer.GetSpan(1)[0] = c;
        writer.Advance(1);
    }
}
