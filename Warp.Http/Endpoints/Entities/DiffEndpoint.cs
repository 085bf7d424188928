using System.Globalization;
using Warp.Http.Aggregates;
using Warp.Http.Aggregates.Values;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary><c>GET …/aggregates/{aggregate}/diff</c>: what changed in the state between two seqs, as a JSON Patch (RFC 6902).</summary>
internal sealed class DiffEndpoint(EntityLookup lookup, StateReader states)
{
    private const string MediaType = "application/json-patch+json";

    public async Task HandleAsync(HttpContext context)
    {
        var query = new QueryParameters(context.Request, "from", "to");
        var from = query.Integer("from", 0) ?? 0;
        var to = query.Integer("to", 0);
        var aggregate = (string)context.Request.RouteValues["aggregate"]!;
        if (AggregateCatalog.NameError(aggregate) is { } error) query.Refuse("aggregate", error);
        var (actor, problem) = query.Problem is { } refused ? (null, refused) : await lookup.FindAsync(context);
        if (problem is null && MediaTypes.Choose(context.Request, MediaType, MediaTypes.Json) is null) problem = Problems.NotAcceptable(MediaType);
        StateSnapshot? before = null;
        StateSnapshot? after = null;
        if (problem is null) (after, problem) = await states.ReadAsync(actor!, aggregate, to ?? actor!.DurableSeq, null, context.RequestAborted, "to");
        if (problem is null) (before, problem) = await states.ReadAsync(actor!, aggregate, from, null, context.RequestAborted, "from");

        // Before its first event an aggregate without definition has no state; what came then was added to nothing.
        if (after is not null && problem?.Status == StatusCodes.Status404NotFound) problem = null;
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        // The state's tag after the seq it is compared with: no tag that an append could take for the entity's.
        var tag = string.Create(CultureInfo.InvariantCulture, $"\"{from}-{after!.ETag.AsSpan(1)}");
        context.Response.Headers.CacheControl = EntityHeaders.CacheControl;
        context.Response.Headers.ETag = tag;
        if (EntityTags.NoneMatchHits(context.Request.Headers.IfNoneMatch, tag))
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        using var json = JsonBuffer.Rent();
        JsonPatchDiff.Write(json, before is null ? "{}"u8 : before.State.Span, after.State.Span);
        JsonReply.Write(context.Response, json, MediaType);
    }
}
