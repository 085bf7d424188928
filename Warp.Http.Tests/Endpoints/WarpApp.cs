using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Mvc.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Warp.Http.Tests.Endpoints.Contract;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

/// <summary>The real service in this process, on a real socket and a directory of its own. Shared by the tests of a class.</summary>
public class WarpApp : WebApplicationFactory<Program>
{
    private readonly TempDirectory _directory = new("app");
    private readonly Dictionary<string, string> _settings = new(StringComparer.Ordinal);

    public WarpApp() => UseKestrel(0);

    /// <summary>Every answer that comes through it is held to openapi.yaml.</summary>
    public HttpClient Http => field ??= CreateDefaultClient(new ContractHandler(OpenApiDocument.Instance, MayFail));

    /// <summary>A test breaks the service on purpose; before the first request only.</summary>
    internal bool MayFail { get; set; }

    /// <summary>Hears what the service logs; before the first request only.</summary>
    internal ILoggerProvider? Log { get; set; }

    /// <summary>Looks at nothing: for hostile requests, streams, and whoever wants the bytes.</summary>
    public HttpClient Bare => field ??= CreateDefaultClient();

    /// <summary>A file of its data directory.</summary>
    public string File(string name) => _directory.File(Path.Combine("data", name));

    public Uri Address => Bare.BaseAddress!;

    /// <summary>Before the first request only.</summary>
    public void Set(string name, string value) => _settings[name] = value;

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        builder.UseSetting("Warp:DataDirectory", _directory.File("data"));
        foreach (var (name, value) in _settings) builder.UseSetting(name, value);
        if (Log is { } log) builder.ConfigureServices(services => services.AddSingleton(log));
    }

    protected override void Dispose(bool disposing)
    {
        base.Dispose(disposing);
        if (disposing) _directory.Dispose();
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _directory.Dispose();
        GC.SuppressFinalize(this);
    }
}
