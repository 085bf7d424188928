using Microsoft.Extensions.DependencyInjection;

namespace Warp.Http.Projections;

/// <summary>The store in an rqlite cluster: its HTTP client, and what is read of its URLs.</summary>
internal static class RqliteSetup
{
    private const string ClientName = "rqlite";

    /// <summary>Events in one transaction: as rows these are some 512 KiB, and a larger entry in the cluster's log keeps the others waiting.</summary>
    public const int BatchEventsMax = 4096;

    /// <summary>Connections are renewed this often, so that a node that moved to another address is found.</summary>
    private static readonly TimeSpan s_connectionLife = TimeSpan.FromMinutes(2);

    public static IServiceCollection AddRqlite(this IServiceCollection services, ProjectionOptions options)
    {
        var (nodes, user, password) = ReadNodes(options);
        services.PostConfigure<ProjectionOptions>(projections => projections.BatchEvents = Math.Min(projections.BatchEvents, BatchEventsMax));
        services.AddHttpClient(ClientName)
            .ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler
            {
                PooledConnectionLifetime = s_connectionLife,
                ConnectTimeout = TimeSpan.FromSeconds(3),
                AllowAutoRedirect = false, // a redirected POST would become a GET
                UseCookies = false,
            })
            .RemoveAllLoggers() // four lines a request, of which there are several a second; what is wrong the projections say
            .SetHandlerLifetime(Timeout.InfiniteTimeSpan); // one store for ever: its handler renews connections by itself
        services.AddSingleton(provider => new RqliteProjectionStore(
            new RqliteClient(provider.GetRequiredService<IHttpClientFactory>().CreateClient(ClientName), nodes, user, password, provider.GetRequiredService<TimeProvider>()),
            options.RqliteLevel));
        services.AddSingleton<IProjectionStore>(provider => provider.GetRequiredService<RqliteProjectionStore>());
        return services.AddSingleton<IQueryStore>(provider => provider.GetRequiredService<RqliteProjectionStore>());
    }

    /// <summary>Base addresses without credentials; those of the first URL that has some are used for all.</summary>
    /// <exception cref="FormatException">A URL is not one of http or https.</exception>
    public static (IReadOnlyList<Uri> Nodes, string? User, string? Password) ReadNodes(ProjectionOptions options)
    {
        var (user, password) = (options.RqliteUser, options.RqlitePassword);
        var nodes = new List<Uri>();
        foreach (var text in options.Rqlite!.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            // What is wrong is said without the URL: it may hold a password.
            if (!Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
                throw new FormatException($"{ProjectionOptions.Section}:Rqlite: URL {nodes.Count + 1} is not one of http or https.");
            if (url.UserInfo.Length > 0 && user is null)
            {
                var parts = url.UserInfo.Split(':', 2);
                (user, password) = (Uri.UnescapeDataString(parts[0]), Uri.UnescapeDataString(parts.Length > 1 ? parts[1] : ""));
            }

            nodes.Add(new UriBuilder(url) { UserName = "", Password = "", Path = url.AbsolutePath.TrimEnd('/') + "/" }.Uri);
        }

        return nodes.Count > 0 ? (nodes, user, password) : throw new FormatException($"{ProjectionOptions.Section}:Rqlite names no URL.");
    }
}
