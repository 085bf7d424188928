using System.Globalization;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>A time as <see href="https://www.rfc-editor.org/rfc/rfc3339">RFC 3339</see> writes it, with up to nine places of a
/// second.</summary>
/// <param name="Local">The date and time as written, to the second.</param>
/// <param name="Nanoseconds">The fraction.</param>
/// <param name="Offset">From UTC, in minutes.</param>
internal readonly record struct TimeText(DateTime Local, int Nanoseconds, int Offset)
{
    private const int SecondLength = 19; // 2026-03-01T12:00:00
    private const int PlacesMax = 9;

    public long UnixSeconds => ((Local.Ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerSecond) - (Offset * 60L);

    public static bool TryParse(ReadOnlySpan<byte> utf8, out TimeText time)
    {
        time = default;
        if (utf8.Length is < SecondLength + 1 or > SecondLength + 1 + PlacesMax + 6) return false;
        Span<char> text = stackalloc char[SecondLength];
        for (var i = 0; i < SecondLength; i++) text[i] = char.ToUpperInvariant((char)utf8[i]);

        // A space between date and time is common and allowed by a note in RFC 3339 section 5.6.
        if (text[10] == ' ') text[10] = 'T';
        if (!DateTime.TryParseExact(text, "yyyy-MM-dd'T'HH:mm:ss", CultureInfo.InvariantCulture, DateTimeStyles.None, out var local))
            return false;
        var rest = utf8[SecondLength..];
        var nanoseconds = 0;
        if (rest[0] == (byte)'.')
        {
            var places = rest[1..].IndexOfAnyExceptInRange((byte)'0', (byte)'9');
            if (places is < 1 or > PlacesMax) return false;
            for (var i = 1; i <= PlacesMax; i++) nanoseconds = (nanoseconds * 10) + (i <= places ? rest[i] - '0' : 0);
            rest = rest[(places + 1)..];
        }

        if (!TryParseOffset(rest, out var offset)) return false;
        time = new TimeText(local, nanoseconds, offset);
        return true;
    }

    /// <summary><c>Z</c> or <c>±hh:mm</c>.</summary>
    public static bool TryParseOffset(ReadOnlySpan<byte> text, out int minutes)
    {
        minutes = 0;
        if (text.SequenceEqual("Z"u8) || text.SequenceEqual("z"u8) || text.SequenceEqual("UTC"u8)) return true;
        if (text.Length != 6 || text[0] is not ((byte)'+' or (byte)'-') || text[3] != (byte)':') return false;
        foreach (var i in (ReadOnlySpan<int>)[1, 2, 4, 5])
            if (!char.IsAsciiDigit((char)text[i])) return false;
        var hours = ((text[1] - '0') * 10) + text[2] - '0';
        minutes = (hours * 60) + ((text[4] - '0') * 10) + text[5] - '0';
        if (hours > 23 || text[4] > (byte)'5') return false;
        if (text[0] == (byte)'-') minutes = -minutes;
        return true;
    }

    /// <summary>The same moment, written at another offset; false at the ends of the calendar.</summary>
    public bool TryMove(int offset, out TimeText moved)
    {
        moved = this;
        var ticks = Local.Ticks + ((offset - Offset) * TimeSpan.TicksPerMinute);
        if (ticks < 0 || ticks > DateTime.MaxValue.Ticks) return false;
        moved = new TimeText(new DateTime(ticks), Nanoseconds, offset);
        return true;
    }

    /// <summary>The exact seconds since 1970.</summary>
    public Number ToNumber()
    {
        Number.Add(new Number(UnixSeconds), WithNanoseconds(0), out var sum);
        return sum;
    }

    /// <summary>A whole number of seconds with this time's fraction.</summary>
    public Number WithNanoseconds(int seconds)
    {
        Number.Make(negative: false, (UInt128)((seconds * 1_000_000_000L) + Nanoseconds), -PlacesMax, out var number);
        return number;
    }
}
