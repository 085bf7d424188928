using Microsoft.AspNetCore.Server.Kestrel.Core;
using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary>Kestrel and the host: what they limit, log and say at start.</summary>
internal static partial class ServerSetup
{
    private const string HostCategory = "Microsoft.Extensions.Hosting.Internal.Host";

    public static void ConfigureServer(this WebApplicationBuilder builder)
    {
        var isStarted = false;
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;

            // RequestBody holds the limit, and says what it is; Kestrel's would count the framing of chunks, too.
            kestrel.Limits.MaxRequestBodySize = null;
        });

        // A crowd of clients must not keep the store from opening its files, nor the runtime from starting its threads.
        builder.Services.AddOptions<KestrelServerOptions>().Configure<Store>((kestrel, store) => kestrel.Limits.MaxConcurrentConnections = store.ConnectionsMax);

        // A stop must end within 5 s under load: what is durable is answered by then.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(4));

        // A failure to start is told in one line by Program; one that comes later has nobody else to tell it.
        builder.Logging.AddFilter(HostCategory, level => Volatile.Read(ref isStarted) && level >= LogLevel.Warning);
        builder.Services.AddHostedService(services => new OnStarted(services.GetRequiredService<IHostApplicationLifetime>(), () => Volatile.Write(ref isStarted, true)));
    }

    public static void AnnounceStart(this WebApplication app, string? warning)
    {
        var logger = app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Warp.Http");
        app.Lifetime.ApplicationStarted.Register(() =>
        {
            var directory = Path.GetFullPath(app.Configuration["Warp:DataDirectory"] ?? "./data");
            var urls = string.Join(", ", app.Urls);
            var durability = app.Services.GetRequiredService<Store>().Durability;
            LogStart(logger, InfoEndpoint.Version, urls, directory, durability);
            if (warning is not null) LogWarning(logger, warning);
        });
    }

    [LoggerMessage(EventId = 1, Level = LogLevel.Information, Message = "Warp.Http {Version} serves {Urls}; data in {Directory}, durability {Durability}")]
    private static partial void LogStart(ILogger logger, string version, string urls, string directory, string durability);

    [LoggerMessage(EventId = 2, Level = LogLevel.Warning, Message = "{Warning}")]
    private static partial void LogWarning(ILogger logger, string warning);

    /// <summary>Runs an action once everything has started.</summary>
    private sealed class OnStarted(IHostApplicationLifetime lifetime, Action action) : IHostedService
    {
        public Task StartAsync(CancellationToken cancellationToken)
        {
            lifetime.ApplicationStarted.Register(action);
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
