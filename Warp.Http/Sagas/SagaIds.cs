using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Warp.Http.Sagas;

/// <summary>Names that follow from a saga's id: its own entity, and the ids of the events that it appends.</summary>
internal static class SagaIds
{
    public const int CharsMax = 120;

    /// <summary>The kind of the sagas' own entities.</summary>
    public static ReadOnlySpan<byte> Kind => "warp.saga"u8;

    /// <summary>Drawn once for this purpose (RFC 9562 section 5.5): <c>2c8f1e0a-6b3d-5a47-9c15-7e4d0b92f8a6</c>.</summary>
    private static readonly byte[] s_namespace = [0x2c, 0x8f, 0x1e, 0x0a, 0x6b, 0x3d, 0x5a, 0x47, 0x9c, 0x15, 0x7e, 0x4d, 0x0b, 0x92, 0xf8, 0xa6];

    private static readonly SearchValues<char> s_idChars = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");

    /// <summary>Null if the text is a saga's id.</summary>
    public static string? IdError(string id)
    {
        if (id.Length > CharsMax) return $"A saga's id has at most {CharsMax} characters; this one has {id.Length}.";
        return id.Length > 0 && char.IsAsciiLetterOrDigit(id[0]) && !id.AsSpan().ContainsAnyExcept(s_idChars)
            ? null
            : "A saga's id matches [A-Za-z0-9][A-Za-z0-9_.-]*.";
    }

    /// <summary>The name of the saga's own entity.</summary>
    public static byte[] EntityOf(string id) => [.. Kind, (byte)'/', .. Encoding.ASCII.GetBytes(id)];

    /// <summary>The id in the name of a saga's entity.</summary>
    public static string IdOf(ReadOnlySpan<byte> entity) => Encoding.ASCII.GetString(entity[(Kind.Length + 1)..]);

    /// <summary>Writes the id of a step's event, the same however often it is sent: 36 characters.</summary>
    public static int WriteEventId(Span<byte> destination, string sagaId, int step, bool isCompensation)
    {
        Span<byte> name = stackalloc byte[s_namespace.Length + CharsMax + 32];
        s_namespace.CopyTo(name);
        var at = s_namespace.Length;
        at += Encoding.ASCII.GetBytes(sagaId, name[at..]);
        name[at++] = (byte)'/';
        step.TryFormat(name[at..], out var digits, default, CultureInfo.InvariantCulture);
        at += digits;
        var direction = isCompensation ? "/compensation"u8 : "/action"u8;
        direction.CopyTo(name[at..]);
        at += direction.Length;

        Span<byte> hash = stackalloc byte[SHA1.HashSizeInBytes];
        Hash(name[..at], hash);
        hash[6] = (byte)((hash[6] & 0x0f) | 0x50); // version 5
        hash[8] = (byte)((hash[8] & 0x3f) | 0x80); // variant of RFC 9562
        Utf8Formatter.TryFormat(new Guid(hash[..16], bigEndian: true), destination, out var written);
        return written;
    }

    /// <summary>What RFC 9562 prescribes: the id is no secret and nothing is signed with it.</summary>
#pragma warning disable CA5350 // SHA-1 is what makes a UUID of version 5.
    private static void Hash(ReadOnlySpan<byte> name, Span<byte> hash) => SHA1.HashData(name, hash);
#pragma warning restore CA5350
}
