using System.Net;

namespace Warp.Http.Endpoints;

/// <summary>Where the service listens, from the framework's own settings and <c>Warp:Http2Url</c>.</summary>
internal static class AppUrls
{
    public const string Default = "http://localhost:9090";
    public const string Http2Key = "Warp:Http2Url";

    private const string EndpointsKey = "Kestrel:Endpoints";

    /// <summary>Sets the default address, and joins the HTTP/2 address to the others, as configuration that Kestrel reads.</summary>
    public static void Apply(ConfigurationManager configuration)
    {
        var endpoints = configuration.GetSection(EndpointsKey).GetChildren().ToList();
        var urls = configuration["urls"];
        if (string.IsNullOrWhiteSpace(urls) && endpoints.Count == 0) configuration["urls"] = urls = Default;
        if (configuration[Http2Key] is not { Length: > 0 } http2) return;
        if (!IsUrl(http2) || !http2.StartsWith("http://", StringComparison.OrdinalIgnoreCase))
            throw new ConfigurationException($"Warp__Http2Url is \"{http2}\"; it must be a cleartext address such as http://localhost:9091.");

        // An address with protocols of its own makes Kestrel leave Urls aside, so those become endpoints, too.
        if (endpoints.Count == 0)
        {
            foreach (var (url, i) in Split(urls).Select((url, i) => (url, i))) configuration[$"{EndpointsKey}:Url{i}:Url"] = url;
            configuration["urls"] = null;
        }

        configuration[$"{EndpointsKey}:Http2:Url"] = http2;
        configuration[$"{EndpointsKey}:Http2:Protocols"] = "Http2";
    }

    /// <summary>Every address, as written.</summary>
    public static List<string> All(IConfiguration configuration)
    {
        var endpoints = configuration.GetSection(EndpointsKey).GetChildren().Select(e => e["Url"]).OfType<string>().ToList();
        return endpoints.Count > 0 ? endpoints : Split(configuration["urls"]);
    }

    /// <summary>True if only processes on this machine can reach the address.</summary>
    public static bool IsLoopback(string url)
    {
        if (!IsUrl(url)) return false;
        var address = BindingAddress.Parse(url);
        if (address.IsUnixPipe || address.IsNamedPipe || address.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)) return true;
        return IPAddress.TryParse(address.Host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip);
    }

    private static bool IsUrl(string url)
    {
        try
        {
            return BindingAddress.Parse(url).Host.Length > 0;
        }
        catch (FormatException)
        {
            return false;
        }
    }

    private static List<string> Split(string? urls) => [.. (urls ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)];
}
