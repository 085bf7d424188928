using System.Globalization;

namespace Warp.Http.Aggregates.Values;

/// <content>To the binary numbers of other systems.</content>
public readonly partial struct Number
{
    /// <summary>Up to here every integer is a double, and so is every power of ten up to 22: a quotient of two such is rounded once.</summary>
    private const ulong ExactDoubleMax = 1UL << 53;

    private static readonly double[] ExactPowers = [.. Enumerable.Range(0, 23).Select(power => double.Parse($"1e{power}", CultureInfo.InvariantCulture))];

    /// <summary>The value as an integer of 64 bits; false for fractions and what is beyond.</summary>
    public bool TryToInt64(out long value)
    {
        value = 0;
        var limit = (ulong)long.MaxValue + (IsNegative ? 1UL : 0UL);
        var stripped = Exponent == 0 ? this : Stripped();
        if (stripped.Exponent is < 0 or > 18 || stripped.Magnitude > limit) return false;
        var scaled = stripped.Magnitude * Pow10(stripped.Exponent);
        if (scaled > limit) return false;
        value = stripped.IsNegative ? unchecked(-(long)(ulong)scaled) : (long)(ulong)scaled;
        return true;
    }

    /// <summary>The nearest double.</summary>
    public double ToDouble()
    {
        if (High == 0 && Low <= ExactDoubleMax && Exponent is <= 0 and >= -22)
        {
            var quotient = Low / ExactPowers[-Exponent];
            return IsNegative ? -quotient : quotient;
        }

        Span<byte> text = stackalloc byte[TextMax];
        return double.Parse(text[..Format(text)], NumberStyles.Float, CultureInfo.InvariantCulture);
    }
}
