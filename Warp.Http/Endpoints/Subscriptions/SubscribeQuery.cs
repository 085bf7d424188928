using System.Text;
using Microsoft.Net.Http.Headers;
using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Subscriptions;

namespace Warp.Http.Endpoints;

/// <summary>What a request for an event stream asks for.</summary>
internal sealed class SubscribeQuery
{
    private const string LastEventIdName = "Last-Event-ID";

    private readonly List<byte[]> _types;
    private readonly string? _aggregate;
    private readonly byte[]? _kind;

    public SubscribeQuery(HttpRequest request, Limits limits, bool ofAll)
    {
        var query = ofAll
            ? new QueryParameters(request, "kind", "aggregate", "type", "cursor")
            : new QueryParameters(request, "aggregate", "type", "from");
        if (ofAll) Cursor = query.Text("cursor");
        else From = query.Integer("from", 1);
        _types = query.Types(limits);
        _aggregate = query.Text("aggregate");
        if (_aggregate is not null && !EventParser.IsName(Encoding.UTF8.GetBytes(_aggregate)))
            query.Refuse("aggregate", $"\"{_aggregate}\" is not an aggregate's name.");
        if (ofAll && query.Text("kind") is { } kind)
        {
            _kind = Encoding.UTF8.GetBytes(kind);
            if (EntityName.KindError(_kind, limits) is { } error) query.Refuse("kind", error);
        }

        // EventSource sends no header for an empty id.
        if (request.Headers[LastEventIdName] is { Count: > 0 } ids && ids.ToString() is { Length: > 0 } id) LastEventId = id;
        Problem = query.Problem;
        if (MediaTypes.Choose(request, MediaTypes.EventStream) is null) Problem ??= Problems.NotAcceptable(MediaTypes.EventStream);
    }

    public Problem? Problem { get; }

    /// <summary>The first seq that is wanted; null = only what comes next.</summary>
    public long? From { get; }

    public string? Cursor { get; }

    /// <summary>Where the client was when its connection broke: goes before <see cref="From"/> and <see cref="Cursor"/>.</summary>
    public string? LastEventId { get; }

    public SubscriptionFilter Filter(AggregateCatalog definitions) => new(definitions, _types, _aggregate, _kind);

    /// <summary>What the client has of an entity; null without a problem = only what comes next is wanted.</summary>
    public AskedPlace? AskedPlace(out Problem? problem)
    {
        problem = null;
        if (LastEventId is null) return From is { } from ? Subscriptions.AskedPlace.Before(from) : null;
        if (Subscriptions.AskedPlace.TryParse(LastEventId, out var place)) return place;
        problem = Problems.InvalidRequest(LastEventIdName, "The id is not one that a stream of an entity gave: seq or seq.life.");
        return null;
    }
}
