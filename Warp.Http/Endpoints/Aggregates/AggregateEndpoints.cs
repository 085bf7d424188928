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

        (var definition, problem) = await DefinitionReply.ReadAsync(context, limits);
        var outcome = problem is null ? definitions.Put(name, definition) : null;
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

    public Task ListAsync(HttpContext context) => DefinitionReply.WriteListAsync(context, "aggregates", definitions.Current.All, Write);

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
        DefinitionReply.AddChanged(json, outcome.Status != PutStatus.Unchanged);
        JsonReply.Write(response, json);
    }

    private static void Write(JsonBuffer json, AggregateEntry entry)
    {
        DefinitionReply.Begin(json, entry.Name, entry.Version, entry.CreatedAtMs, entry.UpdatedAtMs, entry.Definition.Source.Span);
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
            DefinitionReply.WriteSource(json, version.Source.Span);
            json.Raw((byte)'}');
        }

        json.Raw("],\"next\":"u8);
        if (page.Next is { } next) json.Text(string.Create(CultureInfo.InvariantCulture, $"/v1/aggregates/{name}?before={next}"));
        else json.Raw("null"u8);
        json.Raw((byte)'}');
    }

    private static string TagOf(AggregateEntry entry) => string.Create(CultureInfo.InvariantCulture, $"\"{entry.Version}\"");
}
