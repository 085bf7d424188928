using System.Buffers;
using System.Security.Cryptography;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>Sends events page by page: memory is bounded by a page, and a slow client slows the reading.</summary>
/// <param name="json">Holds what is not sent yet; the caller sends what is left in it at the end.</param>
internal sealed class EventPages(EntityActor actor, JsonBuffer json, HttpContext context)
{
    private const int PageEvents = 1000;
    private const int PageBytes = 256 * 1024;

    /// <summary>An answer shorter than this is sent in one piece, with its length.</summary>
    private const int SendAtBytes = 64 * 1024;

    private readonly Life _life = actor.Life;

    /// <summary>If set, events are shown in their newest version by these definitions; one that can't be upcast is shown as stored.</summary>
    public AggregateSet? Upcasts { get; init; }

    /// <summary>If set, takes in every byte that is sent.</summary>
    public IncrementalHash? Hash { get; init; }

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
            await SendIfLongAsync();
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

    public ValueTask SendIfLongAsync() => json.Length >= SendAtBytes ? SendAsync() : ValueTask.CompletedTask;

    /// <summary>Sends what is written so far and waits while the client does not take it.</summary>
    public async ValueTask SendAsync()
    {
        Hash?.AppendData(json.Written);
        context.Response.BodyWriter.Write(json.Written);
        json.Clear();
        var flushed = await context.Response.BodyWriter.FlushAsync(context.RequestAborted);
        if (flushed.IsCompleted || flushed.IsCanceled) throw new OperationCanceledException("The client left.", context.RequestAborted);
    }

    /// <exception cref="EntityGoneException">The life that reading began with is not there any more.</exception>
    private async ValueTask<HistoryPage> ReadAsync(EventRange range)
    {
        var page = await actor.ReadAsync(range.From, range.To, range.Descending, PageEvents, PageBytes, context.RequestAborted);
        if (page.Count > 0 && actor.Life == _life) return page;
        page.Dispose();
        throw new EntityGoneException();
    }

    private void WriteEvent(in RecordedEvent recorded)
    {
        if (Upcasts is null || DefinitionOf(Upcasts, recorded.Fields.Aggregate) is not { } definition)
        {
            EventJson.Write(json, recorded, _life);
            return;
        }

        using var payload = JsonBuffer.Rent();
        var fields = recorded.Fields;
        if (Upcasting.TryUpcast(definition, recorded, actor.Name, _life, payload, out var version, out _))
        {
            fields.Payload = payload.Written;
            fields.SchemaVersion = version;
        }

        EventJson.Write(json, new RecordedEvent(recorded.Seq, recorded.RecordedAtMs, fields, recorded.IdempotencyKey, recorded.IndexInAppend), _life);
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
            if (separator is not null && before + written > 0) json.Raw((byte)separator[0]);
            WriteEvent(recorded);
            if (separator is null) json.Raw((byte)'\n');
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
