using System.Buffers.Text;
using System.Text;

namespace Warp.Http.Aggregates.Values;

/// <content>JSON's number syntax in and out.</content>
public readonly partial struct Number
{
    /// <summary>Bytes that are enough for <see cref="Format"/>: sign, "0.", 28 zeros and 28 digits, or 28 digits with an
    /// exponent.</summary>
    public const int TextMax = 64;

    /// <summary>Magnitudes from 1e-28 to 1e28 are written plainly, without an exponent.</summary>
    private const int PlainPlaces = 28;

    /// <summary>Reads a JSON number (RFC 8259); its syntax must have been checked.</summary>
    /// <param name="text">The number's characters.</param>
    /// <param name="number">The value; default if out of range.</param>
    /// <param name="isCanonical">True if <see cref="Format"/> gives these very characters back, so that they need not be kept.</param>
    /// <returns>False if the value has more than 28 significant digits or a magnitude beyond the range.</returns>
    public static bool TryParse(ReadOnlySpan<byte> text, out Number number, out bool isCanonical)
    {
        var negative = text[0] == (byte)'-';
        if (text.Length > 18) return TryParseLong(text, negative, out number, out isCanonical);
        ulong value = 0;
        var point = -1;
        for (var i = negative ? 1 : 0; i < text.Length; i++)
        {
            var digit = (uint)text[i] - '0';
            if (digit <= 9) value = (value * 10) + digit;
            else if (text[i] == (byte)'.') point = i;
            else return TryParseLong(text, negative, out number, out isCanonical);
        }

        var places = point < 0 ? 0 : text.Length - 1 - point;
        number = new Number(value, 0, (short)-places, negative && value != 0);
        isCanonical = value == 0 ? text.Length == 1 : point < 0 || text[^1] != (byte)'0';
        return true;
    }

    /// <summary>Writes the canonical text, without needless zeros (<c>3.0</c> is <c>3</c>), and answers its length.</summary>
    public int Format(Span<byte> destination)
    {
        var number = Stripped();
        Span<byte> digits = stackalloc byte[40];
        var count = number.FormatMagnitude(digits);
        digits = digits[..count];
        var at = 0;
        if (number.IsNegative) destination[at++] = (byte)'-';
        int exponent = number.Exponent;
        if (exponent >= 0 && exponent + count <= PlainPlaces)
        {
            digits.CopyTo(destination[at..]);
            destination.Slice(at + count, exponent).Fill((byte)'0');
            return at + count + exponent;
        }

        if (exponent < 0 && exponent >= -PlainPlaces)
        {
            var whole = count + exponent;
            if (whole <= 0)
            {
                "0."u8.CopyTo(destination[at..]);
                destination.Slice(at + 2, -whole).Fill((byte)'0');
                digits.CopyTo(destination[(at + 2 - whole)..]);
                return at + 2 - whole + count;
            }

            digits[..whole].CopyTo(destination[at..]);
            destination[at + whole] = (byte)'.';
            digits[whole..].CopyTo(destination[(at + whole + 1)..]);
            return at + count + 1;
        }

        destination[at++] = digits[0];
        if (count > 1)
        {
            destination[at++] = (byte)'.';
            digits[1..].CopyTo(destination[at..]);
            at += count - 1;
        }

        destination[at++] = (byte)'e';
        Utf8Formatter.TryFormat(exponent + count - 1, destination[at..], out var written);
        return at + written;
    }

    public override string ToString()
    {
        Span<byte> text = stackalloc byte[TextMax];
        return Encoding.ASCII.GetString(text[..Format(text)]);
    }

    /// <summary>Any length, any exponent: only digits between the first and the last that isn't 0 count.</summary>
    private static bool TryParseLong(ReadOnlySpan<byte> text, bool negative, out Number number, out bool isCanonical)
    {
        number = default;
        isCanonical = false;
        UInt128 magnitude = 0;
        var significant = 0; // digits taken into magnitude
        long zeros = 0; // zeros seen since, taken only if a digit follows
        long places = 0; // digits after the point that are taken or pending
        var afterPoint = false;
        var i = negative ? 1 : 0;
        for (; i < text.Length && text[i] is not ((byte)'e' or (byte)'E'); i++)
        {
            if (text[i] == (byte)'.')
            {
                afterPoint = true;
                continue;
            }

            if (afterPoint) places++;
            var digit = (uint)text[i] - '0';
            if (digit == 0)
            {
                if (significant > 0) zeros++;
                continue;
            }

            if (significant + zeros + 1 > DigitsMax && significant > 0) return false;
            magnitude = (magnitude * Pow10((int)zeros + 1)) + digit;
            significant += (int)zeros + 1;
            zeros = 0;
        }

        if (significant == 0) return true;
        long exponent = 0;
        if (i < text.Length && !TryParseExponent(text[(i + 1)..], out exponent)) return false;
        exponent += zeros - places;
        return exponent is >= -1000 and <= 1000 && Make(negative, magnitude, (int)exponent, out number) == NumberFault.None;
    }

    private static bool TryParseExponent(ReadOnlySpan<byte> text, out long exponent)
    {
        exponent = 0;
        var negative = text[0] == (byte)'-';
        if (text[0] is (byte)'-' or (byte)'+') text = text[1..];
        text = text.TrimStart((byte)'0');

        // Ten digits cover every exponent that a text of bounded length could bring back into range by its zeros.
        if (text.Length > 10) return false;
        foreach (var c in text) exponent = (exponent * 10) + (c - '0');
        if (negative) exponent = -exponent;
        return true;
    }

    private int FormatMagnitude(Span<byte> digits)
    {
        if (High == 0)
        {
            Utf8Formatter.TryFormat(Low, digits, out var written);
            return written;
        }

        ((IUtf8SpanFormattable)Magnitude).TryFormat(digits, out var count, default, provider: null);
        return count;
    }
}
