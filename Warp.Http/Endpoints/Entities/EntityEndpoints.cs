using System.Buffers;
using System.Text;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary><c>GET</c> and <c>HEAD /v1/entities/{kind}/{id}</c>, and the list of entities.</summary>
internal sealed class EntityEndpoints(EntityLookup lookup, EntityRegistry registry, Limits limits)
{
    public async Task DescribeAsync(HttpContext context)
    {
        var query = new QueryParameters(context.Request);
        var (actor, problem) = query.Problem is { } refused ? (null, refused) : await lookup.FindAsync(context);
        if (problem is null && MediaTypes.Choose(context.Request, MediaTypes.Json) is null) problem = Problems.NotAcceptable(MediaTypes.Json);
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        if (await actor!.DescribeAsync(context.RequestAborted) is not { } description)
        {
            await ProblemWriter.WriteAsync(context, lookup.WhyGone(actor.Name.Utf8));
            return;
        }

        var response = context.Response;
        var tag = EntityTags.Of(description.Seq, description.Life);
        response.Headers.ETag = tag;
        response.Headers.CacheControl = EntityHeaders.CacheControl;
        if (EntityTags.NoneMatchHits(context.Request.Headers.IfNoneMatch, tag))
        {
            response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        using var json = JsonBuffer.Rent();
        WriteDescription(json, actor.Name, description);
        JsonReply.Write(response, json);
    }

    public async Task ListAsync(HttpContext context)
    {
        var query = new QueryParameters(context.Request, "kind", "limit", "cursor");
        var kind = query.Text("kind") is { } given ? Encoding.UTF8.GetBytes(given) : [];
        if (query.Text("kind") is not null && EntityName.KindError(kind, limits) is { } kindError) query.Refuse("kind", kindError);
        var limit = query.Limit(limits.HistoryLimit);
        var problem = query.Problem;
        Life after = default;
        if (problem is null && query.Text("cursor") is { } cursor && !registry.TryParsePlace(cursor, out after))
            problem = Problems.InvalidCursor("The cursor is not one that a list gave; start without one.");
        var mediaType = MediaTypes.Choose(context.Request, MediaTypes.Json, MediaTypes.Ndjson);
        if (mediaType is null) problem ??= Problems.NotAcceptable($"{MediaTypes.Json} or {MediaTypes.Ndjson}");
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        // One more than is shown tells whether there is a next page.
        var found = await registry.ListAsync(kind, after, limit + 1, context.RequestAborted);
        var shown = Math.Min(found.Count, limit);
        var next = found.Count > limit ? NextPath(kind, limit, found[limit - 1].Life) : null;
        if (next is not null) context.Response.Headers.Link = $"<{next}>; rel=\"next\"";
        using var json = JsonBuffer.Rent();
        WriteList(json, found.Take(shown), next, mediaType is MediaTypes.Ndjson);
        context.Response.Headers.CacheControl = EntityHeaders.CacheControl;
        JsonReply.Write(context.Response, json, mediaType!);
    }

    private static void WriteDescription(JsonBuffer json, EntityName name, in EntityDescription description)
    {
        json.Raw("{\"entity\":"u8);
        json.Text(name.Utf8);
        json.Raw(",\"life\":"u8);
        json.Life(description.Life);
        json.Raw(",\"seq\":"u8);
        json.Number(description.Seq);
        json.Raw(",\"createdAt\":"u8);
        json.Time(description.CreatedAtMs);
        json.Raw(",\"updatedAt\":"u8);
        json.Time(description.UpdatedAtMs);
        json.Raw(",\"aggregates\":["u8);
        for (var i = 0; i < description.Aggregates.Count; i++)
        {
            if (i > 0) json.Raw((byte)',');
            json.Text(description.Aggregates[i]);
        }

        json.Raw("],\"bytes\":"u8);
        json.Number(description.Bytes);
        json.Raw((byte)'}');
    }

    private static void WriteList(JsonBuffer json, IEnumerable<ListedEntity> entities, string? next, bool isNdjson)
    {
        if (!isNdjson) json.Raw("{\"entities\":["u8);
        var isFirst = true;
        foreach (var entity in entities)
        {
            if (!isNdjson && !isFirst) json.Raw((byte)',');
            isFirst = false;
            json.Raw("{\"entity\":"u8);
            json.Text(entity.Name.Utf8);
            json.Raw(",\"life\":"u8);
            json.Life(entity.Life);
            json.Raw((byte)'}');
            if (isNdjson) json.Raw((byte)'\n');
        }

        if (isNdjson) return;
        json.Raw("],\"next\":"u8);
        if (next is null) json.Raw("null"u8);
        else json.Text(next);
        json.Raw((byte)'}');
    }

    private static string NextPath(byte[] kind, int limit, Life last)
    {
        var ofKind = kind.Length == 0 ? "" : $"kind={System.Text.Encoding.ASCII.GetString(kind)}&";
        return $"/v1/entities?{ofKind}limit={limit}&cursor={last}";
    }
}
