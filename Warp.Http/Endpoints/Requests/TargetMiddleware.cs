using Microsoft.AspNetCore.Http.Features;

namespace Warp.Http.Endpoints;

/// <summary>Before routing: refuses raw targets that would be resolved to others, and picks the endpoint of the two hottest routes.</summary>
internal sealed class TargetMiddleware(RequestDelegate next, IServiceProvider services)
{
    private Endpoint?[]? _hot;

    public Task InvokeAsync(HttpContext context)
    {
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var path = RequestTarget.PathOf(target);
        if ((RequestTarget.Check(path) ?? RequestTarget.CheckFragment(target)) is { } problem) return ProblemWriter.WriteAsync(context, problem);
        if (path.StartsWith("/v1/entities/", StringComparison.Ordinal) && HotRouteOf(context.Request.Method, path[13..]) is { } route)
        {
            // Routing leaves an endpoint alone that is set before it.
            context.SetEndpoint((_hot ??= FindHot())[(int)route]);
        }

        return next(context);
    }

    /// <param name="tail">What follows <c>/v1/entities/</c>.</param>
    private static HotRoute? HotRouteOf(string method, ReadOnlySpan<char> tail)
    {
        var slash = tail.IndexOf('/');
        if (slash < 0) return null;
        tail = tail[(slash + 1)..];
        slash = tail.IndexOf('/');
        if (slash < 0) return null;
        tail = tail[slash..];
        if (tail.SequenceEqual("/events")) return HttpMethods.IsPost(method) ? HotRoute.Append : null;
        const string aggregates = "/aggregates/";
        return HttpMethods.IsGet(method) && tail.StartsWith(aggregates, StringComparison.Ordinal) && tail.Length > aggregates.Length
            && tail[aggregates.Length..].IndexOfAny('/', '%') < 0 ? HotRoute.State : null;
    }

    private Endpoint?[] FindHot()
    {
        var hot = new Endpoint?[Enum.GetValues<HotRoute>().Length];
        foreach (var endpoint in services.GetRequiredService<EndpointDataSource>().Endpoints)
            if (endpoint.Metadata.GetMetadata<HotRouteMetadata>() is { } metadata) hot[(int)metadata.Route] = endpoint;
        return hot;
    }
}

internal sealed record HotRouteMetadata(HotRoute Route);
