using System.Numerics;

namespace Warp.Http.Aggregates.Values;

/// <content>Exact sums and products; division rounded half-even at 28 digits; remainder and whole numbers.</content>
public readonly partial struct Number
{
    public static NumberFault Add(in Number a, in Number b, out Number result)
    {
        // Amounts of one currency share their exponent and fit 64 bits: the path of nearly every fold.
        if (a.Exponent == b.Exponent && (a.High | b.High) == 0)
        {
            if (a.IsNegative == b.IsNegative)
            {
                var sum = a.Low + b.Low;
                if (sum >= a.Low)
                {
                    result = new Number(sum, 0, a.Exponent, a.IsNegative);
                    return NumberFault.None;
                }
            }
            else
            {
                result = a.Low >= b.Low
                    ? new Number(a.Low - b.Low, 0, a.Exponent, a.IsNegative && a.Low != b.Low)
                    : new Number(b.Low - a.Low, 0, a.Exponent, b.IsNegative);
                return NumberFault.None;
            }
        }

        return AddAligned(a, b, out result);
    }

    public static NumberFault Subtract(in Number a, in Number b, out Number result) => Add(a, b.Negate(), out result);

    public static NumberFault Multiply(in Number a, in Number b, out Number result)
    {
        var negative = a.IsNegative != b.IsNegative;
        if ((a.High | b.High) == 0)
        {
            var high = Math.BigMul(a.Low, b.Low, out var low);
            return Make(negative, new UInt128(high, low), a.Exponent + b.Exponent, out result);
        }

        // Up to 56 digits, of which trailing zeros may still bring it back to 28 (4e27 × 2.5).
        return Make(negative, (BigInteger)a.Magnitude * b.Magnitude, a.Exponent + b.Exponent, out result);
    }

    /// <summary>The quotient, exact where 28 digits hold it, else rounded half-even at the 28th.</summary>
    public static NumberFault Divide(in Number a, in Number b, out Number result)
    {
        result = default;
        if (b.IsZero) return NumberFault.DivisionByZero;
        if (a.IsZero) return NumberFault.None;
        var negative = a.IsNegative != b.IsNegative;
        var divisor = b.Stripped();
        if (divisor.Low == 1 && divisor.High == 0) return Make(negative, a.Magnitude, a.Exponent - divisor.Exponent, out result);

        // One digit more than needed at least, so that what is dropped can be judged against one half.
        var shift = DigitsMax + 1 + DigitCount(divisor.Magnitude) - DigitCount(a.Magnitude);
        var quotient = BigInteger.DivRem(a.Magnitude * BigInteger.Pow(10, shift), divisor.Magnitude, out var remainder);
        var exponent = a.Exponent - divisor.Exponent - shift;
        if (remainder.IsZero && Make(negative, quotient, exponent, out result) == NumberFault.None) return NumberFault.None;
        return Round(negative, quotient, sticky: !remainder.IsZero, exponent, out result);
    }

    /// <summary>What is left of <paramref name="a"/> after whole multiples of <paramref name="b"/>; it has the sign of a, as in CEL and
    /// C#.</summary>
    public static NumberFault Remainder(in Number a, in Number b, out Number result)
    {
        result = default;
        if (b.IsZero) return NumberFault.DivisionByZero;
        if (a.IsZero) return NumberFault.None;
        if (CompareMagnitude(a, b) < 0)
        {
            result = a;
            return NumberFault.None;
        }

        // Aligned to the smaller exponent both are integers of a few hundred digits at most. The result has no digit below that
        // exponent and is smaller than b, so it always fits.
        var exponent = Math.Min(a.Exponent, b.Exponent);
        var dividend = a.Magnitude * BigInteger.Pow(10, a.Exponent - exponent);
        var divisor = b.Magnitude * BigInteger.Pow(10, b.Exponent - exponent);
        return Make(a.IsNegative, dividend % divisor, exponent, out result);
    }

    private static NumberFault AddAligned(in Number a, in Number b, out Number result)
    {
        result = b;
        if (a.IsZero) return NumberFault.None;
        result = a;
        if (b.IsZero) return NumberFault.None;
        var upper = a.Exponent >= b.Exponent ? a : b;
        var lower = a.Exponent >= b.Exponent ? b : a;
        var shift = upper.Exponent - lower.Exponent;
        if (DigitCount(upper.Magnitude) + shift > 37)
        {
            lower = lower.Stripped();
            shift = upper.Exponent - lower.Exponent;
            if (shift < 0) return AddAligned(lower, upper, out result);

            // The sum's last digit is lower's last, which isn't 0, and its first is 36 places above: no 28 digits hold that.
            if (DigitCount(upper.Magnitude) + shift > 37) return NumberFault.Inexact;
        }

        var shifted = upper.Magnitude * Pow10(shift);
        if (upper.IsNegative == lower.IsNegative) return Make(upper.IsNegative, shifted + lower.Magnitude, lower.Exponent, out result);
        return shifted >= lower.Magnitude
            ? Make(upper.IsNegative, shifted - lower.Magnitude, lower.Exponent, out result)
            : Make(lower.IsNegative, lower.Magnitude - shifted, lower.Exponent, out result);
    }

    private static NumberFault Round(bool negative, BigInteger digits, bool sticky, int exponent, out Number result)
    {
        var dropped = 0;
        var limit = (BigInteger)MagnitudeMax;
        var unit = BigInteger.One;
        while (digits / unit > limit)
        {
            unit *= 10;
            dropped++;
        }

        var kept = BigInteger.DivRem(digits, unit, out var rest);
        var half = (rest * 2).CompareTo(unit);
        if (half > 0 || (half == 0 && (sticky || !kept.IsEven))) kept++;
        return Make(negative, kept, exponent + dropped, out result);
    }
}
