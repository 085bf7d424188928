using System.ComponentModel.DataAnnotations;

namespace Warp.Http.Endpoints;

/// <summary>Bounds of <c>POST /v1/events</c> (<c>Warp:Stream</c>).</summary>
internal sealed class StreamOptions
{
    public const string Section = "Warp:Stream";

    /// <summary>A stream on which the client sends nothing for so long is ended with a last line that says so. Kestrel's own rate is off there.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Lines posted and not yet answered, per request: enough that a group commit finds work, few enough that a slow reader costs little.</summary>
    [Range(1, 1_000_000)]
    public int LinesInFlight { get; init; } = 4096;

    /// <summary>Bytes of events posted and not yet answered, per request.</summary>
    [Range(1024, 1 << 30)]
    public int BytesInFlight { get; init; } = 16 * 1024 * 1024;
}
