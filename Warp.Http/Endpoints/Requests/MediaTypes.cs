using Microsoft.Net.Http.Headers;

namespace Warp.Http.Endpoints;

/// <summary>What a body says it is, and what the client will take.</summary>
internal static class MediaTypes
{
    public const string Json = "application/json";
    public const string Ndjson = "application/x-ndjson";
    public const string Csv = "text/csv";
    public const string EventStream = "text/event-stream";

    /// <summary>Judges Content-Type and Content-Encoding of an append. A body without Content-Type is taken as JSON.</summary>
    public static Problem? OfBody(HttpRequest request, out bool isNdjson)
    {
        isNdjson = false;
        if (EncodingProblem(request) is { } problem) return problem;
        var sent = request.ContentType;
        if (sent is null || string.Equals(sent, Json, StringComparison.OrdinalIgnoreCase)) return null;
        if (!MediaTypeHeaderValue.TryParse(sent, out var type)) return Unsupported(sent, $"{Json} or {Ndjson}");
        isNdjson = type.MediaType.Equals(Ndjson, StringComparison.OrdinalIgnoreCase);
        if (!isNdjson && !type.MediaType.Equals(Json, StringComparison.OrdinalIgnoreCase) && !type.Suffix.Equals("json", StringComparison.OrdinalIgnoreCase))
            return Unsupported(sent, $"{Json} or {Ndjson}");
        return CharsetProblem(type);
    }

    /// <summary>For bodies that are one JSON document.</summary>
    public static Problem? OfJson(HttpRequest request) =>
        OfBody(request, out var isNdjson) ?? (isNdjson ? Unsupported(Ndjson, Json) : null);

    /// <summary>A stream is NDJSON; one line of it is a stream, too, so plain JSON would only hide the difference.</summary>
    public static Problem? OfStream(HttpRequest request)
    {
        if (EncodingProblem(request) is { } problem) return problem;
        var sent = request.ContentType;
        if (sent is null || string.Equals(sent, Ndjson, StringComparison.OrdinalIgnoreCase)) return null;
        if (!MediaTypeHeaderValue.TryParse(sent, out var type) || !type.MediaType.Equals(Ndjson, StringComparison.OrdinalIgnoreCase))
            return Unsupported(sent, Ndjson);
        return CharsetProblem(type);
    }

    /// <summary>The offered type that Accept likes best, the first of equals; null = none (406). No Accept means anything.</summary>
    public static string? Choose(HttpRequest request, params ReadOnlySpan<string> offered)
    {
        var accept = request.Headers.Accept;
        if (accept.Count == 0 || (accept.Count == 1 && string.Equals(accept[0], "*/*", StringComparison.Ordinal))) return offered[0];
        if (!MediaTypeHeaderValue.TryParseList(accept!, out var ranges)) return null;
        string? best = null;
        var bestQuality = 0.0;
        foreach (var offer in offered)
        {
            var quality = QualityOf(new MediaTypeHeaderValue(offer), ranges);
            if (quality <= bestQuality) continue;
            best = offer;
            bestQuality = quality;
        }

        return best;
    }

    private static double QualityOf(MediaTypeHeaderValue offer, IList<MediaTypeHeaderValue> ranges)
    {
        // The most specific range that covers the offer decides (RFC 9110 section 12.5.1).
        MediaTypeHeaderValue? decides = null;
        foreach (var range in ranges)
            if (Covers(range, offer) && (decides is null || Rank(range) > Rank(decides))) decides = range;
        return decides is null ? 0 : decides.Quality ?? 1;
    }

    private static bool Covers(MediaTypeHeaderValue range, MediaTypeHeaderValue offer) =>
        range.MatchesAllTypes
        || (range.Type.Equals(offer.Type, StringComparison.OrdinalIgnoreCase)
            && (range.MatchesAllSubTypes || range.SubType.Equals(offer.SubType, StringComparison.OrdinalIgnoreCase)));

    private static int Rank(MediaTypeHeaderValue range) => range.MatchesAllTypes ? 0 : range.MatchesAllSubTypes ? 1 : 2;

    private static Problem? EncodingProblem(HttpRequest request)
    {
        var encoding = request.Headers.ContentEncoding;
        if (encoding.Count == 0 || (encoding.Count == 1 && string.Equals(encoding[0], "identity", StringComparison.OrdinalIgnoreCase))) return null;
        return Problems.UnsupportedMediaType($"The Content-Encoding \"{encoding}\" is not supported; send the body as it is.");
    }

    private static Problem? CharsetProblem(MediaTypeHeaderValue type) =>
        !type.Charset.HasValue || HeaderUtilities.RemoveQuotes(type.Charset).Equals("utf-8", StringComparison.OrdinalIgnoreCase)
            ? null
            : Problems.UnsupportedMediaType($"The charset \"{type.Charset}\" is not supported; JSON is UTF-8.");

    private static Problem Unsupported(string sent, string wanted)
    {
        var hint = sent.StartsWith("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase)
            ? " That is what curl -d sends unless told otherwise: add -H 'Content-Type: " + wanted.Split(' ')[0] + "'."
            : "";
        return Problems.UnsupportedMediaType($"The Content-Type \"{sent}\" is not supported; send {wanted}.{hint}");
    }
}
