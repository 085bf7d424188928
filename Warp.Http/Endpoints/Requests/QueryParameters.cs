using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.WebUtilities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>The query string, strictly: unknown names, repetitions and wrong values are refused by name, never ignored.</summary>
/// <remarks>Read every parameter, then look at <see cref="Problem"/> once: it keeps the first refusal.</remarks>
internal sealed class QueryParameters
{
    private const int LimitDefault = 100;

    private readonly List<(string Name, string Value)> _given = [];

    /// <param name="known">The names that this route takes.</param>
    public QueryParameters(HttpRequest request, params ReadOnlySpan<string> known)
    {
        foreach (var pair in new QueryStringEnumerable(request.QueryString.Value))
        {
            var name = pair.DecodeName().ToString();
            if (!known.Contains(name))
            {
                Refuse(name, known.IsEmpty ? "The parameter is unknown; this path takes none." : $"The parameter is unknown; known are {string.Join(", ", known!)}.");
                return;
            }

            _given.Add((name, pair.DecodeValue().ToString()));
        }
    }

    public Problem? Problem { get; private set; }

    public string? Text(string name)
    {
        string? found = null;
        foreach (var (given, value) in _given)
        {
            if (!given.Equals(name, StringComparison.Ordinal)) continue;
            if (found is not null) Refuse(name, "The parameter is given twice.");
            found = value;
        }

        return found;
    }

    /// <summary>How many of a list are asked for in one answer.</summary>
    public int Limit(int max) => (int)(Integer("limit", 1, max) ?? Math.Min(LimitDefault, max));

    /// <summary>Event types, any of which will do; empty = all.</summary>
    public List<byte[]> Types(Limits limits)
    {
        var types = Texts("type").ConvertAll(Encoding.UTF8.GetBytes);
        foreach (var type in types)
            if (EventParser.TypeError(type, limits) is { } error) Refuse("type", error);
        return types;
    }

    private List<string> Texts(string name) => [.. _given.Where(p => p.Name.Equals(name, StringComparison.Ordinal)).Select(p => p.Value)];

    public long? Integer(string name, long min, long max = long.MaxValue)
    {
        if (Text(name) is not { } text) return null;
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max) return value;
        Refuse(name, max == long.MaxValue
            ? string.Create(CultureInfo.InvariantCulture, $"\"{Shown(text)}\" is not an integer from {min}.")
            : string.Create(CultureInfo.InvariantCulture, $"\"{Shown(text)}\" is not an integer from {min} to {max}."));
        return null;
    }

    public bool Flag(string name)
    {
        switch (Text(name))
        {
            case null or "false": return false;
            case "true": return true;
            case var text:
                Refuse(name, $"\"{Shown(text)}\" is neither true nor false.");
                return false;
        }
    }

    /// <summary>One of <paramref name="choices"/>, or the first of them if the parameter is absent.</summary>
    public string Choice(string name, params ReadOnlySpan<string> choices)
    {
        if (Text(name) is not { } text) return choices[0];
        if (!choices.Contains(text)) Refuse(name, $"\"{Shown(text)}\" is none of {string.Join(", ", choices!)}.");
        return text;
    }

    /// <summary>A time, as Unix milliseconds.</summary>
    /// <param name="roundUp">Of a time between two milliseconds the later one: recorded times are whole, so "since" starts there.</param>
    public long? Time(string name, bool roundUp = false)
    {
        if (Text(name) is not { } text) return null;

        // An offset's plus that the client did not encode arrives as a blank.
        var bytes = Encoding.UTF8.GetBytes(text.Replace(' ', '+'));
        if (Rfc3339.TryParse(bytes, out var ms, out var isWhole)) return roundUp && !isWhole ? ms + 1 : ms;
        Refuse(name, $"\"{Shown(text)}\" is not a time in RFC 3339 with an offset, as in 2026-01-31T12:00:00Z.");
        return null;
    }

    /// <summary>A duration: <c>\d+(ms|s|m)</c>.</summary>
    public TimeSpan? Duration(string name, TimeSpan max)
    {
        if (Text(name) is not { } text) return null;
        if (TryDuration(text, out var value) && value <= max) return value;
        Refuse(name, string.Create(CultureInfo.InvariantCulture, $"\"{Shown(text)}\" is not a duration such as 500ms, 5s or 1m, at most {max.TotalSeconds}s (waitSeconds)."));
        return null;
    }

    public void Refuse(string name, string detail) => Problem ??= Problems.InvalidRequest(name, $"{Shown(name)}: {detail}");

    internal static bool TryDuration(string text, out TimeSpan value)
    {
        value = default;
        var unit = text.AsSpan().TrimStart("0123456789");
        if (!long.TryParse(text.AsSpan(0, text.Length - unit.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count > int.MaxValue) return false;
        value = unit switch
        {
            "ms" => TimeSpan.FromMilliseconds(count),
            "s" => TimeSpan.FromSeconds(count),
            "m" => TimeSpan.FromMinutes(count),
            _ => TimeSpan.MinValue,
        };
        return value >= TimeSpan.Zero;
    }

    private static string Shown(string text) => text.Length <= 64 ? text : text[..64] + "…";
}
