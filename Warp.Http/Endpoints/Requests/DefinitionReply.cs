using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>What definitions of aggregates and of projections have in common: how a body is read, and how one and a list of them are told.</summary>
internal static class DefinitionReply
{
    /// <summary>Reads a body that is one JSON document.</summary>
    public static async Task<(byte[] Definition, Problem? Problem)> ReadAsync(HttpContext context, Limits limits)
    {
        var body = await RequestBody.ReadAsync(context, limits);
        var problem = body.Problem ?? JsonStrictness.CheckDocument(body.Bytes, limits);
        var definition = problem is null ? body.Bytes.ToArray() : [];
        body.Release();
        return (definition, problem);
    }

    /// <summary>Begins an object and leaves it open for what follows.</summary>
    /// <param name="source">The definition as it was sent.</param>
    public static void Begin(JsonBuffer json, string name, int version, long createdAtMs, long updatedAtMs, ReadOnlySpan<byte> source)
    {
        json.Raw("{\"name\":"u8);
        json.Text(name);
        json.Raw(",\"version\":"u8);
        json.Number(version);
        json.Raw(",\"createdAt\":"u8);
        json.Time(createdAtMs);
        json.Raw(",\"updatedAt\":"u8);
        json.Time(updatedAtMs);
        WriteSource(json, source);
    }

    /// <summary>Adds the member <c>definition</c>.</summary>
    public static void WriteSource(JsonBuffer json, ReadOnlySpan<byte> source)
    {
        json.Raw(",\"definition\":"u8);
        json.Advance(JsonStrictness.Compact(source, json.GetSpan(source.Length)));
    }

    /// <summary>Adds to the object that was written last what a PUT says besides.</summary>
    public static void AddChanged(JsonBuffer json, bool isChanged)
    {
        json.Truncate(json.Length - 1);
        json.Raw(isChanged ? ",\"changed\":true}"u8 : ",\"changed\":false}"u8);
    }

    /// <summary>Answers with all of them: definitions are few, the list is one page.</summary>
    /// <param name="plural">The member that holds the list.</param>
    /// <param name="cacheControl">Null: no header.</param>
    public static async Task WriteListAsync<T>(HttpContext context, string plural, IEnumerable<T> all, Action<JsonBuffer, T> write, string? cacheControl = null)
    {
        var problem = new QueryParameters(context.Request).Problem;
        var mediaType = MediaTypes.Choose(context.Request, MediaTypes.Json, MediaTypes.Ndjson);
        if (mediaType is null) problem ??= Problems.NotAcceptable($"{MediaTypes.Json} or {MediaTypes.Ndjson}");
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        var isNdjson = mediaType is MediaTypes.Ndjson;
        if (cacheControl is not null) context.Response.Headers.CacheControl = cacheControl;
        using var json = JsonBuffer.Rent();
        if (!isNdjson)
        {
            json.Raw((byte)'{');
            json.Text(plural);
            json.Raw(":["u8);
        }

        var isFirst = true;
        foreach (var one in all)
        {
            if (!isNdjson && !isFirst) json.Raw((byte)',');
            isFirst = false;
            write(json, one);
            if (isNdjson) json.Raw((byte)'\n');
        }

        if (!isNdjson) json.Raw("],\"next\":null}"u8);
        JsonReply.Write(context.Response, json, mediaType!);
    }
}
