using System.Globalization;

namespace Warp.Http.StreamClient;

internal enum Transport
{
    /// <summary>HTTP/1.1 over a bare socket, replies read while lines are sent.</summary>
    H1,

    /// <summary>HTTP/2 by <see cref="HttpClient"/>, one connection a stream.</summary>
    H2,

    /// <summary>HTTP/1.1 by <see cref="HttpClient"/>, which shows no answer before its body is sent: one request after another, each of a window's lines.</summary>
    Requests,
}

/// <summary>What is sent, how, and for how long. Given as <c>--name value</c>.</summary>
internal sealed record ClientOptions
{
    public required Uri Url { get; init; }

    public Transport Transport { get; init; } = Transport.H1;

    public int Connections { get; init; } = 4;

    /// <summary>Lines sent and not yet answered, per connection.</summary>
    public int Window { get; init; } = 4096;

    /// <summary>Events a line; above 1 a line is an atomic batch.</summary>
    public int Batch { get; init; } = 1;

    /// <summary>Over all connections, which share none.</summary>
    public int Entities { get; init; } = 10_000;

    /// <summary>Characters added to each payload.</summary>
    public int Padding { get; init; }

    /// <summary>The service's process, if it runs on this machine: its processor time is told beside the client's own.</summary>
    public int? ServicePid { get; init; }

    public TimeSpan Warmup { get; init; } = TimeSpan.FromSeconds(3);

    public TimeSpan Duration { get; init; } = TimeSpan.FromSeconds(8);

    /// <exception cref="FormatException">An argument is unknown, or its value is not what it should be.</exception>
    public static ClientOptions Parse(string[] arguments)
    {
        var options = new ClientOptions { Url = new Uri("http://127.0.0.1:9090") };
        for (var i = 0; i < arguments.Length; i += 2)
        {
            var name = arguments[i];
            if (i + 1 == arguments.Length) throw new FormatException($"{name} has no value.");
            var value = arguments[i + 1];
            options = name switch
            {
                "--url" => options with { Url = new Uri(value) },
                "--transport" => options with { Transport = TransportOf(value) },
                "--connections" => options with { Connections = Number(name, value, 1) },
                "--window" => options with { Window = Number(name, value, 1) },
                "--batch" => options with { Batch = Number(name, value, 1) },
                "--entities" => options with { Entities = Number(name, value, 1) },
                "--padding" => options with { Padding = Number(name, value, 0) },
                "--service-pid" => options with { ServicePid = Number(name, value, 1) },
                "--warmup" => options with { Warmup = TimeSpan.FromSeconds(Number(name, value, 0)) },
                "--seconds" => options with { Duration = TimeSpan.FromSeconds(Number(name, value, 1)) },
                _ => throw new FormatException($"{name} is unknown; see load/README.md."),
            };
        }

        return options;
    }

    private static Transport TransportOf(string value) =>
        Enum.TryParse<Transport>(value, ignoreCase: true, out var transport) ? transport : throw new FormatException($"--transport is {value}; it is h1, h2 or requests.");

    private static int Number(string name, string value, int min) =>
        int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= min
            ? number
            : throw new FormatException($"{name} is {value}; it is a whole number from {min}.");
}
