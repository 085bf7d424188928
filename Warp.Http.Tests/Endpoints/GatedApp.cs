using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Warp.Http.Endpoints;
using Warp.Http.Storage;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

/// <summary>The service with a gate before its disk.</summary>
internal class GatedApp(WriterGate gate) : WarpApp
{
    private readonly TempDirectory _data = new("gated");

    public long QueuedBytes => Shard.QueuedBytes;

    public long DurablePosition => Shard.DurablePosition;

    public int OpenStreams => Services.GetRequiredService<StreamEndpoint>().Open;

    private Shard Shard => Services.GetRequiredService<Store>().AllShards[0];

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        base.ConfigureWebHost(builder);
        builder.ConfigureServices(services => services.AddSingleton(Options.Create(new StoreOptions { DataDirectory = _data.File("data"), AtStep = gate.AtStep })));
    }

    public override async ValueTask DisposeAsync()
    {
        gate.Open();
        await base.DisposeAsync();
        _data.Dispose();
    }
}
