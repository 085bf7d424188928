using System.Globalization;
using System.Text;
using Warp.Http.Events;

namespace Warp.Http.Tests.Endpoints;

public sealed class Rfc3339Tests
{
    [Theory]
    [InlineData("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z")]
    [InlineData("2026-01-31t12:00:00z", "2026-01-31T12:00:00.000Z")]
    [InlineData("2026-01-31T12:00:00.5+01:00", "2026-01-31T11:00:00.500Z")]
    [InlineData("2026-01-31T00:30:00.123456789-23:59", "2026-02-01T00:29:00.123Z")]
    [InlineData("2024-02-29T00:00:00-00:00", "2024-02-29T00:00:00.000Z")]
    [InlineData("2000-02-29T00:00:00Z", "2000-02-29T00:00:00.000Z")]
    [InlineData("1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59.999Z")]
    [InlineData("1990-12-31T23:59:60Z", "1991-01-01T00:00:00.000Z")]
    [InlineData("1990-12-31T15:59:60-08:00", "1991-01-01T00:00:00.000Z")]
    [InlineData("1991-01-01T00:59:60+01:00", "1991-01-01T00:00:00.000Z")]
    [InlineData("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999Z")]
    [InlineData("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z")]
    public void Times_are_read(string text, string utc)
    {
        Rfc3339.TryParse(Encoding.UTF8.GetBytes(text), out var ms, out _).ShouldBeTrue();
        Rfc3339.Format(ms).ShouldBe(utc);
    }

    [Theory]
    [InlineData("")]
    [InlineData("2026-01-31")]
    [InlineData("2026-01-31T12:00:00")]
    [InlineData("2026-01-31 12:00:00Z")]
    [InlineData("2026-01-31T12:00Z")]
    [InlineData("2026-1-31T12:00:00Z")]
    [InlineData("2026-01-32T12:00:00Z")]
    [InlineData("2026-13-01T12:00:00Z")]
    [InlineData("2026-00-01T12:00:00Z")]
    [InlineData("2026-02-29T12:00:00Z")]
    [InlineData("1900-02-29T12:00:00Z")]
    [InlineData("0000-01-01T12:00:00Z")]
    [InlineData("2026-01-31T24:00:00Z")]
    [InlineData("2026-01-31T12:60:00Z")]
    [InlineData("2026-01-31T12:00:61Z")]
    [InlineData("2026-01-31T12:00:60Z")]
    [InlineData("1990-12-31T23:59:60+01:00")]
    [InlineData("2026-01-31T12:00:00.Z")]
    [InlineData("2026-01-31T12:00:00,5Z")]
    [InlineData("2026-01-31T12:00:00+24:00")]
    [InlineData("2026-01-31T12:00:00+01:60")]
    [InlineData("2026-01-31T12:00:00+0100")]
    [InlineData("2026-01-31T12:00:00+01")]
    [InlineData("2026-01-31T12:00:00ZZ")]
    [InlineData("2026-01-31T12:00:00Z ")]
    [InlineData("+026-01-31T12:00:00Z")]
    [InlineData("２026-01-31T12:00:00Z")]
    public void What_is_no_time_is_refused(string text) => Rfc3339.IsValid(Encoding.UTF8.GetBytes(text)).ShouldBeFalse();

    [Fact]
    public void A_time_between_two_milliseconds_says_so()
    {
        Rfc3339.TryParse("2026-01-31T12:00:00.1234Z"u8, out _, out var isWhole).ShouldBeTrue();
        isWhole.ShouldBeFalse();
        Rfc3339.TryParse("2026-01-31T12:00:00.123000Z"u8, out _, out isWhole).ShouldBeTrue();
        isWhole.ShouldBeTrue();
    }

    [Fact]
    public void Both_forms_of_writing_agree_with_the_framework()
    {
        var random = new Random(7);
        Span<byte> text = stackalloc byte[Rfc3339.LengthMax];
        for (var i = 0; i < 10_000; i++)
        {
            var ms = random.NextInt64(-62_135_596_800_000, 253_402_300_799_999);
            var expected = DateTimeOffset.FromUnixTimeMilliseconds(ms).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);
            Encoding.ASCII.GetString(text[..Rfc3339.Format(ms, text)]).ShouldBe(expected);
            Rfc3339.Format(ms).ShouldBe(expected);
            Rfc3339.TryParse(text, out var back, out _).ShouldBeTrue();
            back.ShouldBe(ms);
        }
    }
}
