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
    private const int LimitDefault = 100;

    public async Task HandleAsync(HttpContext context)
    {
        var (actor, problem) = await lookup.FindAsync(context);
        if (actor is null)
        {
            await ProblemWriter.WriteAsync(context, problem!);
            return;
        }

        var query = new QueryParameters(context.Request, "from", "to", "limit", "order", "type", "aggregate", "since", "until", "upcast");
        var last = actor.DurableSeq;
        var from = query.Integer("from", 1) ?? 1;
        var to = query.Integer("to", 1) ?? last;
        var limit = query.Integer("limit", 1, limits.HistoryLimit) ?? LimitDefault;
        var descending = query.Choice("order", "asc", "desc") is "desc";
        var since = query.Time("since", roundUp: true);
        var until = query.Time("until");
        var filter = ReadFilter(query, actor);
        if (from > to && query.Text("to") is not null) query.Refuse("to", $"{to} lies before from, {from}.");
        var upcasts = query.Flag("upcast") ? definitions.Current : null;
        var mediaType = MediaTypes.Choose(context.Request, MediaTypes.Json, MediaTypes.Ndjson);
        if (mediaType is null) problem = Problems.NotAcceptable($"{MediaTypes.Json} or {MediaTypes.Ndjson}");
        if ((query.Problem ?? problem) is { } refused)
        {
            await ProblemWriter.WriteAsync(context, refused);
            return;
        }

        var range = new EventRange(from, Math.Min(to, last), descending);
        range = await range.BetweenAsync(actor, since, until, context.RequestAborted);
        try
        {
            await WriteAsync(context, actor, upcasts, range, filter, limit, mediaType is MediaTypes.Ndjson);
        }
        catch (EntityGoneException) when (!context.Response.HasStarted)
        {
            context.Response.Clear();
            (_, problem) = await lookup.FindAsync(actor.Name.Utf8.ToArray(), context.RequestAborted);
            await ProblemWriter.WriteAsync(context, problem ?? Problems.EntityNotFound());
        }
    }

    private EventFilter ReadFilter(QueryParameters query, EntityActor actor)
    {
        var types = query.Texts("type").ConvertAll(Encoding.UTF8.GetBytes);
        var aggregate = query.Text("aggregate");
        if (aggregate is not null && !EventParser.IsName(Encoding.UTF8.GetBytes(aggregate))) query.Refuse("aggregate", $"\"{aggregate}\" is not an aggregate's name.");
        return new EventFilter(types, aggregate is null ? null : Encoding.UTF8.GetBytes(aggregate), Encoding.UTF8.GetBytes(definitions.Current.ResolveDefault(actor.Name.Kind).Name));
    }

    private static async Task WriteAsync(
        HttpContext context, EntityActor actor, AggregateSet? upcasts, EventRange range, EventFilter filter, long limit, bool isNdjson)
    {
        using var json = JsonBuffer.Rent();
        var pages = new EventPages(actor, json, context) { Upcasts = upcasts };
        var end = await EndAsync(pages, range, filter, limit);
        var next = end is { } seq && range.After(seq) is { IsEmpty: false } rest ? NextPath(context, actor, rest) : null;
        if (end is not null) range = range.StoppingAt(end.Value);

        var response = context.Response;
        response.ContentType = isNdjson ? MediaTypes.Ndjson : MediaTypes.Json;
        response.Headers.CacheControl = EntityHeaders.CacheControl;
        if (next is not null) response.Headers.Link = $"<{next}>; rel=\"next\"";
        if (isNdjson)
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
