using System.Globalization;

namespace Warp.Http.Endpoints;

/// <summary>A refusal as RFC 9457 wants it said. The type is the last segment of <c>/problems/…</c> and never changes its meaning.</summary>
internal sealed class Problem(int status, string type, string title, string detail)
{
    public int Status { get; } = status;

    public string Type { get; } = type;

    public string Title { get; } = title;

    /// <summary>Says the limit or setting and the value that broke it.</summary>
    public string Detail { get; } = detail;

    /// <summary>True if the same request may succeed later without being changed.</summary>
    public bool Retryable { get; init; }

    /// <summary>Seconds for <c>Retry-After</c>; 0 = not sent.</summary>
    public int RetryAfterSeconds { get; init; }

    /// <summary>Where in the input it is: a JSON path, or a parameter's or header's name; null = it has no place.</summary>
    public string? ErrorPath { get; init; }

    /// <summary>Several things that are wrong, by place; empty = <see cref="ErrorPath"/> with <see cref="Detail"/> says it all.</summary>
    public IReadOnlyList<(string Path, string Text)> Errors { get; init; } = [];

    /// <summary>The methods for <c>Allow</c>, with 405.</summary>
    public string? Allow { get; init; }

    /// <summary>The further members of the table in the contract; values are <see cref="long"/>, <see cref="bool"/>, text, lists of texts or null.</summary>
    public (string Name, object? Value)[] Extras { get; init; } = [];

    /// <summary>The same refusal at another place: a line of a stream knows its line only afterwards.</summary>
    public Problem WithDetail(string detail) => new(Status, Type, Title, detail)
    {
        Retryable = Retryable,
        RetryAfterSeconds = RetryAfterSeconds,
        ErrorPath = ErrorPath,
        Errors = Errors,
        Allow = Allow,
        Extras = Extras,
    };

    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Status} {Type}: {Detail}");
}
