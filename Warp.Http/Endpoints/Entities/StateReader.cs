using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>Reads folded states for the routes that show them, and says why one can't be shown.</summary>
internal sealed class StateReader(EntityLookup lookup, AggregateCatalog definitions)
{
    /// <param name="parameter">The query parameter that gave <paramref name="atSeq"/>, for refusals.</param>
    /// <param name="atSeq">The state after this seq; null with <paramref name="atMs"/> null: the newest.</param>
    public async ValueTask<(StateSnapshot? Snapshot, Problem? Problem)> ReadAsync(
        EntityActor actor, string aggregate, long? atSeq, long? atMs, CancellationToken cancellation, string parameter = "atSeq")
    {
        var result = atSeq is null && atMs is null
            ? await actor.GetStateAsync(aggregate, cancellation)
            : await actor.GetStateAtAsync(aggregate, atSeq, atMs, cancellation);
        return result.Status switch
        {
            StateStatus.Found => (result.Snapshot, null),
            StateStatus.NoSuchAggregate => (null, Problems.AggregateNotFound(aggregate)),
            StateStatus.BeyondLastSeq => (null, Problems.InvalidRequest(parameter, $"{parameter}: {atSeq} lies beyond the entity's last seq, {actor.DurableSeq}.")),
            StateStatus.FoldFailed => (null, Problems.FoldFailed(result.Failure!)),
            _ => (null, lookup.WhyGone(actor.Name.Utf8)),
        };
    }

    /// <summary>Appends <c>states</c> as they were right after an append; where one can't be folded, its problem stands in <c>stateProblems</c>.</summary>
    public async Task WriteAfterAppendAsync(JsonBuffer json, EntityActor? actor, AppendCommand command, AppendOutcome outcome, HttpContext context)
    {
        List<(string Aggregate, Problem Problem)> problems = [];
        json.Raw(",\"states\":{"u8);
        var count = 0;
        foreach (var aggregate in actor is null ? [] : AggregatesOf(command))
        {
            var (snapshot, problem) = await ReadAsync(actor!, aggregate, null, null, context.RequestAborted);
            if (snapshot is not null && snapshot.Seq != outcome.LastSeq)
                (snapshot, problem) = await ReadAsync(actor!, aggregate, outcome.LastSeq, null, context.RequestAborted);
            if (problem is not null) problems.Add((aggregate, problem));
            if (snapshot is null) continue;
            if (count++ > 0) json.Raw((byte)',');
            json.Text(aggregate);
            json.Raw((byte)':');
            json.Raw(snapshot.State.Span);
        }

        json.Raw((byte)'}');
        if (problems.Count > 0) WriteProblems(json, problems, context);
    }

    private static void WriteProblems(JsonBuffer json, List<(string Aggregate, Problem Problem)> problems, HttpContext context)
    {
        json.Raw(",\"stateProblems\":{"u8);
        for (var i = 0; i < problems.Count; i++)
        {
            if (i > 0) json.Raw((byte)',');
            json.Text(problems[i].Aggregate);
            json.Raw((byte)':');
            ProblemWriter.WriteJson(json, problems[i].Problem, context);
        }

        json.Raw((byte)'}');
    }

    private List<string> AggregatesOf(AppendCommand command)
    {
        List<string> names = [];
        var records = command.Events.Bytes;
        var kind = command.Entity[..command.Entity.IndexOf((byte)'/')];
        while (!records.IsEmpty)
        {
            var sent = EventRecord.Read(ref records).Aggregate;
            var name = sent.IsEmpty ? definitions.Current.ResolveDefault(kind).Name : Encoding.ASCII.GetString(sent);
            if (name.Length > 0 && !names.Contains(name, StringComparer.Ordinal)) names.Add(name);
        }

        return names;
    }
}
