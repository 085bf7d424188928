namespace Warp.Http.Aggregates.Values;

/// <content>Rounding to whole numbers or to a count of places.</content>
public readonly partial struct Number
{
    public Number Floor() => Whole(0, static (negative, _, rest, _) => negative && rest != UInt128.Zero);

    public Number Ceiling() => Whole(0, static (negative, _, rest, _) => !negative && rest != UInt128.Zero);

    public Number Truncate() => Whole(0, static (_, _, _, _) => false);

    /// <summary>Rounds at <paramref name="places"/> digits after the point, halves away from zero as CEL's <c>math.round</c>
    /// does.</summary>
    public Number RoundAway(int places) => Whole(places, static (_, _, rest, unit) => rest >= unit - rest);

    /// <summary>Rounds at <paramref name="places"/> digits after the point, halves to the even neighbour, as division does.</summary>
    public Number RoundEven(int places) => Whole(places, static (_, kept, rest, unit) =>
        rest > unit - rest || (rest == unit - rest && !UInt128.IsEvenInteger(kept)));

    private delegate bool Raises(bool negative, UInt128 kept, UInt128 rest, UInt128 unit);

    private Number Whole(int places, Raises raises)
    {
        var dropped = -places - Exponent;
        if (dropped <= 0 || IsZero) return this;

        // With more places dropped than there are digits, the rest is the whole magnitude, and less than a tenth of the unit:
        // a unit of 10^30 says all there is to know about it.
        var unit = Pow10(Math.Min(dropped, 30));
        var (kept, rest) = UInt128.DivRem(Magnitude, unit);
        if (raises(IsNegative, kept, rest, unit)) kept++;

        // One digit more than the magnitude had is a 1 with zeros, which Make moves into the exponent.
        Make(IsNegative, kept, -places, out var result);
        return result;
    }
}
