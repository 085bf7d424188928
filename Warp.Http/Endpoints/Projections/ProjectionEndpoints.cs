using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Projections;

namespace Warp.Http.Endpoints;

/// <summary><c>/v1/projections</c>: definitions are put, read, listed and deleted, and their tables are built anew.</summary>
internal sealed class ProjectionEndpoints(Projector projector, EntityLookup lookup, ProjectionJson writer, Limits limits)
{
    public async Task PutAsync(HttpContext context)
    {
        var problem = ReadName(context, out var name) ?? new QueryParameters(context.Request).Problem ?? MediaTypes.OfJson(context.Request);
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        (var definition, problem) = await DefinitionReply.ReadAsync(context, limits);

        // A definition that was sent is stored, even if the sender does not stay for the answer.
        var outcome = problem is null ? await projector.PutAsync(name, definition, CancellationToken.None) : null;
        if (outcome?.Taken is { } taken) problem = Problems.AlreadyExists(taken);
        else if (outcome?.Status == PutStatus.Invalid) problem = Problems.InvalidDefinition(outcome.Errors);
        if (problem is null && projector.Find(name) is null) problem = Problems.ProjectionNotFound(name); // deleted meanwhile
        if (problem is not null)
        {
            await ProblemWriter.WriteAsync(context, problem);
            return;
        }

        context.Response.StatusCode = outcome!.Status == PutStatus.Created ? StatusCodes.Status201Created : StatusCodes.Status200OK;
        if (outcome.Status == PutStatus.Created) context.Response.Headers.Location = $"/v1/projections/{name}";
        Reply(context, json => writer.Write(json, projector.Find(name)!.Describe(), outcome.Status != PutStatus.Unchanged));
    }

    public async Task GetAsync(HttpContext context)
    {
        var problem = ReadName(context, out var name) ?? new QueryParameters(context.Request).Problem;
        if (Find(name, ref problem) is not { } loop)
        {
            await ProblemWriter.WriteAsync(context, problem!);
            return;
        }

        FailedRows? failed = null;
        try
        {
            failed = await projector.ReadFailedAsync(loop, context.RequestAborted);
        }
        catch (ProjectionStoreException)
        {
            // What can be told is told: the loop's own error says what is wrong with the store.
        }

        Reply(context, json => writer.Write(json, loop.Describe(), failed));
    }

    public async Task DeleteAsync(HttpContext context)
    {
        var problem = ReadName(context, out var name) ?? new QueryParameters(context.Request).Problem;
        if (problem is null && !await projector.DeleteAsync(name, CancellationToken.None)) problem = Problems.ProjectionNotFound(name);
        if (problem is not null) await ProblemWriter.WriteAsync(context, problem);
        else context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    public Task ListAsync(HttpContext context) =>
        DefinitionReply.WriteListAsync(context, "projections", projector.Loops, (json, loop) => writer.Write(json, loop.Describe()), "no-store");

    public async Task RebuildAsync(HttpContext context)
    {
        var query = new QueryParameters(context.Request, "entity");
        var entity = query.Text("entity") is { } text ? Encoding.UTF8.GetBytes(text) : null;
        if (entity is not null && !EntityName.TryCheck(entity, limits, out var error)) query.Refuse("entity", error!);
        var problem = ReadName(context, out var name) ?? query.Problem;
        if (Find(name, ref problem) is { } loop)
        {
            if (entity is null) await loop.RebuildAsync();
            else problem = await ReprojectAsync(loop, entity, context.RequestAborted);
            if (problem is null)
            {
                context.Response.StatusCode = StatusCodes.Status202Accepted;
                context.Response.Headers.Location = $"/v1/projections/{name}";
                Reply(context, json => writer.Write(json, loop.Describe()));
                return;
            }
        }

        await ProblemWriter.WriteAsync(context, problem!);
    }

    private async Task<Problem?> ReprojectAsync(ProjectionLoop loop, byte[] entity, CancellationToken cancellation)
    {
        var kind = Encoding.UTF8.GetString(entity.AsSpan(0, entity.AsSpan().IndexOf((byte)'/')));
        if (loop.Entry.Definition.Kind is { } own && !string.Equals(own, kind, StringComparison.Ordinal))
            return Problems.InvalidRequest("entity", $"entity: the projection is of kind {own}, not of {kind}.");
        var (actor, problem) = await lookup.FindAsync(entity, cancellation);
        if (actor is not null) await loop.ReprojectAsync(actor.Name, actor.Life, actor.DurableSeq);
        return problem;
    }

    private ProjectionLoop? Find(string name, ref Problem? problem)
    {
        var loop = problem is null ? projector.Find(name) : null;
        if (loop is null) problem ??= Problems.ProjectionNotFound(name);
        return loop;
    }

    private static Problem? ReadName(HttpContext context, out string name)
    {
        name = (string)context.Request.RouteValues["name"]!;
        return ProjectionCatalog.NameError(name) is { } error ? Problems.InvalidRequest("name", error) : null;
    }

    private static void Reply(HttpContext context, Action<JsonBuffer> write)
    {
        context.Response.Headers.CacheControl = "no-store";
        using var json = JsonBuffer.Rent();
        write(json);
        JsonReply.Write(context.Response, json);
    }
}
