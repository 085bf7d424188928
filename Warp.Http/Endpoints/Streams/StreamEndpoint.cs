using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Options;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary><c>POST /v1/events</c>: NDJSON both ways, one reply line for each line, as soon as it is durable.</summary>
internal sealed class StreamEndpoint
{
    private static readonly string[] s_refusedHeaders = ["Idempotency-Key", "If-Match", "If-None-Match"];

    private readonly EntityRegistry _registry;
    private readonly Expectations _expectations;
    private readonly Limits _limits;
    private readonly StreamOptions _options;
    private readonly TimeProvider _clock;
    private readonly CancellationToken _stopping;
    private int _open;

    public StreamEndpoint(EntityRegistry registry, Expectations expectations, Limits limits, IOptions<StreamOptions> options, TimeProvider clock, IHostApplicationLifetime lifetime)
    {
        (_registry, _expectations, _limits, _options, _clock, _stopping) = (registry, expectations, limits, options.Value, clock, lifetime.ApplicationStopping);
        StreamMetrics.Opened(this);
    }

    public int Open => Volatile.Read(ref _open);

    public async Task HandleAsync(HttpContext context)
    {
        var query = new QueryParameters(context.Request);
        if ((query.Problem ?? MediaTypes.OfStream(context.Request) ?? RefuseHeaders(context.Request)) is { } refused)
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
        Interlocked.Increment(ref _open);
        try
        {
            using var session = new StreamSession(context, _registry, _expectations, _limits, _options, _clock);
            await session.RunAsync(_stopping);
        }
        finally
        {
            Interlocked.Decrement(ref _open);
        }
    }

    /// <summary>What holds for one append elsewhere: who sends it here must not believe that it holds for the lines.</summary>
    private static Problem? RefuseHeaders(HttpRequest request)
    {
        foreach (var name in s_refusedHeaders)
            if (request.Headers.ContainsKey(name)) return Problems.InvalidRequest(name, $"{name} says nothing of a stream of appends: give each event an id, or each line an expect.");
        return null;
    }
}
