using System.Text;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>What a request for history asks for.</summary>
internal sealed class HistoryQuery
{
    public HistoryQuery(HttpRequest request, Limits limits)
    {
        var query = new QueryParameters(request, "from", "to", "limit", "order", "type", "aggregate", "since", "until", "upcast");
        From = query.Integer("from", 1) ?? 1;
        To = query.Integer("to", 1);
        Limit = query.Limit(limits.HistoryLimit);
        Descending = query.Choice("order", "asc", "desc") is "desc";
        SinceMs = query.Time("since", roundUp: true);
        UntilMs = query.Time("until");
        Upcasts = query.Flag("upcast");
        Types = query.Types(limits);
        if (query.Text("aggregate") is { } aggregate)
        {
            Aggregate = Encoding.UTF8.GetBytes(aggregate);
            if (!EventParser.IsName(Aggregate)) query.Refuse("aggregate", $"\"{aggregate}\" is not an aggregate's name.");
        }

        if (From > To) query.Refuse("to", $"{To} lies before from, {From}.");
        if (SinceMs > UntilMs) query.Refuse("until", $"{query.Text("until")} lies before since, {query.Text("since")}.");
        Problem = query.Problem;
        var mediaType = MediaTypes.Choose(request, MediaTypes.Json, MediaTypes.Ndjson);
        if (mediaType is null) Problem ??= Problems.NotAcceptable($"{MediaTypes.Json} or {MediaTypes.Ndjson}");
        IsNdjson = mediaType is MediaTypes.Ndjson;
    }

    public Problem? Problem { get; }

    public long From { get; }

    /// <summary>Null = up to the last.</summary>
    public long? To { get; }

    public long Limit { get; }

    public bool Descending { get; }

    public long? SinceMs { get; }

    public long? UntilMs { get; }

    public bool Upcasts { get; }

    /// <summary>Any of these; empty = all.</summary>
    public IReadOnlyList<byte[]> Types { get; }

    public byte[]? Aggregate { get; }

    public bool IsNdjson { get; }
}
