using System.Diagnostics;
using System.Numerics;
using System.Text;
using System.Text.Json;
using CsCheck;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Tests.Aggregates;

public sealed class JsonEqualityTests
{
    [Theory]
    [InlineData("1", "1.0")]
    [InlineData("1", "1e0")]
    [InlineData("1", "0.1E+1")]
    [InlineData("-0", "0.000e-5")]
    [InlineData("100", "1e2")]
    [InlineData("0.001", "1e-3")]
    [InlineData("123456789012345678901234567890123456789.5", "1234567890123456789012345678901234567895e-1")]
    [InlineData("1e999999999999999999999", "10e999999999999999999998")]
    [InlineData("1e1000000000000000000000", "10e999999999999999999999")]
    [InlineData("1e-1000000000000000000000", "0.1e-999999999999999999999")]
    [InlineData("0.1e100000000000000000", "1e99999999999999999")]
    [InlineData("""{"a":1,"b":[1,2]}""", """ { "b" : [ 1.0 , 2 ] , "a" : 1 } """)]
    [InlineData("""{"a":1,"a":2,"b":3}""", """{"b":3,"a":1,"a":2}""")]
    [InlineData("\"\\u0041\\/\"", "\"A/\"")]
    [InlineData("""{"\u0061":1,"b":2}""", """{"b":2,"a":1}""")]
    [InlineData("[]", "[ ]")]
    public void Equal(string a, string b)
    {
        Compare(a, b).ShouldBeTrue();
        Compare(b, a).ShouldBeTrue();
    }

    [Theory]
    [InlineData("1", "2")]
    [InlineData("1", "-1")]
    [InlineData("1", "\"1\"")]
    [InlineData("1", "10")]
    [InlineData("12", "1.2")]
    [InlineData("101", "11")]
    [InlineData("0", "false")]
    [InlineData("123456789012345678901234567890123456789", "123456789012345678901234567890123456788")]
    [InlineData("1e999999999999999999999", "1e999999999999999999998")]
    [InlineData("1e99999999999999999999", "1e-99999999999999999999")]
    [InlineData("""{"a":1,"a":2}""", """{"a":2,"a":1}""")]
    [InlineData("""{"a":1,"a":1}""", """{"a":1}""")]
    [InlineData("""{"a":1}""", """{"b":1}""")]
    [InlineData("[1,2]", "[2,1]")]
    [InlineData("[1,2]", "[1,2,3]")]
    [InlineData("null", "{}")]
    [InlineData("1", "1 1")]
    [InlineData("[", "[1")]
    public void Not_equal(string a, string b)
    {
        Compare(a, b).ShouldBeFalse();
        Compare(b, a).ShouldBeFalse();
    }

    [Fact]
    public void It_agrees_with_a_plain_comparison() =>
        Gen.Select(JsonTexts.Values, JsonTexts.Values).Sample((a, b) => Compare(a, b).ShouldBe(Model(a, b)), iter: 20_000);

    [Fact]
    public void Numbers_agree_with_integers_of_any_size()
    {
        var numbers = Gen.Select(Gen.Bool, Gen.Char["0012"].Array[1, 5], Gen.Char["0012"].Array[0, 5], Gen.Int[-4, 4], (negative, whole, part, exponent) =>
        {
            var digits = new string(whole).TrimStart('0');
            return $"{(negative ? "-" : "")}{(digits.Length == 0 ? "0" : digits)}{(part.Length == 0 ? "" : "." + new string(part))}{(exponent == 0 ? "" : $"e{exponent:+00;-00}")}";
        });
        Gen.Select(numbers, numbers).Sample((a, b) => Compare(a, b).ShouldBe(DecimalModel.Parse(a) == DecimalModel.Parse(b)), iter: 40_000);
    }

    [Fact]
    public void Shuffled_members_and_respelled_numbers_are_equal() =>
        Gen.Int[0, 50].Array[0, 60].Sample(values =>
        {
            var members = values.Select((value, i) => (Name: $"n{i}", value)).ToArray();
            var a = string.Join(',', members.Select(m => $"\"{m.Name}\":{m.value}"));
            var b = string.Join(',', members.Reverse().Select(m => $"\"{m.Name}\":{m.value}.0"));
            Compare($"{{{a}}}", $"{{{b}}}").ShouldBeTrue();
        });

    [Fact]
    public void Hostile_texts_cost_no_more_than_reading_them()
    {
        var watch = Stopwatch.StartNew();
        var digits = new string('9', 500_000);
        Compare($"1e{digits}", $"10e{digits[1..]}8").ShouldBeTrue();
        Compare($"{digits}e1", $"{digits}0").ShouldBeTrue();
        Compare("1" + new string('0', 900_000), "1e900000").ShouldBeTrue();
        var nested = string.Concat(Enumerable.Repeat("{\"a\":1,\"b\":", 60)) + "[" + string.Join(',', Enumerable.Range(0, 100_000)) + "]" + new string('}', 60);
        var reordered = string.Concat(Enumerable.Repeat("{\"b\":", 60)) + "[" + string.Join(',', Enumerable.Range(0, 100_000)) + "]" + string.Concat(Enumerable.Repeat(",\"a\":1}", 60));
        Compare(nested, reordered).ShouldBeTrue();
        watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(2));
    }

    private static bool Compare(string a, string b) => JsonEquality.AreEqual(Encoding.UTF8.GetBytes(a), Encoding.UTF8.GetBytes(b));

    private static bool Model(string a, string b)
    {
        using var left = JsonDocument.Parse(a);
        using var right = JsonDocument.Parse(b);
        return string.Equals(Canonical(left.RootElement), Canonical(right.RootElement), StringComparison.Ordinal);
    }

    /// <summary>One text for all JSON-equal values: members sorted by name, stably, and numbers as an integer and a power.</summary>
    private static string Canonical(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => $"{{{string.Join(',', element.EnumerateObject().OrderBy(m => m.Name, StringComparer.Ordinal).Select(m => JsonSerializer.Serialize(m.Name) + Canonical(m.Value)))}}}",
        JsonValueKind.Array => $"[{string.Join(',', element.EnumerateArray().Select(Canonical))}]",
        JsonValueKind.Number => DecimalModel.Parse(element.GetRawText()) is var number && number.Magnitude == BigInteger.Zero ? "0" : $"{number.Magnitude}e{number.Exponent}",
        JsonValueKind.String => JsonSerializer.Serialize(element.GetString()),
        _ => element.GetRawText(),
    };
}
