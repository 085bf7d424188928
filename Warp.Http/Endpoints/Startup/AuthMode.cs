namespace Warp.Http.Endpoints;

/// <summary>Decides whether the service may listen where it was told to, given <c>Warp:Auth:Mode</c>.</summary>
internal static class AuthMode
{
    private const string Key = "Warp:Auth:Mode";

    /// <summary>Throws where it must not start; answers a warning where it may but should be told about.</summary>
    public static string? Check(IConfiguration configuration)
    {
        var mode = configuration[Key];
        var reachable = AppUrls.All(configuration).Where(url => !AppUrls.IsLoopback(url)).ToList();
        switch (mode)
        {
            case null or "" when reachable.Count == 0:
                return null;
            case null or "":
                throw new ConfigurationException(
                    $"The address {reachable[0]} can be reached from other machines and Warp__Auth__Mode is not set. "
                    + "Set Warp__Auth__Mode=none to serve everybody who reaches it, or listen on localhost.");
            case "none":
                return reachable.Count == 0 ? null : $"Anybody who reaches {string.Join(", ", reachable)} may read, write and erase (Warp__Auth__Mode=none).";
            case "keys" or "jwt":
                throw new ConfigurationException($"Warp__Auth__Mode={mode} is not available in this version; set none.");
            default:
                throw new ConfigurationException($"Warp__Auth__Mode is \"{mode}\"; it must be none, keys or jwt.");
        }
    }
}
