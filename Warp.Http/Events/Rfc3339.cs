using System.Globalization;

namespace Warp.Http.Events;

/// <summary>Times as RFC 3339 writes them: strict reading (an offset is required, the date must exist), one form of writing.</summary>
public static class Rfc3339
{
    /// <summary><c>2026-01-31T12:00:00.123Z</c>.</summary>
    public const int LengthMax = 24;

    private const long TicksPerMs = TimeSpan.TicksPerMillisecond;

    /// <summary>Writes the time in UTC with milliseconds and answers the length.</summary>
    public static int Format(long unixMs, Span<byte> destination)
    {
        var time = DateTime.UnixEpoch.AddMilliseconds(unixMs);
        Digits(destination, time.Year, 4);
        destination[4] = (byte)'-';
        Digits(destination[5..], time.Month, 2);
        destination[7] = (byte)'-';
        Digits(destination[8..], time.Day, 2);
        destination[10] = (byte)'T';
        Digits(destination[11..], time.Hour, 2);
        destination[13] = (byte)':';
        Digits(destination[14..], time.Minute, 2);
        destination[16] = (byte)':';
        Digits(destination[17..], time.Second, 2);
        destination[19] = (byte)'.';
        Digits(destination[20..], time.Millisecond, 3);
        destination[23] = (byte)'Z';
        return LengthMax;
    }

    public static string Format(long unixMs) => DateTime.UnixEpoch.AddMilliseconds(unixMs).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture);

    public static bool IsValid(ReadOnlySpan<byte> text) => TryParse(text, out _, out _);

    /// <summary>Reads a time as the last whole millisecond at or before it.</summary>
    /// <param name="isWhole">False if the text says a time between that millisecond and the next.</param>
    public static bool TryParse(ReadOnlySpan<byte> text, out long unixMs, out bool isWhole)
    {
        unixMs = 0;
        isWhole = true;
        if (text.Length < 20
            || !Number(text, 0, 4, 1, 9999, out var year) || text[4] != '-'
            || !Number(text, 5, 2, 1, 12, out var month) || text[7] != '-'
            || !Number(text, 8, 2, 1, DateTime.DaysInMonth(year, month), out var day) || text[10] is not ((byte)'T' or (byte)'t')
            || !Number(text, 11, 2, 0, 23, out var hour) || text[13] != ':'
            || !Number(text, 14, 2, 0, 59, out var minute) || text[16] != ':'
            || !Number(text, 17, 2, 0, 60, out var second))
        {
            return false;
        }

        if (!TryFraction(text[19..], out var fractionMs, out isWhole, out var offsetAt)
            || !TryOffset(text[(19 + offsetAt)..], out var offsetMinutes))
        {
            return false;
        }

        var minuteOfDay = (hour * 60) + minute;

        // A leap second is inserted at the end of a UTC day only (RFC 3339 section 5.7); it counts as the next second's start.
        if (second == 60 && ((minuteOfDay - offsetMinutes + 2880) % 1440) != 1439) return false;
        var ticks = new DateTime(year, month, day, 0, 0, 0, DateTimeKind.Utc).Ticks - DateTime.UnixEpoch.Ticks;
        unixMs = (ticks / TicksPerMs) + (((minuteOfDay - offsetMinutes) * 60L) + second) * 1000 + fractionMs;
        return true;
    }

    private static bool TryFraction(ReadOnlySpan<byte> text, out int ms, out bool isWhole, out int length)
    {
        ms = 0;
        isWhole = true;
        length = 0;
        if (text[0] != '.') return true;
        var digits = 0;
        var scale = 100;
        while (1 + digits < text.Length && text[1 + digits] is >= (byte)'0' and <= (byte)'9')
        {
            var digit = text[1 + digits++] - '0';
            ms += digit * scale;
            if (scale == 0 && digit != 0) isWhole = false;
            scale /= 10;
        }

        length = 1 + digits;
        return digits > 0;
    }

    private static bool TryOffset(ReadOnlySpan<byte> text, out int minutes)
    {
        minutes = 0;
        if (text.Length == 1) return text[0] is (byte)'Z' or (byte)'z';
        if (text.Length != 6 || text[0] is not ((byte)'+' or (byte)'-') || text[3] != ':'
            || !Number(text, 1, 2, 0, 23, out var hours) || !Number(text, 4, 2, 0, 59, out minutes))
        {
            return false;
        }

        minutes += hours * 60;
        if (text[0] == '-') minutes = -minutes;
        return true;
    }

    private static bool Number(ReadOnlySpan<byte> text, int at, int length, int min, int max, out int value)
    {
        value = 0;
        foreach (var c in text.Slice(at, length))
        {
            if (c is < (byte)'0' or > (byte)'9') return false;
            value = (value * 10) + (c - '0');
        }

        return value >= min && value <= max;
    }

    private static void Digits(Span<byte> destination, int value, int length)
    {
        for (var i = length - 1; i >= 0; i--)
        {
            destination[i] = (byte)('0' + (value % 10));
            value /= 10;
        }
    }
}
