using System.Runtime.InteropServices;
using System.Text.Json;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary><c>POST /v1/aggregates/{name}/try</c>: folds sample events by a definition that stands, or by one in the body, and stores nothing.</summary>
internal sealed class TryEndpoint(AggregateCatalog definitions, Limits limits, TimeProvider clock)
{
    public async Task HandleAsync(HttpContext context)
    {
        var problem = AggregateEndpoints.ReadName(context, out var name) ?? new QueryParameters(context.Request).Problem ?? MediaTypes.OfJson(context.Request);
        if (problem is null)
        {
            var body = await RequestBody.ReadAsync(context, limits);
            var sample = AppendCommand.Rent();
            using var json = JsonBuffer.Rent();
            problem = body.Problem ?? Fold(name, body.Bytes, sample.Events, json);
            body.Release();
            sample.Return();
            if (problem is null) JsonReply.Write(context.Response, json);
        }

        if (problem is not null) await ProblemWriter.WriteAsync(context, problem);
    }

    private Problem? Fold(string name, ReadOnlySpan<byte> body, EncodedEvents events, JsonBuffer json)
    {
        var entry = definitions.Current.Find(name);
        var definition = entry?.Definition;
        var problem = Read(body, events, ref definition);
        if (problem is not null) return problem;
        if (definition is null) return Problems.AggregateNotDefined(name);

        // The first life of an entity that no store has: ids and expressions over entity see something plausible.
        var entity = new EntityName(System.Text.Encoding.UTF8.GetBytes($"{definition.DefaultForKind ?? "sample"}/try"));
        var state = FoldState.Create(definition, entity, new Life(0, 1));
        if (Apply(state, name, events) is { } failure) return Problems.FoldFailed(failure);
        if (!state.TryCheckInvariants(events.Count, out var violation, out var unjudged))
            return violation is null ? Problems.FoldFailed(unjudged!) : Problems.InvariantViolated(violation);
        json.Raw("{\"aggregate\":"u8);
        json.Text(name);
        json.Raw(",\"seq\":"u8);
        json.Number(events.Count);
        json.Raw(",\"definitionVersion\":"u8);
        if (entry is not null && ReferenceEquals(entry.Definition, definition)) json.Number(entry.Version);
        else json.Raw("null"u8);
        json.Raw(",\"state\":"u8);
        state.Render(json);
        json.Raw((byte)'}');
        return null;
    }

    /// <summary>The body of an append; <c>definition</c> beside <c>events</c> takes the place of the one that stands.</summary>
    private Problem? Read(ReadOnlySpan<byte> body, EncodedEvents events, ref AggregateDefinition? definition)
    {
        if (JsonStrictness.CheckDocument(body, limits) is { } invalid) return invalid;
        using var document = JsonDocument.Parse(body.ToArray(), new JsonDocumentOptions { MaxDepth = limits.JsonDepth });
        var root = document.RootElement;
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("definition", out var sent))
            return EventParser.ParseJson(body, limits, events, out _);
        if (!root.TryGetProperty("events", out var sample) || root.GetPropertyCount() != 2)
            return Problems.InvalidRequest("$", "$: A trial has events, and may have a definition, nothing else.");
        definition = AggregateDefinition.Parse(JsonMarshal.GetRawUtf8Value(sent), limits, out var errors);
        return definition is null ? Problems.InvalidDefinition(errors) : EventParser.ParseJson(JsonMarshal.GetRawUtf8Value(sample), limits, events, out _);
    }

    private FoldFailure? Apply(FoldState state, string name, EncodedEvents events)
    {
        var now = clock.GetUtcNow().ToUnixTimeMilliseconds();
        var own = System.Text.Encoding.UTF8.GetBytes(name);
        var records = events.Bytes;
        for (var i = 0; i < events.Count; i++)
        {
            var e = EventRecord.Read(ref records);
            if (!e.Aggregate.IsEmpty && !e.Aggregate.SequenceEqual(own)) continue;
            if (state.Apply(new RecordedEvent(i + 1, now, e, default, 0)) is { } failure) return failure;
        }

        return null;
    }
}
