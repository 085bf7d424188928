using System.Globalization;
using Microsoft.AspNetCore.Http.Features;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>The path as it was sent. Route values are not used for names: Kestrel decodes and resolves them before we see them.</summary>
internal static class RequestTarget
{
    private const string EntitiesPrefix = "/v1/entities/";

    public static ReadOnlySpan<char> PathOf(HttpContext context) => PathOf(context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget);

    /// <summary>The path of a request target in origin or absolute form (RFC 9112 section 3.2), without query.</summary>
    public static ReadOnlySpan<char> PathOf(string rawTarget)
    {
        var target = rawTarget.AsSpan();
        if (target.Length > 0 && target[0] != '/' && target.IndexOf("://", StringComparison.Ordinal) is >= 0 and var scheme)
        {
            var authority = target[(scheme + 3)..];
            var slash = authority.IndexOf('/');
            target = slash < 0 ? "/" : authority[slash..];
        }

        var end = target.IndexOfAny('?', '#');
        return end < 0 ? target : target[..end];
    }

    /// <summary>Refuses what the server would resolve or what no name may hold, before routing sees it; null = nothing is wrong.</summary>
    public static Problem? Check(ReadOnlySpan<char> path)
    {
        // Nearly every path is plain, which two vectorised looks settle.
        if (!path.Contains('%') && path.IndexOf("/.", StringComparison.Ordinal) < 0 && !path.ContainsAnyInRange('\0', '\x1f')) return null;
        foreach (var range in path.Split('/'))
        {
            var segment = path[range];
            var dots = 0;
            var isDots = true;
            for (var i = 0; i < segment.Length; i++)
            {
                var c = DecodeAt(segment, ref i);
                if (char.IsControl(c)) return Problems.InvalidRequest("path", "The path has a control character.");
                isDots &= c == '.';
                dots++;
            }

            if (isDots && dots is 1 or 2) return Problems.InvalidRequest("path", "The path has a . or .. segment; it would be resolved to another path.");
        }

        return null;
    }

    /// <summary>A fragment is not part of a target (RFC 9112, section 3.2); who sends one means a <c>#</c> in the id, which must be encoded.</summary>
    public static Problem? CheckFragment(string rawTarget) =>
        rawTarget.Contains('#', StringComparison.Ordinal) ? Problems.InvalidRequest("path", "The target has a #; in a name it is written %23.") : null;

    /// <summary>Reads kind and id from the path into <paramref name="name"/> as <c>kind/id</c>, once and for all.</summary>
    /// <param name="name">As long as <see cref="NameBytesMax"/> says.</param>
    /// <param name="rest">What follows the id, from its slash.</param>
    public static Problem? ReadEntity(HttpContext context, Limits limits, Span<byte> name, out int length, out ReadOnlySpan<char> rest)
    {
        length = 0;
        rest = default;
        var path = PathOf(context);
        if (!path.StartsWith(EntitiesPrefix, StringComparison.OrdinalIgnoreCase)) return Problems.RouteNotFound();
        path = path[EntitiesPrefix.Length..];
        var slash = path.IndexOf('/');
        if (slash < 0) return Problems.RouteNotFound();
        var id = path[(slash + 1)..];
        var end = id.IndexOf('/');
        rest = end < 0 ? default : id[end..];
        if (end >= 0) id = id[..end];

        // One byte of room more than the limit: the check below then says which rule is broken, not the decoder.
        var kindLength = EntityName.DecodeSegment(path[..slash], name, out var error);
        if (kindLength < 0) return Problems.InvalidEntityId("The kind: " + error);
        if (EntityName.KindError(name[..kindLength], limits) is { } kindError) return Problems.InvalidEntityId(kindError);
        name[kindLength] = (byte)'/';
        var idLength = EntityName.DecodeSegment(id, name[(kindLength + 1)..], out error);
        if (idLength < 0) return Problems.InvalidEntityId("The id: " + error);
        if (EntityName.IdError(name.Slice(kindLength + 1, idLength), limits) is { } idError) return Problems.InvalidEntityId(idError);
        length = kindLength + 1 + idLength;
        return null;
    }

    public static int NameBytesMax(Limits limits) => limits.KindChars + 1 + limits.IdBytes + 1;

    /// <summary>The character at <paramref name="i"/>, percent-decoded; <paramref name="i"/> moves to its last digit.</summary>
    private static char DecodeAt(ReadOnlySpan<char> segment, ref int i)
    {
        if (segment[i] != '%' || i + 2 >= segment.Length
            || !byte.TryParse(segment.Slice(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value))
        {
            return segment[i];
        }

        i += 2;

        // Bytes from 0x80 are parts of longer characters; EntityName looks at those.
        return value < 0x80 ? (char)value : '\x7e';
    }
}
