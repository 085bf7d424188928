using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>Reads events page by page and writes them into an answer.</summary>
internal sealed class EventPages(EntityActor actor, PagedReply reply)
{
    private const int PageEvents = 1000;
    private const int PageBytes = 256 * 1024;

    private readonly Life _life = actor.Life;

    /// <summary>If set, events are shown in their newest version by these definitions; one that can't be upcast is shown as stored.</summary>
    public AggregateSet? Upcasts { get; init; }

    /// <summary>Writes the range's events that pass the filter.</summary>
    /// <param name="separator">Stands between two events; null: each ends its line.</param>
    /// <returns>How many were written.</returns>
    public async ValueTask<long> WriteAsync(EventRange range, EventFilter filter, string? separator)
    {
        var written = 0L;
        while (!range.IsEmpty)
        {
            using var page = await ReadAsync(range);
            written += Write(page, filter, separator, written);
            await reply.SendIfLongAsync();
            if (page.NextSeq == 0) break;
            range = range.Descending ? range with { To = page.NextSeq } : range with { From = page.NextSeq };
        }

        return written;
    }

    /// <summary>Finds where <paramref name="limit"/> matching events end, without writing: the Link header goes out before them.</summary>
    /// <returns>The seq of the last one; null if the range has no more than that.</returns>
    public async ValueTask<long?> FindEndAsync(EventRange range, EventFilter filter, long limit)
    {
        var left = limit;
        while (!range.IsEmpty)
        {
            using var page = await ReadAsync(range);
            if (FindLast(page, filter, ref left) is { } seq) return seq;
            if (page.NextSeq == 0) break;
            range = range.Descending ? range with { To = page.NextSeq } : range with { From = page.NextSeq };
        }

        return null;
    }

    /// <exception cref="EntityGoneException">The life that reading began with is not there any more.</exception>
    private async ValueTask<HistoryPage> ReadAsync(EventRange range)
    {
        var page = await actor.ReadAsync(range.From, range.To, range.Descending, PageEvents, PageBytes, reply.Cancellation);
        if (page.Count > 0 && actor.Life == _life) return page;
        page.Dispose();
        throw new EntityGoneException();
    }

    private void WriteEvent(in RecordedEvent recorded)
    {
        if (Upcasts is null || DefinitionOf(Upcasts, recorded.Fields.Aggregate) is not { } definition)
        {
            EventJson.Write(reply.Json, recorded, _life);
            return;
        }

        using var payload = JsonBuffer.Rent();
        var fields = recorded.Fields;
        if (Upcasting.TryUpcast(definition, recorded, actor.Name, _life, payload, out var version, out _))
        {
            fields.Payload = payload.Written;
            fields.SchemaVersion = version;
        }

        EventJson.Write(reply.Json, new RecordedEvent(recorded.Seq, recorded.RecordedAtMs, fields, recorded.IdempotencyKey, recorded.IndexInAppend), _life);
    }

    private AggregateDefinition? DefinitionOf(AggregateSet definitions, ReadOnlySpan<byte> aggregate) =>
        (aggregate.IsEmpty ? definitions.ResolveDefault(actor.Name.Kind).Entry : definitions.Find(aggregate))?.Definition;

    private long Write(HistoryPage page, EventFilter filter, string? separator, long before)
    {
        var written = 0L;
        for (var i = 0; i < page.Count; i++)
        {
            var recorded = page.GetEvent(i);
            if (!filter.Matches(recorded.Fields)) continue;
            if (separator is not null && before + written > 0) reply.Json.Raw((byte)separator[0]);
            WriteEvent(recorded);
            if (separator is null) reply.Json.Raw((byte)'\n');
            written++;
        }

        return written;
    }

    private static long? FindLast(HistoryPage page, EventFilter filter, ref long left)
    {
        for (var i = 0; i < page.Count; i++)
        {
            var recorded = page.GetEvent(i);
            if (filter.Matches(recorded.Fields) && --left == 0) return recorded.Seq;
        }

        return null;
    }
}
