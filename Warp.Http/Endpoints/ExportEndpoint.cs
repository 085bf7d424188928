using System.Buffers;
using System.Security.Cryptography;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Projections;
using Warp.Http.Sagas;

namespace Warp.Http.Endpoints;

/// <summary>
/// <c>GET /v1/entities/{kind}/{id}/export</c>: everything held about the entity, as it was when the export began. A file that is cut off
/// lacks the end line, one that was altered fails its hash.
/// </summary>
internal sealed class ExportEndpoint(
    EntityLookup lookup, StateReader states, Projector projections, SagaService sagas, TimeProvider clock)
{
    public async Task HandleAsync(HttpContext context)
    {
        var query = new QueryParameters(context.Request);
        var (actor, problem) = query.Problem is { } refused ? (null, refused) : await lookup.FindAsync(context);
        var mediaType = MediaTypes.Choose(context.Request, MediaTypes.Ndjson, MediaTypes.Json);
        if (mediaType is null) problem ??= Problems.NotAcceptable($"{MediaTypes.Ndjson} or {MediaTypes.Json}");
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        var isNdjson = mediaType is MediaTypes.Ndjson;
        if (await actor!.DescribeAsync(context.RequestAborted) is not { } description)
        {
            await ProblemWriter.WriteAsync(context, await lookup.WhyGoneAsync(context));
            return;
        }

        context.Response.ContentType = mediaType;
        context.Response.Headers.CacheControl = EntityHeaders.CacheControl;

        // The entity's id stays out of the file's name: it would be logged and kept where files are.
        context.Response.Headers.ContentDisposition = $"attachment; filename=\"export-{description.Life}.{(isNdjson ? "ndjson" : "json")}\"";
        using var json = JsonBuffer.Rent();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var pages = new EventPages(actor, json, context) { Hash = hash };
        WriteHeader(json, actor.Name, description, isNdjson);
        var events = await pages.WriteAsync(new EventRange(1, description.Seq, false), EventFilter.None, isNdjson ? null : ",");
        if (events != description.Seq) throw new InvalidOperationException($"An export found {events} of {description.Seq} events.");
        if (!isNdjson) json.Raw("],\"states\":["u8);
        for (var i = 0; i < description.Aggregates.Count; i++)
        {
            if (!isNdjson && i > 0) json.Raw((byte)',');
            await WriteStateAsync(json, actor, description.Aggregates[i], description.Seq, context);
            if (isNdjson) json.Raw((byte)'\n');
            await pages.SendIfLongAsync();
        }

        if (!isNdjson) json.Raw("],\"projections\":["u8);
        await WriteRowsAsync(json, description.Life, pages, isNdjson, context.RequestAborted);
        if (!isNdjson) json.Raw("],\"sagas\":["u8);
        var isFirst = true;
        await foreach (var (saga, kept) in sagas.StepsOfAsync(actor.Name.Memory, context.RequestAborted))
        {
            if (!isNdjson && !isFirst) json.Raw((byte)',');
            isFirst = false;
            SagaJson.WriteExported(json, saga, kept);
            if (isNdjson) json.Raw((byte)'\n');
            await pages.SendIfLongAsync();
        }

        if (isNdjson)
        {
            await pages.SendAsync();
            WriteEnd(json, events, hash);
        }
        else
        {
            json.Raw("],\"end\":true}"u8);
        }

        context.Response.BodyWriter.Write(json.Written);
    }

    private void WriteHeader(JsonBuffer json, EntityName name, in EntityDescription description, bool isNdjson)
    {
        json.Raw("{\"export\":\"warp.http/1\",\"entity\":"u8);
        json.Text(name.Utf8);
        json.Raw(",\"life\":"u8);
        json.Life(description.Life);
        json.Raw(",\"seq\":"u8);
        json.Number(description.Seq);
        json.Raw(",\"createdAt\":"u8);
        json.Time(description.CreatedAtMs);
        json.Raw(",\"updatedAt\":"u8);
        json.Time(description.UpdatedAtMs);
        json.Raw(",\"exportedAt\":"u8);
        json.Time(clock.GetUtcNow().ToUnixTimeMilliseconds());
        json.Raw(isNdjson ? "}\n"u8 : ",\"events\":["u8);
    }

    /// <summary>The state as of the export's seq; one that can't be folded is told as its problem, since the events are all there.</summary>
    private async ValueTask WriteStateAsync(JsonBuffer json, EntityActor actor, string aggregate, long seq, HttpContext context)
    {
        var (snapshot, problem) = await states.ReadAsync(actor, aggregate, null, null, context.RequestAborted);
        if (snapshot is not null && snapshot.Seq != seq) (snapshot, problem) = await states.ReadAsync(actor, aggregate, seq, null, context.RequestAborted);
        if (snapshot is not null)
        {
            json.Raw(snapshot.Body.Span);
            return;
        }

        json.Raw("{\"aggregate\":"u8);
        json.Text(aggregate);
        json.Raw(",\"problem\":"u8);
        ProblemWriter.WriteJson(json, problem!, context);
        json.Raw((byte)'}');
    }

    private async ValueTask WriteRowsAsync(JsonBuffer json, Life life, EventPages pages, bool isNdjson, CancellationToken cancellation)
    {
        var isFirst = true;
        await foreach (var (table, row) in projections.ReadRowsAsync(life, cancellation))
        {
            if (!isNdjson && !isFirst) json.Raw((byte)',');
            isFirst = false;
            ProjectionJson.Write(json, table, row);
            if (isNdjson) json.Raw((byte)'\n');
            await pages.SendIfLongAsync();
        }
    }

    private static void WriteEnd(JsonBuffer json, long events, IncrementalHash hash)
    {
        json.Raw("{\"end\":true,\"events\":"u8);
        json.Number(events);
        json.Raw(",\"sha256\":"u8);
        json.Text(Convert.ToHexStringLower(hash.GetHashAndReset()));
        json.Raw("}\n"u8);
    }
}
