using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>Functions of texts. They work on UTF-8 and compare byte for byte.</summary>
internal static class TextFunctions
{
    public static Function[] All { get; } =
    [
        new("contains", FunctionForms.Method, 2, 2, static (ref e, at, scoped a) =>
            Compare(ref e, at, a, static (text, part) => text.IndexOf(part) >= 0, searches: true)),
        new("startsWith", FunctionForms.Method, 2, 2, static (ref e, at, scoped a) =>
            Compare(ref e, at, a, static (text, part) => text.StartsWith(part))),
        new("endsWith", FunctionForms.Method, 2, 2, static (ref e, at, scoped a) =>
            Compare(ref e, at, a, static (text, part) => text.EndsWith(part))),
        new("lower", FunctionForms.Method, 1, 1, static (ref e, at, scoped a) => Map(ref e, at, a, static text => text.ToLowerInvariant())),
        new("upper", FunctionForms.Method, 1, 1, static (ref e, at, scoped a) => Map(ref e, at, a, static text => text.ToUpperInvariant())),
        new("trim", FunctionForms.Method, 1, 1, static (ref e, at, scoped a) => Map(ref e, at, a, static text => text.Trim())),
        new("split", FunctionForms.Method, 2, 2, Split),
        new("replace", FunctionForms.Method, 3, 3, Replace),
        new("string", FunctionForms.Global, 1, 1, ToText),
    ];

    public static int CountCodePoints(ReadOnlySpan<byte> utf8)
    {
        var count = 0;
        foreach (var b in utf8)
            if ((b & 0xc0) != 0x80) count++;
        return count;
    }

    private delegate bool Comparer(ReadOnlySpan<byte> text, ReadOnlySpan<byte> part);

    private static JsonValue Compare(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments, Comparer compare, bool searches = false)
    {
        if (!AreTexts(ref e, at, arguments, out var error)) return error;
        if (searches && !TryChargeSearch(ref e, arguments)) return e.Exhausted(at);
        return JsonValue.Of(compare(arguments[0].Utf8, arguments[1].Utf8));
    }

    private static JsonValue Map(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments, Func<string, string> map) =>
        AreTexts(ref e, at, arguments, out var error) ? JsonValue.Of(map(arguments[0].GetString())) : error;

    /// <summary><c>text.split(separator)</c>; an empty separator gives the characters.</summary>
    private static JsonValue Split(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments)
    {
        if (!AreTexts(ref e, at, arguments, out var error)) return error;
        var text = arguments[0].GetString();
        if (!e.TryCharge(text.Length) || !TryChargeSearch(ref e, arguments)) return e.Exhausted(at);
        var parts = arguments[1].Utf8.Length == 0
            ? text.EnumerateRunes().Select(rune => rune.ToString()).ToArray()
            : text.Split(arguments[1].GetString(), StringSplitOptions.None);
        return e.Bounded(at, JsonValue.Of(new JsonList(Array.ConvertAll(parts, JsonValue.Of))));
    }

    private static JsonValue Replace(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments)
    {
        if (!AreTexts(ref e, at, arguments, out var error)) return error;
        ReadOnlySpan<byte> text = arguments[0].Utf8;
        ReadOnlySpan<byte> part = arguments[1].Utf8;
        ReadOnlySpan<byte> by = arguments[2].Utf8;
        if (part.IsEmpty) return e.Fail(at.Argument(1), "'replace' takes a text that is not empty.");

        if (!TryChargeSearch(ref e, arguments)) return e.Exhausted(at);

        // Known before it is made: many small parts by a long text could be far longer than both.
        var count = text.Count(part);
        var length = text.Length + ((long)count * (by.Length - part.Length));
        if (!e.TryCharge(count + (length >> 6))) return e.Exhausted(at);
        if (length > FoldLimits.ValueBytes) return e.Fail(at, $"The text would take more than {FoldLimits.ValueBytes} bytes.");
        var result = new byte[length];
        var rest = result.AsSpan();
        while (text.IndexOf(part) is >= 0 and var found)
        {
            text[..found].CopyTo(rest);
            by.CopyTo(rest[found..]);
            rest = rest[(found + by.Length)..];
            text = text[(found + part.Length)..];
        }

        text.CopyTo(rest);
        return JsonValue.Of(result);
    }

    /// <summary>A text of a number, truth value or text; numbers in their canonical form.</summary>
    private static JsonValue ToText(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments)
    {
        var value = arguments[0];
        return value.Kind switch
        {
            JsonKind.Text => value,
            JsonKind.Number => JsonValue.Of(value.Number.ToString()),
            JsonKind.True or JsonKind.False => JsonValue.Of(value.Kind == JsonKind.True ? "true" : "false"),
            _ => at.FailArgument(ref e, 0, "a text, a number or a truth value", value),
        };
    }

    /// <summary>A text that is made for it may have to be compared with nearly all of the part at every place: the product is charged.</summary>
    private static bool TryChargeSearch(ref Evaluation e, scoped ReadOnlySpan<JsonValue> arguments) =>
        e.TryCharge((arguments[0].Utf8.Length >> 6) * (long)(arguments[1].Utf8.Length >> 6));

    private static bool AreTexts(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments, out JsonValue error)
    {
        long length = 0;
        for (var i = 0; i < arguments.Length; i++)
        {
            if (arguments[i].Kind != JsonKind.Text)
            {
                error = at.FailArgument(ref e, i, i == 0 ? "a text" : "texts", arguments[i]);
                return false;
            }

            length += arguments[i].Utf8.Length;
        }

        error = e.TryCharge(length >> 6) ? default : e.Exhausted(at);
        return !error.IsError;
    }
}
