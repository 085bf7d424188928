using System.Buffers;
using System.Text;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>The answer to an append: 201, or 200 where it was stored before.</summary>
internal static class AppendReply
{
    public static void WriteHeaders(HttpContext context, in AppendOutcome outcome, string cursor)
    {
        var response = context.Response;
        var headers = response.Headers;
        var replayed = outcome.Status == AppendStatus.Replayed;
        response.StatusCode = replayed ? StatusCodes.Status200OK : StatusCodes.Status201Created;
        response.ContentType = MediaTypes.Json;
        headers.CacheControl = EntityHeaders.CacheControl;
        headers.ETag = EntityTags.Of(outcome.LastSeq, outcome.Life);
        headers.Location = $"{RequestTarget.PathOf(context).TrimEnd('/')}?from={outcome.FirstSeq}&to={outcome.LastSeq}";
        headers["Warp-Cursor"] = cursor;
        if (replayed) headers["Idempotent-Replayed"] = "true";
    }

    public static void WriteShort(HttpResponse response, AppendCommand command, in AppendOutcome outcome, string? key)
    {
        using var json = JsonBuffer.Rent();
        WriteMembers(json, command, outcome, key);
        json.Raw((byte)'}');
        response.ContentLength = json.Length;
        response.BodyWriter.Write(json.Written);
    }

    /// <summary>With the states after the append, and the events as they were recorded, page by page.</summary>
    public static async Task WriteLongAsync(
        HttpContext context, AppendCommand command, AppendOutcome outcome, AppendOptions options, EntityRegistry registry, StateReader states)
    {
        var found = await registry.FindAsync(command.Entity.ToArray(), context.RequestAborted);
        using var json = JsonBuffer.Rent();
        WriteMembers(json, command, outcome, options.Key);
        if (options.ReturnState) await states.WriteAfterAppendAsync(json, found.Actor, command, outcome, context);
        if (options.ReturnEvents)
        {
            context.Response.Headers["Preference-Applied"] = "return=representation";
            json.Raw(",\"events\":["u8);
            if (found.Actor is { } actor)
                await new EventPages(actor, new PagedReply(json, context)).WriteAsync(new EventRange(outcome.FirstSeq, outcome.LastSeq, false), EventFilter.None, separator: ",");
            json.Raw((byte)']');
        }

        json.Raw((byte)'}');
        context.Response.BodyWriter.Write(json.Written);
    }

    private static void WriteMembers(JsonBuffer json, AppendCommand command, in AppendOutcome outcome, string? key)
    {
        Span<byte> keyBytes = stackalloc byte[Limits.IdempotencyKeyChars];
        keyBytes = keyBytes[..Encoding.ASCII.GetBytes(key, keyBytes)];
        json.Raw("{\"entity\":"u8);
        json.Text(command.Entity);
        json.Raw(",\"life\":"u8);
        json.Life(outcome.Life);
        json.Raw(",\"firstSeq\":"u8);
        json.Number(outcome.FirstSeq);
        json.Raw(",\"lastSeq\":"u8);
        json.Number(outcome.LastSeq);
        json.Raw(",\"firstId\":"u8);
        EventJson.WriteId(json, OwnId(command.Events, 0), keyBytes, 0, outcome.Life, outcome.FirstSeq);
        json.Raw(",\"lastId\":"u8);
        var last = command.Events.Count - 1;
        EventJson.WriteId(json, OwnId(command.Events, last), keyBytes, last, outcome.Life, outcome.LastSeq);
    }

    private static ReadOnlySpan<byte> OwnId(EncodedEvents events, int index)
    {
        if (!events.HasIds) return default;
        var records = events.Bytes;
        for (var i = 0; i < index; i++) EventRecord.Skip(ref records);
        return EventRecord.Read(ref records).Id;
    }
}
