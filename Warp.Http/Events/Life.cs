using System.Globalization;

namespace Warp.Http.Events;

/// <summary>
/// An entity's current incarnation: its shard and its number there, which is never given twice.
/// Clients see an opaque token of base-32 digits (Crockford's alphabet in lower case, <see href="https://www.crockford.com/base32.html"/>).
/// </summary>
public readonly record struct Life(int Shard, long Number)
{
    /// <summary>Shards fit into one byte of the token.</summary>
    public const int ShardsMax = 256;

    /// <summary>55 bits for the number: with the shard's byte 13 digits are enough.</summary>
    public const long NumberMax = (1L << 55) - 1;

    private const int DigitsMax = 13;
    private const string Digits = "0123456789abcdefghjkmnpqrstvwxyz";

    public bool IsNone => Number == 0;

    public override string ToString()
    {
        Span<byte> text = stackalloc byte[DigitsMax];
        return System.Text.Encoding.ASCII.GetString(text[..Format(text)]);
    }

    /// <summary>Writes the token as ASCII and answers its length, 13 at most.</summary>
    public int Format(Span<byte> destination)
    {
        var value = ((ulong)Number << 8) | (uint)Shard;
        Span<byte> reversed = stackalloc byte[DigitsMax];
        var length = 0;
        do
        {
            reversed[length++] = (byte)Digits[(int)(value & 31)];
            value >>= 5;
        }
        while (value != 0);

        for (var i = 0; i < length; i++) destination[i] = reversed[length - 1 - i];
        return length;
    }

    public static bool TryParse(ReadOnlySpan<byte> text, out Life life)
    {
        life = default;
        if (text.IsEmpty || text.Length > DigitsMax || text[0] == (byte)'0') return false;
        ulong value = 0;
        foreach (var c in text)
        {
            var digit = Digits.IndexOf((char)c, StringComparison.Ordinal);
            if (digit < 0 || value >> 59 != 0) return false;
            value = (value << 5) | (uint)digit;
        }

        life = new Life((int)(value & 0xff), (long)(value >> 8));
        return life.Number is > 0 and <= NumberMax;
    }

    /// <summary>The id of an event that was given none: <c>life-seq</c>. Writes ASCII and answers the length, 33 at most.</summary>
    public int FormatEventId(Span<byte> destination, long seq)
    {
        var at = Format(destination);
        destination[at++] = (byte)'-';
        seq.TryFormat(destination[at..], out var written, default, CultureInfo.InvariantCulture);
        return at + written;
    }

    public string EventId(long seq) => string.Create(CultureInfo.InvariantCulture, $"{this}-{seq}");

    /// <summary>Reads <c>life-seq</c> back. Only the canonical form counts, so that an event has one id.</summary>
    public static bool TryParseEventId(ReadOnlySpan<byte> id, out Life life, out long seq)
    {
        seq = 0;
        life = default;
        var dash = id.LastIndexOf((byte)'-');
        if (dash < 0 || !TryParse(id[..dash], out life)) return false;
        var digits = id[(dash + 1)..];
        return digits.Length is > 0 and <= 18 && digits[0] is >= (byte)'1' and <= (byte)'9'
            && long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out seq);
    }
}
