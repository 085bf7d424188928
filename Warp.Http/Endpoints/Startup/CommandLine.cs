using Microsoft.Extensions.Configuration.Memory;

namespace Warp.Http.Endpoints;

/// <summary>The few things the program does beside serving, and the check that its arguments mean something.</summary>
internal static class CommandLine
{
    public const string Usage = """
        Warp.Http, an entity-native event store over HTTP

        usage: Warp.Http [--setting=value …]
               Warp.Http --help | --version | --health

          --health    asks the service on this machine's configured address whether it lives; exit code 0 or 1
          --version   prints the version

        Settings are environment variables, or appsettings.json in the working directory, or arguments such as --Warp:Shards=2.

        name                        default                  meaning
        ASPNETCORE_URLS             http://localhost:9090    where it listens (Urls in appsettings.json, --urls); TLS by Kestrel__Endpoints__*
        Warp__Http2Url              none                     a cleartext HTTP/2 address beside the others
        Warp__DataDirectory         ./data                   created if missing; one process at a time
        Warp__Shards                1 up to 4 processors,    fixed when the data directory is created
                                    then one for every 4
        Warp__Durability            fsync                    fsync: on disk before the reply; os: in the kernel before the reply
        Warp__Auth__Mode            none on loopback         needed on any other address; none is the one mode there is
        Warp__Stream__IdleTimeout   60s                      POST /v1/events ends when nothing came for so long
        Warp__Sagas__InFlight       1000                     sagas that run at once; beyond it 429
        Warp__Limits__*             see GET /v1/info         every maximum, as in Warp__Limits__BodyBytes

        """;

    private static readonly string[] s_sections = ["Warp", "Kestrel", "Logging"];
    private static readonly string[] s_keys = ["urls", "environment", "contentRoot", "applicationName"];

    /// <summary>Carries out --help, --version or a refusal; null: go on and serve.</summary>
    public static int? Answer(string[] args)
    {
        if (args.Contains("--help", StringComparer.Ordinal) || args.Contains("-h", StringComparer.Ordinal))
        {
            Console.Out.Write(Usage);
            return 0;
        }

        if (args is ["--version"])
        {
            Console.Out.WriteLine(InfoEndpoint.Version);
            return 0;
        }

        if (FirstUnknown(args) is not { } unknown) return null;
        Console.Error.WriteLine($"Unknown argument \"{unknown}\". See --help.");
        return 2;
    }

    /// <summary>Quiet logs, below every other source: what a person or a file sets wins.</summary>
    public static void AddLogDefaults(IConfigurationBuilder configuration) => configuration.Sources.Insert(0, new MemoryConfigurationSource
    {
        InitialData =
        [
            new("Logging:LogLevel:Default", "Information"),
            new("Logging:LogLevel:Microsoft", "Warning"),

            // Off, so that no activity is made per request; a failure is logged once, by ProblemMiddleware.
            new("Logging:LogLevel:Microsoft.AspNetCore.Hosting.Diagnostics", "None"),

            // It warns that addresses in Kestrel:Endpoints override Urls, which is how Warp__Http2Url joins them.
            new("Logging:LogLevel:Microsoft.AspNetCore.Server.Kestrel", "Error"),
        ],
    });

    private static string? FirstUnknown(string[] args)
    {
        for (var i = 0; i < args.Length; i++)
        {
            var arg = args[i];
            if (arg is "--health") continue;
            var key = arg.StartsWith("--", StringComparison.Ordinal) ? arg[2..].Split('=')[0] : arg;
            if (!arg.StartsWith("--", StringComparison.Ordinal) || !IsSetting(key)) return arg;
            if (arg.Contains('=', StringComparison.Ordinal)) continue;
            if (++i == args.Length) return arg;
        }

        return null;
    }

    private static bool IsSetting(string key) =>
        s_keys.Contains(key, StringComparer.OrdinalIgnoreCase) || s_sections.Contains(key.Split(':')[0], StringComparer.OrdinalIgnoreCase);
}
