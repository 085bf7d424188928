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
        var problem = new QueryParameters(context.Request).Problem;
        var mediaType = MediaTypes.Choose(context.Request, MediaTypes.Ndjson, MediaTypes.Json);
        if (mediaType is null) problem ??= Problems.NotAcceptable($"{MediaTypes.Ndjson} or {MediaTypes.Json}");
        var name = problem is null ? lookup.ReadName(context, out problem) : null;
        EntityActor? actor = null;
        if (problem is null) (actor, problem) = await lookup.FindAsync(name!, context.RequestAborted);

        // Of an entity that only sagas name there is no event, and yet something is held.
        if (problem?.Status == StatusCodes.Status404NotFound && name is not null && await sagas.Erasure.MayNameAsync(name, context.RequestAborted)) problem = null;
        EntityDescription? description = null;
        if (problem is null && actor is not null)
        {
            description = await actor.DescribeAsync(context.RequestAborted);
            if (description is null) problem = lookup.WhyGone(name);
        }

        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        var isNdjson = mediaType is MediaTypes.Ndjson;
        context.Response.ContentType = mediaType;
        context.Response.Headers.CacheControl = EntityHeaders.CacheControl;

        // The entity's id stays out of the file's name: it would be logged and kept where files are.
        context.Response.Headers.ContentDisposition = $"attachment; filename=\"export-{description?.Life}.{(isNdjson ? "ndjson" : "json")}\"";
        using var json = JsonBuffer.Rent();
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var reply = new PagedReply(json, context) { Hash = hash };
        WriteHeader(json, name!, description, isNdjson);
        var events = description is { } described ? await WriteEventsAsync(reply, actor!, described, isNdjson) : 0;
        if (!isNdjson) json.Raw("],\"states\":["u8);
        if (description is { } folded) await WriteStatesAsync(reply, actor!, folded, isNdjson, context);
        if (!isNdjson) json.Raw("],\"projections\":["u8);
        if (description is { } projected) await WriteRowsAsync(reply, projected.Life, isNdjson);
        if (!isNdjson) json.Raw("],\"sagas\":["u8);
        await WriteStepsAsync(reply, name!, isNdjson);
        if (isNdjson)
        {
            await reply.SendAsync();
            WriteEnd(json, events, hash);
        }
        else
        {
            json.Raw("],\"end\":true}"u8);
        }

        context.Response.BodyWriter.Write(json.Written);
    }

    /// <param name="description">Null where there is no event.</param>
    private void WriteHeader(JsonBuffer json, byte[] name, in EntityDescription? description, bool isNdjson)
    {
        json.Raw("{\"export\":\"warp.http/1\",\"entity\":"u8);
        json.Text(name);
        if (description is { } described)
        {
            json.Raw(",\"life\":"u8);
            json.Life(described.Life);
            json.Raw(",\"seq\":"u8);
            json.Number(described.Seq);
            json.Raw(",\"createdAt\":"u8);
            json.Time(described.CreatedAtMs);
            json.Raw(",\"updatedAt\":"u8);
            json.Time(described.UpdatedAtMs);
        }
        else
        {
            json.Raw(",\"life\":null,\"seq\":0,\"createdAt\":null,\"updatedAt\":null"u8);
        }

        json.Raw(",\"exportedAt\":"u8);
        json.Time(clock.GetUtcNow().ToUnixTimeMilliseconds());
        json.Raw(isNdjson ? "}\n"u8 : ",\"events\":["u8);
    }

    private static async ValueTask<long> WriteEventsAsync(PagedReply reply, EntityActor actor, EntityDescription description, bool isNdjson)
    {
        var events = await new EventPages(actor, reply).WriteAsync(new EventRange(1, description.Seq, false), EventFilter.None, isNdjson ? null : ",");
        if (events != description.Seq) throw new InvalidOperationException($"An export found {events} of {description.Seq} events.");
        return events;
    }

    private async ValueTask WriteStatesAsync(PagedReply reply, EntityActor actor, EntityDescription description, bool isNdjson, HttpContext context)
    {
        for (var i = 0; i < description.Aggregates.Count; i++)
        {
            if (!isNdjson && i > 0) reply.Json.Raw((byte)',');
            await WriteStateAsync(reply.Json, actor, description.Aggregates[i], description.Seq, context);
            if (isNdjson) reply.Json.Raw((byte)'\n');
            await reply.SendIfLongAsync();
        }
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

    private async ValueTask WriteRowsAsync(PagedReply reply, Life life, bool isNdjson)
    {
        var isFirst = true;
        await foreach (var (table, row) in projections.ReadRowsAsync(life, reply.Cancellation))
        {
            if (!isNdjson && !isFirst) reply.Json.Raw((byte)',');
            isFirst = false;
            ProjectionJson.Write(reply.Json, table, row);
            if (isNdjson) reply.Json.Raw((byte)'\n');
            await reply.SendIfLongAsync();
        }
    }

    private async ValueTask WriteStepsAsync(PagedReply reply, byte[] name, bool isNdjson)
    {
        var isFirst = true;
        await foreach (var (saga, kept) in sagas.StepsOfAsync(name, reply.Cancellation))
        {
            if (!isNdjson && !isFirst) reply.Json.Raw((byte)',');
            isFirst = false;
            SagaJson.WriteExported(reply.Json, saga, kept);
            if (isNdjson) reply.Json.Raw((byte)'\n');
            await reply.SendIfLongAsync();
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
