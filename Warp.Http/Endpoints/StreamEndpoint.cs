using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Options;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary><c>POST /v1/events</c>: NDJSON both ways, one reply line for each line, as soon as it is durable.</summary>
internal sealed class StreamEndpoint(EntityRegistry registry, Expectations expectations, Limits limits, IOptions<StreamOptions> options, TimeProvider clock, IHostApplicationLifetime lifetime)
{
    public async Task HandleAsync(HttpContext context)
    {
        var query = new QueryParameters(context.Request);
        if ((query.Problem ?? MediaTypes.OfStream(context.Request)) is { } refused)
        {
            await ProblemWriter.WriteAsync(context, refused);
            return;
        }

        // The stream has no length to limit, and may well be silent: its own idle time ends it.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } size) size.MaxRequestBodySize = null;
        if (context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate) rate.MinDataRate = null;
        context.Response.ContentType = MediaTypes.Ndjson;
        context.Response.Headers.CacheControl = "no-store";

        // Over HTTP/2 a client may wait for the headers before it sends a line. Over HTTP/1.1 an early answer would cancel its 100-continue.
        if (!HttpProtocol.IsHttp11(context.Request.Protocol)) await context.Response.Body.FlushAsync(context.RequestAborted);
        using var session = new StreamSession(context, registry, expectations, limits, options.Value, clock);
        await session.RunAsync(lifetime.ApplicationStopping);
    }
}
