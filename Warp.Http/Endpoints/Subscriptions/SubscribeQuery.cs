using System.Text;
using Microsoft.Net.Http.Headers;
using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Subscriptions;

namespace Warp.Http.Endpoints;

/// <summary>What a request for an event stream asks for.</summary>
internal sealed class SubscribeQuery
{
    public const string LastEventIdName = "Last-Event-ID";

    private readonly List<byte[]> _types;
    private readonly string? _aggregate;
    private readonly byte[]? _kind;

    private SubscribeQuery(HttpRequest request, Limits limits, bool ofAll, params string[] names)
    {
        var query = new QueryParameters(request, names);
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

    public static SubscribeQuery OfEntity(HttpRequest request, Limits limits) => new(request, limits, ofAll: false, "aggregate", "type", "from");

    public static SubscribeQuery OfSaga(HttpRequest request, Limits limits) => new(request, limits, ofAll: false, "type", "from");

    public static SubscribeQuery OfAll(HttpRequest request, Limits limits) => new(request, limits, ofAll: true, "kind", "aggregate", "type", "cursor");

    public Problem? Problem { get; }

    /// <summary>The first seq that is wanted; null = only what comes next.</summary>
    public long? From { get; }

    public string? Cursor { get; }

    /// <summary>Where the client was when its connection broke: goes before <see cref="From"/> and <see cref="Cursor"/>.</summary>
    public string? LastEventId { get; }

    public SubscriptionFilter Filter(AggregateCatalog definitions) => new(definitions, _types, _aggregate, _kind);

    /// <summary>Where the filter can't say whose an event is, as far as that is known before the first one.</summary>
    public Problem? ContestedKind(AggregateSet definitions, ReadOnlySpan<byte> kindOfEntity)
    {
        var kind = _kind ?? kindOfEntity;
        return _aggregate is not null && definitions.ContendersOf(kind, _aggregate) is { } contenders ? Problems.ContestedKind(kind, contenders) : null;
    }

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
