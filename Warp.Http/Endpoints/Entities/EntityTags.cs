using System.Buffers;
using System.Globalization;
using System.Text;
using Microsoft.Extensions.Primitives;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>Entity tags of RFC 9110: <c>"seq.life"</c> of an entity, <c>"seq.life.definition"</c> of a state.</summary>
internal static class EntityTags
{
    /// <summary>A definition's version in a state's tag: whatever it is, it does not change which seq and life are meant.</summary>
    private static readonly SearchValues<char> s_definition = SearchValues.Create("0123456789-abcdefghijklmnopqrstuvwxyz");

    public static string Of(long seq, Life life)
    {
        Span<char> text = stackalloc char[40];
        Span<byte> token = stackalloc byte[16];
        text[0] = '"';
        seq.TryFormat(text[1..], out var at, default, CultureInfo.InvariantCulture);
        at++;
        text[at++] = '.';
        var length = life.Format(token);
        Encoding.ASCII.GetChars(token[..length], text[at..]);
        at += length;
        text[at++] = '"';
        return new string(text[..at]);
    }

    /// <summary>True if If-None-Match names <paramref name="tag"/>; by weak comparison, as the RFC says for that header.</summary>
    public static bool NoneMatchHits(StringValues header, string tag)
    {
        foreach (var line in header)
        {
            foreach (var range in line.AsSpan().Split(','))
            {
                var one = line.AsSpan()[range].Trim();
                if (one.StartsWith("W/", StringComparison.Ordinal)) one = one[2..];
                if (one.SequenceEqual("*") || one.SequenceEqual(tag)) return true;
            }
        }

        return false;
    }

    /// <summary>Reads what an append's If-Match and If-None-Match demand.</summary>
    /// <param name="mustExist">If-Match: *.</param>
    public static Problem? ReadPreconditions(IHeaderDictionary headers, out ExpectedSeq expected, out bool mustExist)
    {
        expected = ExpectedSeq.Any;
        mustExist = false;
        var ifMatch = headers.IfMatch;
        var ifNoneMatch = headers.IfNoneMatch;
        if (ifMatch.Count > 0)
        {
            if (ifNoneMatch.Count > 0) return Problems.InvalidRequest("If-None-Match", "If-Match and If-None-Match contradict each other.");
            var tag = ifMatch.ToString().AsSpan().Trim();
            if (tag.SequenceEqual("*")) mustExist = true;
            else if (!TryRead(tag, out expected))
                return Problems.InvalidRequest("If-Match", "If-Match takes one strong tag: \"<seq>\", the whole ETag of the entity or of a state, or *.");
        }
        else if (ifNoneMatch.Count > 0)
        {
            if (!ifNoneMatch.ToString().AsSpan().Trim().SequenceEqual("*"))
                return Problems.InvalidRequest("If-None-Match", "On an append, If-None-Match takes * only: the entity has no events yet.");
            expected = ExpectedSeq.Nothing;
        }

        return null;
    }

    private static bool TryRead(ReadOnlySpan<char> tag, out ExpectedSeq expected)
    {
        expected = default;
        if (tag is not ['"', .. var text, '"'] || !Ascii.IsValid(text)) return false;
        var dot = text.IndexOf('.');
        var seqText = dot < 0 ? text : text[..dot];
        if (!long.TryParse(seqText, NumberStyles.None, CultureInfo.InvariantCulture, out var seq)) return false;
        if (dot < 0)
        {
            expected = new ExpectedSeq(seq);
            return true;
        }

        var lifeText = text[(dot + 1)..];
        if (lifeText.IndexOf('.') is >= 0 and var second)
        {
            if (lifeText[(second + 1)..].ContainsAnyExcept(s_definition)) return false;
            lifeText = lifeText[..second];
        }

        Span<byte> token = stackalloc byte[16];
        if (lifeText.Length > token.Length) return false;
        Encoding.ASCII.GetBytes(lifeText, token);
        if (!Life.TryParse(token[..lifeText.Length], out var life)) return false;
        expected = new ExpectedSeq(seq, life);
        return true;
    }
}
