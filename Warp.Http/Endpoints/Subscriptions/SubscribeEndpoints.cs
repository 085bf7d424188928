using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Sagas;
using Warp.Http.Subscriptions;

namespace Warp.Http.Endpoints;

/// <summary><c>GET /v1/entities/{kind}/{id}/subscribe</c> and <c>GET /v1/subscribe</c>: server-sent events.</summary>
internal sealed class SubscribeEndpoints(
    EntityLookup lookup, EntityRegistry registry, SubscriptionHub hub, AggregateCatalog definitions, Limits limits, IHostApplicationLifetime lifetime)
{
    private const string Start = "start";

    public async Task SubscribeToEntityAsync(HttpContext context)
    {
        var query = SubscribeQuery.OfEntity(context.Request, limits);
        var utf8 = lookup.ReadName(context, out var problem);
        problem ??= query.Problem;
        var asked = problem is null ? query.AskedPlace(out problem) : null;
        if (problem is null && EntityName.IsReserved(utf8)) problem = Problems.EntityNotFound(); // as every read: nothing is ever there
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        await SubscribeAsync(context, new EntityName(utf8), query, asked);
    }

    /// <summary>A saga's progress: the events of its own log, which name no party.</summary>
    public async Task SubscribeToSagaAsync(HttpContext context)
    {
        var query = SubscribeQuery.OfSaga(context.Request, limits);
        var problem = SagaEndpoints.ReadId(context, out var id) ?? query.Problem;
        var asked = problem is null ? query.AskedPlace(out problem) : null;
        if (problem is not null) await ProblemWriter.WriteAsync(context, problem);
        else await SubscribeAsync(context, new EntityName(SagaIds.EntityOf(id)), query, asked);
    }

    public async Task SubscribeToAllAsync(HttpContext context)
    {
        var query = SubscribeQuery.OfAll(context.Request, limits);
        if ((query.Problem ?? query.ContestedKind(definitions.Current, default)) is { } problem)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        FeedPlace[]? places = null;
        if (query.LastEventId is null && query.Cursor is null or Start)
        {
            places = query.Cursor is null ? hub.CurrentPlaces() : hub.StartPlaces();
        }
        else if (!hub.TryParseCursor(query.LastEventId ?? query.Cursor!, out places))
        {
            await ProblemWriter.WriteAsync(context, Problems.InvalidCursor(
                "The cursor is not one that this store gave: it is damaged, or the store was restored from a backup since. Start anew, with cursor=start or without.",
                query.LastEventId is null ? "cursor" : SubscribeQuery.LastEventIdName));
            return;
        }

        var resync = hub.Resync(places);
        await ServeAsync(context, (pipe, abort) => new FeedSession(hub, places, resync, query.Filter(definitions), pipe, abort));
    }

    private async Task SubscribeAsync(HttpContext context, EntityName name, SubscribeQuery query, AskedPlace? asked)
    {
        var found = await registry.FindAsync(name.Memory, context.RequestAborted);
        if (found.Presence == EntityPresence.Erased)
        {
            await ProblemWriter.WriteAsync(context, Problems.EntityErased(found.Erasure));
            return;
        }

        var problem = query.ContestedKind(definitions.Current, name.Kind);
        if (asked is { } place && hub.IsForeign(name, found.Actor, place))
            problem = Problems.InvalidRequest(SubscribeQuery.LastEventIdName, "The id is one of another entity's stream.");
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        var start = await hub.FixStartAsync(name, found.Actor, asked);
        await ServeAsync(context, (pipe, abort) => new EntitySession(hub, name, start, query.Filter(definitions), pipe, abort));
    }

    private async Task ServeAsync(HttpContext context, Func<PipeWriter, Action, SubscriptionSession> open)
    {
        var response = context.Response;
        var session = open(response.BodyWriter, context.Abort);
        if (!hub.TryEnter(session))
        {
            await ProblemWriter.WriteAsync(context, Problems.TooManySubscriptions(limits.Subscriptions));
            return;
        }

        try
        {
            // A client may rest for as long as SubscriptionOptions.SendTimeout says; the server's own rate would cut it after seconds.
            if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate) rate.MinDataRate = null;
            context.Features.GetRequiredFeature<IHttpResponseBodyFeature>().DisableBuffering();
            response.ContentType = MediaTypes.EventStream;
            response.Headers.CacheControl = "no-store";
            response.Headers["X-Accel-Buffering"] = "no"; // nginx would gather what should go out at once
            using var gone = context.RequestAborted.UnsafeRegister(static s => ((SubscriptionSession)s!).Stop(SubscriptionEnd.ClientGone), session);
            using var stopping = lifetime.ApplicationStopping.UnsafeRegister(static s => ((SubscriptionSession)s!).Stop(SubscriptionEnd.Stopping), session);
            await session.RunAsync();
        }
        finally
        {
            hub.Leave(session);
        }
    }
}
