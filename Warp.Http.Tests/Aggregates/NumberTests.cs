using System.Numerics;
using System.Text;
using CsCheck;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Tests.Aggregates;

public sealed class NumberTests
{
    private static readonly Gen<string> Digits = Gen.Char['0', '9'].Array[1, 30].Select(digits => new string(digits).TrimStart('0') is "" ? "0" : new string(digits).TrimStart('0'));

    private static readonly Gen<string> Texts = Gen.Frequency(
        (3, Gen.Long[-100_000, 100_000].Select(cents => FormattableString.Invariant($"{cents / 100m}"))),
        (2, Gen.Select(Gen.Bool, Digits, Gen.Char['0', '9'].Array[1, 30], (negative, whole, part) => $"{(negative ? "-" : "")}{whole}.{new string(part)}")),
        (2, Gen.Select(Digits, Gen.Int[-40, 40], (whole, exponent) => $"{whole}e{exponent}")),
        (1, Gen.Select(Digits, Gen.Int[-360, 330], (whole, exponent) => $"-{whole}E{exponent}")));

    [Theory]
    [InlineData("0.1", "+", "0.2", "0.3")]
    [InlineData("5", "/", "2", "2.5")]
    [InlineData("1", "/", "3", "0.3333333333333333333333333333")]
    [InlineData("2", "/", "3", "0.6666666666666666666666666667")]
    [InlineData("1e30", "+", "1e3", "1.000000000000000000000000001e30")]
    [InlineData("1e28", "-", "1", "9999999999999999999999999999")]
    [InlineData("9999999999999999999999999999", "+", "1", "1e28")]
    [InlineData("1e-30", "*", "1e30", "1")]
    [InlineData("4e27", "*", "2.5", "1e28")]
    [InlineData("1e300", "%", "7", "1")]
    [InlineData("-7.5", "%", "2", "-1.5")]
    [InlineData("123.456", "*", "1000", "123456")]
    public void Arithmetic_is_decimal(string left, string sign, string right, string expected)
    {
        Calculate(Parse(left), sign, Parse(right), out var result).ShouldBe(NumberFault.None);
        result.ToString().ShouldBe(expected);
    }

    [Theory]
    [InlineData("1e28", "+", "1", NumberFault.Inexact)]
    [InlineData("1e300", "+", "1", NumberFault.Inexact)]
    [InlineData("1.0000000000001", "*", "1.00000000000000001", NumberFault.Inexact)]
    [InlineData("1e200", "*", "1e200", NumberFault.OutOfRange)]
    [InlineData("1e-200", "*", "1e-200", NumberFault.OutOfRange)]
    [InlineData("1", "/", "0", NumberFault.DivisionByZero)]
    [InlineData("1", "%", "0.0", NumberFault.DivisionByZero)]
    public void What_is_not_exact_is_a_fault_and_never_rounded(string left, string sign, string right, NumberFault expected) =>
        Calculate(Parse(left), sign, Parse(right), out _).ShouldBe(expected);

    [Theory]
    [InlineData("3.0", "3")]
    [InlineData("-0", "0")]
    [InlineData("1e3", "1000")]
    [InlineData("100e-4", "0.01")]
    [InlineData("1e-28", "0.0000000000000000000000000001")]
    [InlineData("1e-29", "1e-29")]
    [InlineData("1e27", "1000000000000000000000000000")]
    [InlineData("0.00e400", "0")]
    [InlineData("1.7976931348623157e308", "1.7976931348623157e308")]
    [InlineData("5e-324", "5e-324")]
    public void Text_is_canonical(string text, string expected) => Parse(text).ToString().ShouldBe(expected);

    [Theory]
    [InlineData("12345678901234567890123456789")]
    [InlineData("1e309")]
    [InlineData("1e400")]
    [InlineData("1e-325")]
    [InlineData("1e99999999999999999999")]
    [InlineData("0.12345678901234567890123456789")]
    public void Beyond_28_digits_or_the_range_there_is_no_number(string text) =>
        Number.TryParse(Encoding.ASCII.GetBytes(text), out _, out _).ShouldBeFalse();

    [Fact]
    public void Zeros_that_mean_nothing_do_not_count_as_digits()
    {
        Parse("0." + new string('0', 100) + "1" + new string('0', 100)).ToString().ShouldBe("1e-101");
        Parse("1" + new string('0', 5000) + "e-5000").ToString().ShouldBe("1");
    }

    [Theory]
    [InlineData("2.5", "3", "2", "3", "2")]
    [InlineData("-2.5", "-3", "-3", "-2", "-2")]
    [InlineData("0.4", "0", "0", "1", "0")]
    [InlineData("7", "7", "7", "7", "7")]
    [InlineData("1e-40", "0", "0", "1", "0")]
    [InlineData("-9999999999999999999999999999e-28", "-1", "-1", "0", "-1")]
    public void Whole_numbers_are_found_in_every_direction(string text, string away, string floor, string ceiling, string even)
    {
        var number = Parse(text);
        number.RoundAway(0).ToString().ShouldBe(away);
        number.Floor().ToString().ShouldBe(floor);
        number.Ceiling().ToString().ShouldBe(ceiling);
        number.RoundEven(0).ToString().ShouldBe(even);
    }

