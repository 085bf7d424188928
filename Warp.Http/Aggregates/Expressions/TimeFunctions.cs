using System.Globalization;
using System.Text;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>Functions of times, which are texts (RFC 3339) or seconds since 1970. None reads a clock: a fold gives the same at any
/// time.</summary>
internal static class TimeFunctions
{
    /// <summary>0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z in seconds since 1970: the calendar's ends.</summary>
    private const long SecondsMin = -62_135_596_800;
    private const long SecondsMax = 253_402_300_799;

    public static Function[] All { get; } =
    [
        new("timestamp", FunctionForms.Global, 1, 1, static (ref e, at, scoped a) =>
            TryRead(ref e, at, a, out var time, out var error) ? new JsonValue(time.ToNumber()) : error),
        new("time", FunctionForms.Global, 1, 1, Format),
        Part("year", static time => time.Local.Year),
        Part("month", static time => time.Local.Month),
        Part("day", static time => time.Local.Day),
        Part("hours", static time => time.Local.Hour),
        Part("minutes", static time => time.Local.Minute),
        Part("dayOfWeek", static time => time.Local.DayOfWeek == DayOfWeek.Sunday ? 7 : (int)time.Local.DayOfWeek),
        Part("dayOfYear", static time => time.Local.DayOfYear),
        new("seconds", FunctionForms.Method, 1, 2, static (ref e, at, scoped a) =>
            TryRead(ref e, at, a, out var time, out var error) ? new JsonValue(time.WithNanoseconds(time.Local.Second)) : error),
        new("date", FunctionForms.Method, 1, 2, static (ref e, at, scoped a) =>
            TryRead(ref e, at, a, out var time, out var error) ? JsonValue.Of(time.Local.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture)) : error),
    ];

    private static Function Part(string name, Func<TimeText, int> part) => new(name, FunctionForms.Method, 1, 2, (ref e, at, scoped a) =>
        TryRead(ref e, at, a, out var time, out var error) ? JsonValue.Of(part(time)) : error);

    /// <summary>The time in the first argument, at the offset in the second if there is one.</summary>
    private static bool TryRead(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments, out TimeText time, out JsonValue error)
    {
        time = default;
        error = default;
        if (arguments[0].Kind != JsonKind.Text) error = at.FailArgument(ref e, 0, "a time as text", arguments[0]);
        else if (!TimeText.TryParse(arguments[0].Utf8, out time))
            error = e.Fail(at.Argument(0), "The text is not a time as RFC 3339 writes it.");
        if (error.IsError || arguments.Length == 1) return !error.IsError;
        if (arguments[1].Kind != JsonKind.Text || !TimeText.TryParseOffset(arguments[1].Utf8, out var offset))
            error = e.Fail(at.Argument(1), "An offset is written UTC, Z or as in +01:00.");
        else if (!time.TryMove(offset, out time))
            error = e.Fail(at, "At this offset the time is outside the years 1 to 9999.");
        return !error.IsError;
    }

    /// <summary>Seconds since 1970 as text in UTC.</summary>
    private static JsonValue Format(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments)
    {
        if (!arguments[0].IsNumber) return at.FailArgument(ref e, 0, "seconds since 1970", arguments[0]);
        var number = arguments[0].Number;
        if (number < new Number(SecondsMin) || number.Floor() > new Number(SecondsMax))
            return e.Fail(at, "The time is outside the years 1 to 9999.");
        var whole = long.Parse(number.Floor().ToString(), CultureInfo.InvariantCulture);
        Number.Subtract(number, new Number(whole), out var fraction);
        if (fraction != fraction.RoundAway(9)) return e.Fail(at, "A time has at most 9 places after the second.");
        var text = new StringBuilder(DateTime.UnixEpoch.AddSeconds(whole).ToString("yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture));
        if (!fraction.IsZero) text.Append(fraction.ToString().AsSpan(1));
        return JsonValue.Of(text.Append('Z').ToString());
    }
}
