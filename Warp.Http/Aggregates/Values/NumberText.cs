using System.Globalization;

namespace Warp.Http.Aggregates.Values;

/// <summary>Compares JSON numbers of any length and exponent by value, in time linear in their characters.</summary>
internal static class NumberText
{
    /// <summary>Exponents with more digits than this don't surely fit a long together with a text's length.</summary>
    private const int ShortExponentDigits = 17;

    public static bool AreEqual(ReadOnlySpan<byte> a, ReadOnlySpan<byte> b)
    {
        if (a.SequenceEqual(b)) return true;
        var left = Parts.Of(a);
        var right = Parts.Of(b);

        // -0 is 0.
        if (left.Digits.IsZero || right.Digits.IsZero) return left.Digits.IsZero && right.Digits.IsZero;
        return left.IsNegative == right.IsNegative && Digits.AreEqual(left.Digits, right.Digits) && SameScale(left, right);
    }

    private static bool SameScale(in Parts a, in Parts b)
    {
        if (a.Exponent.Length <= ShortExponentDigits && b.Exponent.Length <= ShortExponentDigits)
            return Parse(a.Exponent, a.IsExponentNegative) + a.Shift == Parse(b.Exponent, b.IsExponentNegative) + b.Shift;

        // Exponents of astronomical size: the shift, at most a text's length, changes digits at their end but never the sign.
        return string.Equals(Scale(a), Scale(b), StringComparison.Ordinal);
    }

    private static long Parse(ReadOnlySpan<byte> digits, bool isNegative)
    {
        long value = 0;
        foreach (var c in digits) value = (value * 10) + (c - '0');
        return isNegative ? -value : value;
    }

    /// <summary>Exponent plus shift as text without leading zeros.</summary>
    private static string Scale(in Parts parts)
    {
        if (parts.Exponent.Length <= ShortExponentDigits)
            return (Parse(parts.Exponent, parts.IsExponentNegative) + parts.Shift).ToString(CultureInfo.InvariantCulture);
        var digits = new char[parts.Exponent.Length + 1];
        var carry = parts.IsExponentNegative ? -parts.Shift : parts.Shift;
        for (var i = parts.Exponent.Length - 1; i >= 0; i--)
        {
            var sum = parts.Exponent[i] - '0' + carry;
            carry = Math.DivRem(sum, 10, out var digit);
            if (digit < 0)
            {
                digit += 10;
                carry--;
            }

            digits[i + 1] = (char)('0' + digit);
        }

        digits[0] = (char)('0' + carry);
        var text = new string(digits).TrimStart('0');
        return parts.IsExponentNegative ? '-' + text : text;
    }

    /// <summary>A number's digits between the first and the last that isn't zero, as up to two pieces around the point.</summary>
    private readonly ref struct Digits(ReadOnlySpan<byte> whole, ReadOnlySpan<byte> fraction)
    {
        private readonly ReadOnlySpan<byte> _whole = whole;
        private readonly ReadOnlySpan<byte> _fraction = fraction;

        public bool IsZero => _whole.IsEmpty && _fraction.IsEmpty;

        public static bool AreEqual(in Digits a, in Digits b)
        {
            if (a._whole.Length > b._whole.Length) return AreEqual(b, a);
            var longer = b._whole;
            var both = a._whole.Length;
            if (a._whole.Length + a._fraction.Length != b._whole.Length + b._fraction.Length) return false;
            var rest = longer.Length - both;
            return a._whole.SequenceEqual(longer[..both])
                && a._fraction[..rest].SequenceEqual(longer[both..])
                && a._fraction[rest..].SequenceEqual(b._fraction);
        }
    }

    private readonly ref struct Parts
    {
        public required Digits Digits { get; init; }

        public required bool IsNegative { get; init; }

        /// <summary>Without sign and leading zeros.</summary>
        public required ReadOnlySpan<byte> Exponent { get; init; }

        public required bool IsExponentNegative { get; init; }

        /// <summary>The power of ten of the last digit that isn't zero, before the exponent.</summary>
        public required long Shift { get; init; }

        public static Parts Of(ReadOnlySpan<byte> text)
        {
            var isNegative = text[0] == (byte)'-';
            if (isNegative) text = text[1..];
            ReadOnlySpan<byte> exponent = default;
            var isExponentNegative = false;
            if (text.IndexOfAny((byte)'e', (byte)'E') is >= 0 and var e)
            {
                exponent = text[(e + 1)..];
                isExponentNegative = exponent[0] == (byte)'-';
                exponent = exponent.TrimStart("+-"u8).TrimStart((byte)'0');
                text = text[..e];
            }

            var point = text.IndexOf((byte)'.');
            var whole = point < 0 ? text : text[..point];
            var fraction = point < 0 ? default : text[(point + 1)..].TrimEnd((byte)'0');
            whole = whole.TrimStart((byte)'0');
            long shift = -fraction.Length;
            if (fraction.IsEmpty)
            {
                var trimmed = whole.TrimEnd((byte)'0');
                shift = whole.Length - trimmed.Length;
                whole = trimmed;
            }

            if (whole.IsEmpty) fraction = fraction.TrimStart((byte)'0');
            return new Parts
            {
                Digits = new Digits(whole, fraction),
                IsNegative = isNegative,
                Exponent = exponent,
                IsExponentNegative = isExponentNegative && !exponent.IsEmpty,
                Shift = shift,
            };
        }
    }
}
