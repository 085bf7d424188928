using System.Buffers;
using System.Globalization;
using System.Text;

namespace Warp.Http.Events;

/// <summary>
/// The name of an entity as the one form that storage and security use: UTF-8 <c>kind/id</c>, compared byte for byte.
/// Kind: <c>[a-z][a-z0-9_.-]*</c>. Id: UTF-8 without control character, <c>/</c> or <c>\</c>; not <c>.</c> or <c>..</c>.
/// </summary>
public sealed class EntityName
{
    /// <summary>Kinds that begin so belong to the service.</summary>
    public static ReadOnlySpan<byte> ReservedPrefix => "warp."u8;

    private static readonly SearchValues<byte> KindBytes = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789_.-"u8);
    private static readonly SearchValues<byte> UnreservedBytes =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"u8);

    private readonly byte[] _utf8;

    /// <summary>Takes a name that <see cref="TryCheck"/> accepted.</summary>
    public EntityName(ReadOnlySpan<byte> utf8)
    {
        _utf8 = utf8.ToArray();
        KindLength = utf8.IndexOf((byte)'/');
    }

    public int KindLength { get; }

    public ReadOnlySpan<byte> Utf8 => _utf8;

    public ReadOnlyMemory<byte> Memory => _utf8;

    public ReadOnlySpan<byte> Kind => _utf8.AsSpan(0, KindLength);

    public ReadOnlySpan<byte> Id => _utf8.AsSpan(KindLength + 1);

    public static bool IsReserved(ReadOnlySpan<byte> name) => name.StartsWith(ReservedPrefix);

    public override string ToString() => Encoding.UTF8.GetString(_utf8);

    /// <summary>Judges <c>kind/id</c>; <paramref name="error"/> says which rule is broken, with the limit and the value.</summary>
    public static bool TryCheck(ReadOnlySpan<byte> name, Limits limits, out string? error)
    {
        var slash = name.IndexOf((byte)'/');
        if (slash < 0) error = "An entity is named kind/id, as in user/alice.";
        else error = KindError(name[..slash], limits) ?? IdError(name[(slash + 1)..], limits);
        return error is null;
    }

    public static string? KindError(ReadOnlySpan<byte> kind, Limits limits)
    {
        if (kind.Length > limits.KindChars) return $"The kind has {kind.Length} characters; at most {limits.KindChars} are allowed (kindChars).";
        if (kind.IsEmpty || kind[0] is < (byte)'a' or > (byte)'z' || kind.ContainsAnyExcept(KindBytes))
            return "The kind must match [a-z][a-z0-9_.-]*.";
        return null;
    }

    public static string? IdError(ReadOnlySpan<byte> id, Limits limits)
    {
        if (id.IsEmpty) return "The id is empty; it has at least 1 byte.";
        if (id.Length > limits.IdBytes) return $"The id has {id.Length} bytes; at most {limits.IdBytes} are allowed (idBytes).";
        if (id.SequenceEqual("."u8) || id.SequenceEqual(".."u8)) return "The id must not be . or ..";
        if (id.ContainsAny((byte)'/', (byte)'\\')) return "The id must not contain / or \\.";
        if (id.ContainsAnyInRange((byte)0, (byte)0x1f) || id.Contains((byte)0x7f)) return "The id must not contain control characters.";
        if (System.Text.Unicode.Utf8.IsValid(id) is false) return "The id is not valid UTF-8.";

        // C1 controls are U+0080 to U+009F, in UTF-8 C2 80 to C2 9F.
        for (var rest = id; rest.IndexOf((byte)0xc2) is >= 0 and var i; rest = rest[(i + 1)..])
            if (i + 1 < rest.Length && rest[i + 1] is >= 0x80 and <= 0x9f) return "The id must not contain control characters.";
        return null;
    }

    /// <summary>
    /// Decodes one percent-encoded path segment into <paramref name="destination"/>, once and strictly (RFC 3986 section 2.1).
    /// An encoded slash is refused: it would be one entity here and two segments to a proxy.
    /// </summary>
    /// <returns>The bytes written, or -1 with <paramref name="error"/>.</returns>
    public static int DecodeSegment(ReadOnlySpan<char> raw, Span<byte> destination, out string? error)
    {
        error = null;
        var at = 0;
        for (var i = 0; i < raw.Length; i++)
        {
            if (at == destination.Length)
            {
                error = $"The path segment is longer than {destination.Length} bytes.";
                return -1;
            }

            var c = raw[i];
            if (c >= 0x80)
            {
                error = "The path has a character outside ASCII; percent-encode its UTF-8.";
                return -1;
            }

            if (c != '%')
            {
                destination[at++] = (byte)c;
                continue;
            }

            if (i + 2 >= raw.Length || !byte.TryParse(raw.Slice(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
            {
                error = "A % in the path is not followed by two hexadecimal digits.";
                return -1;
            }

            if (value == (byte)'/')
            {
                error = "The path has an encoded slash (%2F); an id has no slash.";
                return -1;
            }

            destination[at++] = value;
            i += 2;
        }

        return at;
    }

    /// <summary>The name as two path segments, percent-encoded: what <c>Location</c> and links carry.</summary>
    public static string ToPath(ReadOnlySpan<byte> name)
    {
        var slash = name.IndexOf((byte)'/');
        if (!name[(slash + 1)..].ContainsAnyExcept(UnreservedBytes)) return Encoding.ASCII.GetString(name);
        var path = new StringBuilder(name.Length * 2);
        path.Append(Encoding.ASCII.GetString(name[..(slash + 1)]));
        foreach (var b in name[(slash + 1)..])
        {
            if (UnreservedBytes.Contains(b)) path.Append((char)b);
            else path.Append('%').Append(b.ToString("X2", CultureInfo.InvariantCulture));
        }

        return path.ToString();
    }
}
