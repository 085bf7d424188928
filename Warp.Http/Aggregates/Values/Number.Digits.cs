using System.Numerics;

namespace Warp.Http.Aggregates.Values;

/// <content>Digits and powers of ten: what the operations are checked with.</content>
public readonly partial struct Number
{
    private static readonly UInt128[] PowersOfTen = MakePowersOfTen();
    private static readonly UInt128 MagnitudeMax = PowersOfTen[DigitsMax] - 1;

    /// <summary>The power of ten of the leading digit: 0 for 1 to 9, -1 for 0.1. Meaningless for zero.</summary>
    private int LeadingPower => Exponent + DigitCount(Magnitude) - 1;

    internal static UInt128 Pow10(int power) => PowersOfTen[power];

    internal static int DigitCount(UInt128 value)
    {
        // 1233/4096 is a little above log10(2): the guess is right or one too high, which the table settles.
        var bits = 128 - (int)UInt128.LeadingZeroCount(value);
        var guess = (bits * 1233) >> 12;
        return value >= PowersOfTen[guess] ? guess + 1 : Math.Max(guess, 1);
    }

    /// <summary>Makes a number of any exact magnitude; trailing zeros beyond 28 digits move into the exponent.</summary>
    internal static NumberFault Make(bool negative, UInt128 magnitude, int exponent, out Number result)
    {
        result = default;
        if (magnitude == UInt128.Zero) return NumberFault.None;
        while (magnitude > MagnitudeMax)
        {
            var (tenth, digit) = UInt128.DivRem(magnitude, 10);
            if (digit != UInt128.Zero) return NumberFault.Inexact;
            magnitude = tenth;
            exponent++;
        }

        // Far from the ends of the range no digit needs counting.
        if (exponent is < PowerMin or > PowerMax - DigitsMax)
        {
            var power = exponent + DigitCount(magnitude) - 1;
            if (power is < PowerMin or > PowerMax) return NumberFault.OutOfRange;
        }

        result = new Number((ulong)magnitude, (uint)(magnitude >> 64), (short)exponent, negative);
        return NumberFault.None;
    }

    private static NumberFault Make(bool negative, BigInteger magnitude, int exponent, out Number result)
    {
        result = default;
        while (magnitude > MagnitudeMax)
        {
            magnitude = BigInteger.DivRem(magnitude, 10, out var digit);
            if (!digit.IsZero) return NumberFault.Inexact;
            exponent++;
        }

        return Make(negative, (UInt128)magnitude, exponent, out result);
    }

    /// <summary>The same value without trailing zeros in the magnitude; the one form that texts and hashes are made of.</summary>
    private Number Stripped()
    {
        if (IsZero) return default;
        int exponent = Exponent;
        var low = Low;
        var high = High;
        while (high != 0)
        {
            var (tenth, digit) = UInt128.DivRem(new UInt128(high, low), 10);
            if (digit != UInt128.Zero) return new Number(low, high, (short)exponent, IsNegative);
            low = (ulong)tenth;
            high = (uint)(tenth >> 64);
            exponent++;
        }

        while (true)
        {
            var (tenth, digit) = Math.DivRem(low, 10UL);
            if (digit != 0) return new Number(low, 0, (short)exponent, IsNegative);
            low = tenth;
            exponent++;
        }
    }

    private static UInt128[] MakePowersOfTen()
    {
        // 10^38 is the largest power of ten below 2^128.
        var powers = new UInt128[39];
        powers[0] = 1;
        for (var i = 1; i < powers.Length; i++) powers[i] = powers[i - 1] * 10;
        return powers;
    }
}
