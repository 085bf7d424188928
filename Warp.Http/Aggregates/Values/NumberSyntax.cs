namespace Warp.Http.Aggregates.Values;

/// <summary>The syntax of RFC 8259 section 6.</summary>
internal static class NumberSyntax
{
    public static bool IsNumber(ReadOnlySpan<byte> text)
    {
        if (text.StartsWith("-"u8)) text = text[1..];
        var whole = TakeDigits(ref text);
        if (whole.IsEmpty || (whole.Length > 1 && whole[0] == (byte)'0')) return false;
        if (text.StartsWith("."u8))
        {
            text = text[1..];
            if (TakeDigits(ref text).IsEmpty) return false;
        }

        if (text.IsEmpty) return true;
        if (text[0] is not ((byte)'e' or (byte)'E')) return false;
        text = text[1..];
        if (text.StartsWith("+"u8) || text.StartsWith("-"u8)) text = text[1..];
        return !TakeDigits(ref text).IsEmpty && text.IsEmpty;
    }

    private static ReadOnlySpan<byte> TakeDigits(ref ReadOnlySpan<byte> text)
    {
        var length = text.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
        if (length < 0) length = text.Length;
        var digits = text[..length];
        text = text[length..];
        return digits;
    }
}
