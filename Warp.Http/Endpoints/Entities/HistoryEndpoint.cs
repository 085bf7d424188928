using System.Buffers;
using System.Text;
using Microsoft.AspNetCore.WebUtilities;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary><c>GET /v1/entities/{kind}/{id}/events</c>: the entity's history, filtered and paged.</summary>
internal sealed class HistoryEndpoint(EntityLookup lookup, AggregateCatalog definitions, Limits limits)
{
    public async Task HandleAsync(HttpContext context)
    {
        var query = new HistoryQuery(context.Request, limits);
        var (actor, problem) = query.Problem is { } refused ? (null, refused) : await lookup.FindAsync(context);
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        if (query.Aggregate is { } aggregate && definitions.Current.ContendersOf(actor!.Name.Kind, Encoding.UTF8.GetString(aggregate)) is { } contenders)
        {
            await ProblemWriter.WriteAsync(context, Problems.ContestedKind(actor.Name.Kind, contenders));
            return;
        }

        var range = new EventRange(query.From, Math.Min(query.To ?? long.MaxValue, actor!.DurableSeq), query.Descending);
        range = await range.BetweenAsync(actor, query.SinceMs, query.UntilMs, context.RequestAborted);
        try
        {
            await WriteAsync(context, actor, query, range);
        }
        catch (EntityGoneException) when (!context.Response.HasStarted)
        {
            context.Response.Clear();
            await ProblemWriter.WriteAsync(context, lookup.WhyGone(actor.Name.Utf8));
        }
    }

    private async Task WriteAsync(HttpContext context, EntityActor actor, HistoryQuery query, EventRange range)
    {
        var known = definitions.Current;
        var filter = new EventFilter(query.Types, query.Aggregate, Encoding.UTF8.GetBytes(known.ResolveDefault(actor.Name.Kind).Name));
        using var json = JsonBuffer.Rent();
        var pages = new EventPages(actor, new PagedReply(json, context)) { Upcasts = query.Upcasts ? known : null };
        var end = await EndAsync(pages, range, filter, query.Limit);
        var next = end is { } seq && range.After(seq) is { IsEmpty: false } rest ? NextPath(context, actor, rest) : null;
        if (end is not null) range = range.StoppingAt(end.Value);

        var response = context.Response;
        response.ContentType = query.IsNdjson ? MediaTypes.Ndjson : MediaTypes.Json;
        response.Headers.CacheControl = EntityHeaders.CacheControl;
        if (next is not null) response.Headers.Link = $"<{next}>; rel=\"next\"";
        if (query.IsNdjson)
        {
            await pages.WriteAsync(range, filter, separator: null);
        }
        else
        {
            json.Raw("{\"entity\":"u8);
            json.Text(actor.Name.Utf8);
            json.Raw(",\"events\":["u8);
            await pages.WriteAsync(range, filter, separator: ",");
            json.Raw("],\"next\":"u8);
            if (next is null) json.Raw("null"u8);
            else json.Text(next);
            json.Raw((byte)'}');
        }

        if (!response.HasStarted) response.ContentLength = json.Length;
        response.BodyWriter.Write(json.Written);
    }

    /// <summary>The last seq of this page, or null if all of the range fits. A filter must look for it: the Link header goes out first.</summary>
    private static async ValueTask<long?> EndAsync(EventPages pages, EventRange range, EventFilter filter, long limit)
    {
        if (range.IsEmpty) return null;
        if (!filter.IsNone) return await pages.FindEndAsync(range, filter, limit);
        if (range.To - range.From < limit) return null;
        return range.Descending ? range.To - limit + 1 : range.From + limit - 1;
    }

    /// <summary>The same request, going on where this page ends.</summary>
    private static string NextPath(HttpContext context, EntityActor actor, EventRange rest)
    {
        var path = new StringBuilder("/v1/entities/").Append(EntityName.ToPath(actor.Name.Utf8)).Append("/events?");
        var moved = rest.Descending ? "to" : "from";
        path.Append(moved).Append('=').Append(rest.Descending ? rest.To : rest.From);
        foreach (var pair in new QueryStringEnumerable(context.Request.QueryString.Value))
        {
            var name = pair.DecodeName().ToString();
            if (name.Equals(moved, StringComparison.Ordinal)) continue;

            // Encoded anew: what the client left bare could end the Link header's URI.
            path.Append('&').Append(name).Append('=').Append(Uri.EscapeDataString(pair.DecodeValue().Span));
        }

        return path.ToString();
    }
}
