using Warp.Http.Events;
using Warp.Http.Projections;
using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary><c>POST /v1/query</c>: one SELECT over the tables of projections.</summary>
internal sealed class QueryEndpoint(QueryService queries, Store store, Limits limits)
{
    public async Task PostAsync(HttpContext context)
    {
        var problem = new QueryParameters(context.Request).Problem ?? MediaTypes.OfJson(context.Request);
        var mediaType = MediaTypes.Choose(context.Request, MediaTypes.Json, MediaTypes.Ndjson, MediaTypes.Csv);
        if (mediaType is null) problem ??= Problems.NotAcceptable($"{MediaTypes.Json}, {MediaTypes.Ndjson} or {MediaTypes.Csv}");
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        var sent = await RequestBody.ReadAsync(context, limits);
        problem = sent.Problem ?? JsonStrictness.CheckDocument(sent.Bytes, limits);
        var bytes = problem is null ? sent.Bytes.ToArray() : [];
        sent.Release();
        var body = problem is null ? QueryBody.Read(bytes, limits, out problem) : null;
        QueryFreshness? freshness = null;
        if (problem is null && body!.MinCursor is { } cursor)
        {
            var places = new FeedPlace[store.Shards];
            if (Cursor.TryParse(cursor, store.StoreId, places)) freshness = new QueryFreshness(places, body.Wait, body.MayBeStale);
            else problem = Problems.InvalidCursor("The cursor is not one that this store gave: it is damaged, or the store was restored from a backup since.", "$.minCursor");
        }

        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        var reply = await queries.AskAsync(body!.Query, freshness, context.RequestAborted);
        problem = ProblemOf(reply, freshness);
        if (problem is not null) await ProblemWriter.WriteAsync(context, problem);
        else Write(context, reply, mediaType!);
    }

    private Problem? ProblemOf(QueryReply reply, QueryFreshness? freshness) => reply.Outcome.Status switch
    {
        QueryStatus.Answered => null,
        QueryStatus.Invalid => Problems.InvalidSql(reply.Outcome.Detail!),
        QueryStatus.WrongParameters => Problems.InvalidRequest("$.params", reply.Outcome.Detail!),
        QueryStatus.TimedOut => Problems.QueryTimeout(limits.QuerySeconds),
        QueryStatus.Overloaded => Problems.TooManyQueries(limits.QuerySeconds),
        _ => Problems.ProjectionStale(Cursor.Format(store.StoreId, freshness!.Places), Cursor.Format(store.StoreId, reply.AsOf)),
    };

    private void Write(HttpContext context, QueryReply reply, string mediaType)
    {
        var asOf = Cursor.Format(store.StoreId, reply.AsOf);
        using var json = JsonBuffer.Rent();
        var isWhole = mediaType switch
        {
            MediaTypes.Ndjson => QueryWriter.WriteNdjson(json, reply.Outcome, limits.QueryBytes),
            MediaTypes.Csv => QueryWriter.WriteCsv(json, reply.Outcome, limits.QueryBytes),
            _ => QueryWriter.WriteJson(json, reply.Outcome, limits.QueryBytes),
        };
        var isTruncated = reply.Outcome.IsTruncated || !isWhole;
        if (mediaType is MediaTypes.Json)
        {
            json.Raw(",\"asOf\":"u8);
            json.Text(asOf);
            json.Raw(isTruncated ? ",\"truncated\":true}"u8 : ",\"truncated\":false}"u8);
        }

        // Lines and records have no room for them.
        context.Response.Headers["Warp-As-Of"] = asOf;
        context.Response.Headers["Warp-Truncated"] = isTruncated ? "true" : "false";
        context.Response.Headers.CacheControl = "no-store";
        JsonReply.Write(context.Response, json, mediaType is MediaTypes.Csv ? "text/csv; charset=utf-8; header=present" : mediaType);
    }
}
