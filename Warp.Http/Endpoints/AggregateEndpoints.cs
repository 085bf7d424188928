using System.Globalization;
using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary><c>/v1/aggregates</c>: definitions are put, read, listed and deleted.</summary>
internal sealed class AggregateEndpoints(AggregateCatalog definitions, IEnumerable<IAggregateUser> users, Limits limits)
{
    /// <summary>Versions in one answer, and bytes of their bodies beyond the first; the store keeps all.</summary>
    private const int VersionsMax = 100;
    private const int VersionBytesMax = 1 << 20;

    public async Task PutAsync(HttpContext context)
    {
        var problem = ReadName(context, out var name) ?? new QueryParameters(context.Request).Problem ?? MediaTypes.OfJson(context.Request);
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        var body = await RequestBody.ReadAsync(context, limits);
        problem = body.Problem ?? JsonStrictness.CheckDocument(body.Bytes, limits);
        var outcome = problem is null ? definitions.Put(name, body.Bytes) : null;
        body.Release();
        if (outcome?.Status == PutStatus.Invalid) problem = Problems.InvalidDefinition(outcome.Errors);
        if (problem is not null) await ProblemWriter.WriteAsync(context, problem);
        else WritePut(context.Response, outcome!);
    }

    public async Task GetAsync(HttpContext context)
    {
        var query = new QueryParameters(context.Request, "before");
        var before = (int?)query.Integer("before", 1, int.MaxValue);
        var problem = ReadName(context, out var name) ?? query.Problem;
        var entry = problem is null ? definitions.Current.Find(name) : null;
        if (entry is null)
        {
            await ProblemWriter.WriteAsync(context, problem ?? Problems.AggregateNotDefined(name));
            return;
        }

        var tag = TagOf(entry);
        context.Response.Headers.ETag = tag;
        context.Response.Headers.CacheControl = "no-cache";
        if (EntityTags.NoneMatchHits(context.Request.Headers.IfNoneMatch, tag))
        {
            context.Response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        using var json = JsonBuffer.Rent();
        Write(json, entry);

        // The file may be ahead of the entry by a version that is put just now.
        WriteVersions(json, name, definitions.ReadVersions(name, Math.Min(before ?? int.MaxValue, entry.Version + 1), VersionsMax, VersionBytesMax));
        JsonReply.Write(context.Response, json);
    }

    public async Task DeleteAsync(HttpContext context)
    {
        var problem = ReadName(context, out var name) ?? new QueryParameters(context.Request).Problem;
        if (problem is null)
        {
            var outcome = definitions.Delete(name, users);
            problem = outcome.Status switch
            {
                DeleteStatus.NotDefined => Problems.AggregateNotDefined(name),
                DeleteStatus.InUse => Problems.AggregateInUse(name, outcome.Users),
                _ => null,
            };
        }

        if (problem is not null) await ProblemWriter.WriteAsync(context, problem);
        else context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    public async Task ListAsync(HttpContext context)
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
        using var json = JsonBuffer.Rent();
        if (!isNdjson) json.Raw("{\"aggregates\":["u8);
        var isFirst = true;
        foreach (var entry in definitions.Current.All)
        {
            if (!isNdjson && !isFirst) json.Raw((byte)',');
            isFirst = false;
            Write(json, entry);
            if (isNdjson) json.Raw((byte)'\n');
        }

        // Definitions are few: the list is one page.
        if (!isNdjson) json.Raw("],\"next\":null}"u8);
        JsonReply.Write(context.Response, json, mediaType!);
    }

    /// <summary>The name in the route: its grammar has no character that decoding could make ambiguous.</summary>
    public static Problem? ReadName(HttpContext context, out string name)
    {
        name = (string)context.Request.RouteValues["name"]!;
        return AggregateCatalog.NameError(name) is { } error ? Problems.InvalidRequest("name", error) : null;
    }

    private static void WritePut(HttpResponse response, PutOutcome outcome)
    {
        var entry = outcome.Entry!;
        response.StatusCode = outcome.Status == PutStatus.Created ? StatusCodes.Status201Created : StatusCodes.Status200OK;
        response.Headers.ETag = TagOf(entry);
        if (outcome.Status == PutStatus.Created) response.Headers.Location = $"/v1/aggregates/{entry.Name}";
        using var json = JsonBuffer.Rent();
        Write(json, entry);
        json.Truncate(json.Length - 1);
        json.Raw(outcome.Status == PutStatus.Unchanged ? ",\"changed\":false}"u8 : ",\"changed\":true}"u8);
        JsonReply.Write(response, json);
    }

    private static void Write(JsonBuffer json, AggregateEntry entry)
    {
        json.Raw("{\"name\":"u8);
        json.Text(entry.Name);
        json.Raw(",\"version\":"u8);
        json.Number(entry.Version);
        json.Raw(",\"createdAt\":"u8);
        json.Time(entry.CreatedAtMs);
        json.Raw(",\"updatedAt\":"u8);
        json.Time(entry.UpdatedAtMs);
        json.Raw(",\"definition\":"u8);
        var source = entry.Definition.Source.Span;
        json.Advance(JsonStrictness.Compact(source, json.GetSpan(source.Length)));
        json.Raw((byte)'}');
    }

    /// <summary>Adds the versions to what was written, newest first.</summary>
    private static void WriteVersions(JsonBuffer json, string name, AggregateVersions page)
    {
        json.Truncate(json.Length - 1);
        json.Raw(",\"versions\":["u8);
        for (var i = 0; i < page.Versions.Count; i++)
        {
            if (i > 0) json.Raw((byte)',');
            var version = page.Versions[i];
            json.Raw("{\"version\":"u8);
            json.Number(version.Version);
            json.Raw(",\"writtenAt\":"u8);
            json.Time(version.WrittenAtMs);
            json.Raw(",\"definition\":"u8);
            json.Advance(JsonStrictness.Compact(version.Source.Span, json.GetSpan(version.Source.Length)));
            json.Raw((byte)'}');
        }

        json.Raw("],\"next\":"u8);
        if (page.Next is { } next) json.Text(string.Create(CultureInfo.InvariantCulture, $"/v1/aggregates/{name}?before={next}"));
        else json.Raw("null"u8);
        json.Raw((byte)'}');
    }

    private static string TagOf(AggregateEntry entry) => string.Create(CultureInfo.InvariantCulture, $"\"{entry.Version}\"");
}
