namespace Warp.Http.Aggregates.Values;

/// <summary>Why an operation on numbers has no answer.</summary>
public enum NumberFault
{
    None = 0,

    /// <summary>The exact result has more than 28 significant digits; it is never rounded.</summary>
    Inexact,

    /// <summary>The result's magnitude is beyond what <see cref="Number"/> holds.</summary>
    OutOfRange,

    DivisionByZero,
}

/// <summary>
/// A decimal number of up to 28 significant digits: <c>±magnitude × 10^exponent</c>, with the leading digit's power between
/// <see cref="PowerMin"/> and <see cref="PowerMax"/>. Sums, differences and products are exact or a <see cref="NumberFault"/>.
/// </summary>
/// <remarks>
/// <see cref="decimal"/> can't serve: it keeps 28 digits only between 1e-28 and 7.9e28 and rounds products silently. Here the
/// magnitude is an integer below 10^28 (94 bits) and the exponent is free, so 1e30 and 1e-30 are as exact as 1. The same value
/// may be held with trailing zeros (1.50 as 150e-2): adding like to like then needs no alignment. Comparison, hash and text
/// don't see the difference.
/// </remarks>
public readonly partial struct Number : IEquatable<Number>, IComparable<Number>
{
    public const int DigitsMax = 28;

    /// <summary>Powers of ten of the leading digit: the magnitudes that a double holds, so JSON written from doubles is in range.</summary>
    public const int PowerMin = -324;

    /// <inheritdoc cref="PowerMin"/>
    public const int PowerMax = 308;

    // The magnitude in two words, not one UInt128, so that the struct is 16 bytes and a value of JSON 24.
    internal readonly ulong Low;
    internal readonly uint High;
    internal readonly short Exponent;
    internal readonly bool IsNegative;

    internal Number(ulong low, uint high, short exponent, bool isNegative)
    {
        Low = low;
        High = high;
        Exponent = exponent;
        IsNegative = isNegative;
    }

    public Number(long value)
        : this(value < 0 ? (ulong)-value : (ulong)value, 0, 0, value < 0)
    {
    }

    public static Number Zero => default;

    public bool IsZero => (Low | High) == 0;

    internal UInt128 Magnitude => new(High, Low);

    public static bool operator ==(Number left, Number right) => left.CompareTo(right) == 0;

    public static bool operator !=(Number left, Number right) => left.CompareTo(right) != 0;

    public static bool operator <(Number left, Number right) => left.CompareTo(right) < 0;

    public static bool operator >(Number left, Number right) => left.CompareTo(right) > 0;

    public static bool operator <=(Number left, Number right) => left.CompareTo(right) <= 0;

    public static bool operator >=(Number left, Number right) => left.CompareTo(right) >= 0;

    public Number Negate() => IsZero ? this : new Number(Low, High, Exponent, !IsNegative);

    public Number Abs() => new(Low, High, Exponent, isNegative: false);

    public int CompareTo(Number other)
    {
        if (IsZero) return other.IsZero ? 0 : other.IsNegative ? 1 : -1;
        if (other.IsZero || IsNegative != other.IsNegative) return IsNegative ? -1 : 1;
        var magnitudes = CompareMagnitude(this, other);
        return IsNegative ? -magnitudes : magnitudes;
    }

    public bool Equals(Number other) => CompareTo(other) == 0;

    public override bool Equals(object? obj) => obj is Number other && Equals(other);

    public override int GetHashCode()
    {
        var stripped = Stripped();
        return HashCode.Combine(stripped.Low, stripped.High, stripped.Exponent, stripped.IsNegative);
    }

    /// <summary>The value as an index or a count; false for fractions and what is beyond 32 bits.</summary>
    public bool TryToInt32(out int value)
    {
        value = 0;
        var stripped = Stripped();
        if (stripped.Exponent is < 0 or > 9) return false;
        var scaled = stripped.Magnitude * Pow10(stripped.Exponent);
        if (scaled > int.MaxValue) return false;
        value = stripped.IsNegative ? -(int)scaled : (int)scaled;
        return true;
    }

    private static int CompareMagnitude(in Number a, in Number b)
    {
        if (a.Exponent == b.Exponent) return a.Magnitude.CompareTo(b.Magnitude);
        var powers = a.LeadingPower.CompareTo(b.LeadingPower);
        if (powers != 0) return powers;

        // With the same leading power the shift is at most 27 places and the shifted magnitude has as many digits as the other.
        return a.Exponent > b.Exponent
            ? (a.Magnitude * Pow10(a.Exponent - b.Exponent)).CompareTo(b.Magnitude)
            : a.Magnitude.CompareTo(b.Magnitude * Pow10(b.Exponent - a.Exponent));
    }
}
