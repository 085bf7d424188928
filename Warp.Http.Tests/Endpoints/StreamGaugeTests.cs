using System.Runtime.CompilerServices;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Warp.Http.Endpoints;
using Warp.Http.Events;

namespace Warp.Http.Tests.Endpoints;

public sealed class StreamGaugeTests
{
    /// <summary>An instrument can't be taken off its meter, and the meter lives as long as the process.</summary>
    [Fact]
    public void The_gauge_of_open_streams_does_not_keep_a_service_that_is_gone()
    {
        var endpoint = Opened();

        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();

        endpoint.TryGetTarget(out _).ShouldBeFalse();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference<StreamEndpoint> Opened()
    {
        var lifetime = new ApplicationLifetime(NullLogger<ApplicationLifetime>.Instance);
        return new(new StreamEndpoint(null!, null!, new Limits(), Options.Create(new StreamOptions()), TimeProvider.System, lifetime));
    }
}
