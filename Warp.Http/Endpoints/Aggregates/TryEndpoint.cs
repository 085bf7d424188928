using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>
/// <c>POST /v1/aggregates/{name}/try</c>: folds sample events, an entity's real history, or the one after the other, by a definition that
/// stands or by one in the body; shows the state after each event and stores nothing.
/// </summary>
internal sealed class TryEndpoint(AggregateCatalog definitions, EntityLookup lookup, Limits limits, TimeProvider clock)
{
    /// <summary>Bytes of a history that are held while it is folded.</summary>
    private const int PageBytes = 1 << 20;
    private const int PageEvents = 1_000;

    public async Task HandleAsync(HttpContext context)
    {
        var problem = AggregateEndpoints.ReadName(context, out var name) ?? new QueryParameters(context.Request).Problem ?? MediaTypes.OfJson(context.Request);
        if (problem is null)
        {
            var body = await RequestBody.ReadAsync(context, limits);
            var sample = AppendCommand.Rent();
            using var json = JsonBuffer.Rent();
            TrialRequest? request = null;
            problem = body.Problem ?? Read(name, body.Bytes, sample.Events, out request);
            body.Release();
            problem ??= await FoldAsync(request!, sample.Events, json, context.RequestAborted);
            sample.Return();
            if (problem is null) JsonReply.Write(context.Response, json);
        }

        if (problem is not null) await ProblemWriter.WriteAsync(context, problem);
    }

    private async Task<Problem?> FoldAsync(TrialRequest request, EncodedEvents sample, JsonBuffer json, CancellationToken cancellation)
    {
        EntityActor? actor = null;
        if (request.Entity is { } entity)
        {
            (actor, var missing) = await lookup.FindAsync(entity, cancellation);
            if (missing is not null) return missing;
        }

        json.Raw("{\"aggregate\":"u8);
        json.Text(request.Name);
        json.Raw(",\"steps\":["u8);
        var trial = new Trial(request, actor, definitions.Current, limits, json);
        for (long next = actor is null ? 0 : 1; next > 0;)
        {
            using var page = await actor!.ReadAsync(next, long.MaxValue, descending: false, PageEvents, PageBytes, cancellation);
            for (var i = 0; i < page.Count; i++)
                if (trial.Apply(page.GetEvent(i)) is { } failed) return Problems.FoldFailed(failed);
            next = page.NextSeq;
        }

        if (ApplySample(trial, sample) is { } failure) return Problems.FoldFailed(failure);
        if (!trial.State.TryCheckInvariants(trial.Seq, out var violation, out var unjudged))
            return violation is null ? Problems.FoldFailed(unjudged!) : Problems.InvariantViolated(violation);
        trial.WriteEnd();
        return null;
    }

    private FoldFailure? ApplySample(Trial trial, EncodedEvents sample)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var records = sample.Bytes;
        for (var i = 0; i < sample.Count; i++)
            if (trial.Apply(new RecordedEvent(trial.Seq + 1, now, EventRecord.Read(ref records), default, i)) is { } failure) return failure;
        return null;
    }

    /// <summary>The body of an append, or an object with <c>definition</c>, <c>entity</c> and <c>events</c>.</summary>
    private Problem? Read(string name, ReadOnlySpan<byte> body, EncodedEvents events, out TrialRequest? request)
    {
        request = null;
        if (JsonStrictness.CheckDocument(body, limits) is { } invalid) return invalid;
        using var document = JsonDocument.Parse(body.ToArray(), new JsonDocumentOptions { MaxDepth = limits.JsonDepth });
        var root = document.RootElement;
        var standing = definitions.Current.Find(name);
        var isTrial = root.ValueKind == JsonValueKind.Object && (root.TryGetProperty("definition", out _) || root.TryGetProperty("entity", out _));
        if (!isTrial)
        {
            if (EventParser.ParseJson(body, limits, events, out _) is { } problem) return problem;
            return Make(name, standing, standing?.Definition, entity: null, out request);
        }

        var definition = standing?.Definition;
        byte[]? entity = null;
        foreach (var member in root.EnumerateObject())
        {
            switch (member.Name)
            {
                case "definition":
                    definition = AggregateDefinition.Parse(JsonMarshal.GetRawUtf8Value(member.Value), limits, out var errors);
                    if (definition is null) return Problems.InvalidDefinition(errors);
                    break;
                case "entity":
                    if (member.Value.ValueKind != JsonValueKind.String) return Problems.InvalidRequest("$.entity", "$.entity: An entity is named kind/id, as in user/alice.");
                    entity = Encoding.UTF8.GetBytes(member.Value.GetString()!);
                    if (!EntityName.TryCheck(entity, limits, out var error)) return Problems.InvalidRequest("$.entity", $"$.entity: {error}");
                    break;
                case "events":
                    if (EventParser.ParseJson(JsonMarshal.GetRawUtf8Value(member.Value), limits, events, out _) is { } problem) return problem;
                    break;
                default:
                    return Problems.InvalidRequest("$", "$: A trial has definition, entity and events, nothing else.");
            }
        }

        if (entity is null && events.Count == 0) return Problems.InvalidRequest("$", "$: A trial has events, an entity, or both.");
        return Make(name, standing, definition, entity, out request);
    }

    private static Problem? Make(string name, AggregateEntry? standing, AggregateDefinition? definition, byte[]? entity, out TrialRequest? request)
    {
        request = null;
        if (definition is null) return Problems.AggregateNotDefined(name);
        var version = ReferenceEquals(standing?.Definition, definition) ? standing!.Version : (int?)null;
        request = new TrialRequest(name, definition, version, entity);
        return null;
    }
}
