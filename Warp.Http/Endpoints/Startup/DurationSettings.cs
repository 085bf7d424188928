using System.Globalization;
using Warp.Http.Storage;
using Warp.Http.Subscriptions;

namespace Warp.Http.Endpoints;

/// <summary>Durations in the configuration are written as they are in requests, <c>60s</c>, or as <c>00:01:00</c>.</summary>
/// <remarks>The framework's own reading of a bare number is days; nobody who writes 60 means that, so it is refused.</remarks>
internal static class DurationSettings
{
    private static readonly string[] s_keys =
    [
        $"{StoreOptions.Section}:{nameof(StoreOptions.SealAfter)}",
        $"{StreamOptions.Section}:{nameof(StreamOptions.IdleTimeout)}",
        $"{SubscriptionOptions.Section}:{nameof(SubscriptionOptions.SendTimeout)}",
        $"{SubscriptionOptions.Section}:{nameof(SubscriptionOptions.HeartbeatEvery)}",
    ];

    /// <exception cref="ConfigurationException">A setting is a bare number.</exception>
    public static void Apply(IConfiguration configuration)
    {
        foreach (var key in s_keys)
        {
            if (configuration[key] is not { Length: > 0 } text) continue;
            if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out _))
                throw new ConfigurationException($"{key.Replace(":", "__", StringComparison.Ordinal)}={text} has no unit; write {text}s, {text}ms or {text}m.");
            if (QueryParameters.TryDuration(text, out var duration)) configuration[key] = duration.ToString("c", CultureInfo.InvariantCulture);
        }
    }
}