    [Fact]
    public void Every_operation_agrees_with_integers_of_any_size() =>
        Gen.Select(Texts, Texts, Gen.OneOf("+", "-", "*", "/", "%")).Sample((left, right, sign) =>
        {
            if (!Number.TryParse(Encoding.ASCII.GetBytes(left), out var a, out _) || !Number.TryParse(Encoding.ASCII.GetBytes(right), out var b, out _)) return;
            var fault = Calculate(a, sign, b, out var result);
            var expected = DecimalModel.Calculate(DecimalModel.Parse(left), sign, DecimalModel.Parse(right), out var expectedFault);
            fault.ShouldBe(expectedFault);
            if (fault == NumberFault.None) DecimalModel.Parse(result.ToString()).ShouldBe(expected);
        }, iter: 40_000);

    [Fact]
    public void Parsing_text_and_order_agree_with_integers_of_any_size() =>
        Gen.Select(Texts, Texts).Sample((left, right) =>
        {
            var isNumber = Number.TryParse(Encoding.ASCII.GetBytes(left), out var a, out var isCanonical);
            var model = DecimalModel.Parse(left);
            isNumber.ShouldBe(DecimalModel.Judge(model) == NumberFault.None);
            if (!isNumber) return;
            DecimalModel.Parse(a.ToString()).ShouldBe(model);
            if (isCanonical) a.ToString().ShouldBe(left);
            if (!Number.TryParse(Encoding.ASCII.GetBytes(right), out var b, out _)) return;
            Math.Sign(a.CompareTo(b)).ShouldBe(DecimalModel.Compare(model, DecimalModel.Parse(right)));
            (a == b).ShouldBe(DecimalModel.Parse(right) == model);
            if (a == b) a.GetHashCode().ShouldBe(b.GetHashCode());
        }, iter: 25_000);

    private static Number Parse(string text)
    {
        Number.TryParse(Encoding.ASCII.GetBytes(text), out var number, out _).ShouldBeTrue();
        return number;
    }

    private static NumberFault Calculate(Number a, string sign, Number b, out Number result) => sign switch
    {
        "+" => Number.Add(a, b, out result),
        "-" => Number.Subtract(a, b, out result),
        "*" => Number.Multiply(a, b, out result),
        "/" => Number.Divide(a, b, out result),
        _ => Number.Remainder(a, b, out result),
    };
}

/// <summary>Decimals the plain way: an integer of any size and a power of ten, without trailing zeros.</summary>
internal readonly record struct DecimalModel(BigInteger Magnitude, int Exponent)
{
    public static DecimalModel Parse(string text)
    {
        var e = text.IndexOfAny(['e', 'E']);
        var exponent = e < 0 ? 0 : int.Parse(text[(e + 1)..]);
        var digits = e < 0 ? text : text[..e];
        var point = digits.IndexOf('.');
        if (point >= 0) exponent -= digits.Length - point - 1;
        return Of(BigInteger.Parse(digits.Replace(".", "", StringComparison.Ordinal)), exponent);
    }

    public static DecimalModel Of(BigInteger magnitude, int exponent)
    {
        if (magnitude.IsZero) return default;
        while ((magnitude % 10).IsZero)
        {
            magnitude /= 10;
            exponent++;
        }

        return new DecimalModel(magnitude, exponent);
    }

    public static NumberFault Judge(DecimalModel value)
    {
        if (value.Magnitude.IsZero) return NumberFault.None;
        var digits = BigInteger.Abs(value.Magnitude).ToString().Length;
        if (digits > Number.DigitsMax) return NumberFault.Inexact;
        var power = value.Exponent + digits - 1;
        return power is < Number.PowerMin or > Number.PowerMax ? NumberFault.OutOfRange : NumberFault.None;
    }

    public static int Compare(DecimalModel a, DecimalModel b)
    {
        var (left, right, _) = Align(a, b);
        return left.CompareTo(right);
    }

    public static DecimalModel Calculate(DecimalModel a, string sign, DecimalModel b, out NumberFault fault)
    {
        if (sign is "/" or "%" && b.Magnitude.IsZero)
        {
            fault = NumberFault.DivisionByZero;
            return default;
        }

        var (left, right, exponent) = Align(a, b);
        var result = sign switch
        {
            "+" => Of(left + right, exponent),
            "-" => Of(left - right, exponent),
            "*" => Of(a.Magnitude * b.Magnitude, a.Exponent + b.Exponent),
            "%" => Of(BigInteger.Remainder(left, right), exponent),
            _ => Divide(left, right),
        };
        fault = Judge(result);
        return fault == NumberFault.None ? result : default;
    }

    /// <summary>Long division: a hundred digits more than needed as text, cut after the 28th.</summary>
    private static DecimalModel Divide(BigInteger a, BigInteger b)
    {
        const int places = 900;
        var quotient = BigInteger.DivRem(BigInteger.Abs(a) * BigInteger.Pow(10, places), BigInteger.Abs(b), out var rest);
        var text = quotient.ToString();
        var negative = a.Sign * b.Sign < 0;
        if (text.Length > Number.DigitsMax)
        {
            var kept = BigInteger.Parse(text[..Number.DigitsMax]);
            var dropped = text[Number.DigitsMax..].TrimEnd('0') + (rest.IsZero ? "" : "1");
            var isHalf = dropped is "5";
            if (isHalf ? !kept.IsEven : string.CompareOrdinal(dropped, "5") > 0) kept++;
            return Of(negative ? -kept : kept, text.Length - Number.DigitsMax - places);
        }

        return Of(negative ? -quotient : quotient, -places);
    }

    private static (BigInteger Left, BigInteger Right, int Exponent) Align(DecimalModel a, DecimalModel b)
    {
        var exponent = Math.Min(a.Exponent, b.Exponent);
        return (a.Magnitude * BigInteger.Pow(10, a.Exponent - exponent), b.Magnitude * BigInteger.Pow(10, b.Exponent - exponent), exponent);
    }
}
