using System.Buffers;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary><c>GET /v1/entities/{kind}/{id}/aggregates/{aggregate}</c>: the folded state, from memory.</summary>
/// <remarks>The usual case ends synchronously and allocates nothing but what Kestrel does: the body and the tag are the snapshot's own.</remarks>
internal sealed class StateEndpoint(EntityRegistry registry, EntityLookup lookup, StateReader states, AggregateNames names, Limits limits, IHostApplicationLifetime lifetime)
{
    private const string Prefix = "/aggregates/";

    private static readonly TimeSpan s_waitDefault = TimeSpan.FromSeconds(5);

    public Task HandleAsync(HttpContext context)
    {
        Span<byte> name = stackalloc byte[RequestTarget.NameBytesMax(limits)];
        if (RequestTarget.ReadEntity(context, limits, name, out var length, out var rest) is { } problem) return ProblemWriter.WriteAsync(context, problem);
        name = name[..length];
        var segment = rest.Length > Prefix.Length ? rest[Prefix.Length..].TrimEnd('/') : default;
        if (!context.Request.QueryString.HasValue
            && names.TryGet(segment) is { } known
            && registry.TryGetLive(name, out var actor)
            && actor!.TryGetState(known) is { } snapshot)
        {
            return WriteAsync(context, snapshot);
        }

        if (AggregateNames.Parse(segment) is not { } aggregate)
        {
            return ProblemWriter.WriteAsync(context, Problems.InvalidRequest("aggregate",
                $"An aggregate's name matches [A-Za-z][A-Za-z0-9_.-]{{0,{Limits.NameChars - 1}}}."));
        }

        return HandleSlowAsync(context, name.ToArray(), aggregate);
    }

    private async Task HandleSlowAsync(HttpContext context, byte[] name, string aggregate)
    {
        var query = new QueryParameters(context.Request, "atSeq", "at", "minSeq", "wait");
        var atSeq = query.Integer("atSeq", 0);
        var at = query.Time("at");
        var minSeq = query.Integer("minSeq", 0);
        var wait = query.Duration("wait", TimeSpan.FromSeconds(limits.WaitSeconds));
        if (at is not null && atSeq is not null) query.Refuse("at", "at and atSeq exclude each other.");
        if (minSeq is not null && (at ?? atSeq) is not null) query.Refuse("minSeq", "minSeq waits for the newest state; it can't be joined with at or atSeq.");
        if (wait is not null && minSeq is null) query.Refuse("wait", "wait needs minSeq, the seq to wait for.");
        var (actor, problem) = query.Problem is { } refused ? (null, refused) : await lookup.FindAsync(name, context.RequestAborted);
        if (actor is not null && minSeq is { } required) (actor, problem) = await WaitAsync(actor, required, wait ?? s_waitDefault, context);
        if (problem is null)
        {
            (var snapshot, problem) = await states.ReadAsync(actor!, aggregate, atSeq, at, context.RequestAborted);
            if (snapshot is not null)
            {
                names.Remember(aggregate);
                await WriteAsync(context, snapshot);
                return;
            }
        }

        await ProblemWriter.WriteAsync(context, problem!);
    }

    private async ValueTask<(EntityActor Actor, Problem? Problem)> WaitAsync(EntityActor actor, long required, TimeSpan wait, HttpContext context)
    {
        // A stopping service does not wait for those who wait.
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, lifetime.ApplicationStopping);
        (actor, var reached) = await registry.WaitForSeqAsync(actor, required, wait, stop.Token);
        if (reached) return (actor, null);
        var (_, gone) = await lookup.FindAsync(actor.Name.Utf8.ToArray(), context.RequestAborted);
        return (actor, gone ?? Problems.WaitTimeout(required, actor.DurableSeq));
    }

    private static Task WriteAsync(HttpContext context, StateSnapshot snapshot)
    {
        if (MediaTypes.Choose(context.Request, MediaTypes.Json) is null) return ProblemWriter.WriteAsync(context, Problems.NotAcceptable(MediaTypes.Json));
        var response = context.Response;
        var headers = response.Headers;
        headers.CacheControl = EntityHeaders.CacheControl;
        headers.ETag = snapshot.ETag;
        var noneMatch = context.Request.Headers.IfNoneMatch;
        if (noneMatch.Count > 0 && EntityTags.NoneMatchHits(noneMatch, snapshot.ETag))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return Task.CompletedTask;
        }

        response.ContentType = MediaTypes.Json;
        response.ContentLength = snapshot.Body.Length;
        response.BodyWriter.Write(snapshot.Body.Span);
        return Task.CompletedTask;
    }
}
