using Microsoft.Extensions.Options;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Projections;

/// <summary>How fresh an answer has to be.</summary>
/// <param name="Places">What has to be in the tables that are read.</param>
/// <param name="MayBeStale">After the wait answer all the same.</param>
internal sealed record QueryFreshness(FeedPlace[] Places, TimeSpan Wait, bool MayBeStale);

/// <param name="AsOf">Everything before it is in what was read; where the answer is stale, how far that came.</param>
internal sealed record QueryReply(QueryOutcome Outcome, FeedPlace[] AsOf);

/// <summary>Answers queries: has them wait for projections and for each other, and says how far what they saw was.</summary>
/// <remarks>Any thread.</remarks>
internal sealed class QueryService(IQueryStore tables, Projector projector, Store log, IOptions<Limits> limits, TimeProvider time) : IDisposable
{
    /// <summary>Queries that run at once: they compute, and appends need processors, too.</summary>
    private static readonly int s_atOnce = Math.Max(2, Environment.ProcessorCount / 2);

    /// <summary>A node that is behind has what the others have in some tens of milliseconds, unless it is cut off.</summary>
    private static readonly TimeSpan s_askAgain = TimeSpan.FromMilliseconds(100);

    private readonly SemaphoreSlim _slots = new(s_atOnce);
    private readonly QueryCaps _caps = new(limits.Value.QueryRows, limits.Value.QueryBytes, TimeSpan.FromSeconds(limits.Value.QuerySeconds));

    /// <exception cref="ProjectionStoreException">The tables can't be read now.</exception>
    public async Task<QueryReply> AskAsync(SqlQuery query, QueryFreshness? freshness, CancellationToken cancellation)
    {
        var started = time.GetTimestamp();
        if (freshness is not null)
        {
            var check = await InTurnAsync(() => tables.CheckAsync(query, cancellation), cancellation);
            if (check.Status != QueryStatus.Answered) return new QueryReply(check, []);
            var reached = await ReachAsync(check.Tables, freshness, cancellation);
            if (!reached && !freshness.MayBeStale) return Stale(AsOf(check.Tables, Known()));
        }

        while (true)
        {
            var reply = await AnswerAsync(query, cancellation);
            if (freshness is null || reply.Outcome.Status != QueryStatus.Answered || Reaches(reply.AsOf, freshness.Places)) return reply;

            // The tables were that far, but not what was read: one became another between the wait and the query, or a node of a cluster is behind.
            if (time.GetElapsedTime(started) + s_askAgain >= freshness.Wait) return freshness.MayBeStale ? reply : Stale(reply.AsOf);
            await Task.Delay(s_askAgain, time, cancellation);
        }
    }

    public void Dispose() => _slots.Dispose();

    private static QueryReply Stale(FeedPlace[] reached) => new(new QueryOutcome(QueryStatus.Stale), reached);

    private async Task<QueryReply> AnswerAsync(SqlQuery query, CancellationToken cancellation)
    {
        // Before the tables are read: what is known of them then is surely in what the query sees, if it sees the checkpoint.
        var known = Known();
        var end = Array.ConvertAll(log.AllShards.ToArray(), shard => FeedPlace.At(shard.DurablePosition));
        var outcome = await InTurnAsync(() => tables.QueryAsync(query, _caps, cancellation), cancellation);
        if (outcome.Status != QueryStatus.Answered) return new QueryReply(outcome, []);
        return new QueryReply(outcome, outcome.Tables.Count == 0 ? end : AsOf(outcome.Tables, known));
    }

    private async ValueTask<QueryOutcome> InTurnAsync(Func<ValueTask<QueryOutcome>> ask, CancellationToken cancellation)
    {
        if (!await _slots.WaitAsync(_caps.Time, cancellation)) return new QueryOutcome(QueryStatus.Overloaded);
        try
        {
            return await ask();
        }
        finally
        {
            _slots.Release();
        }
    }

    private async Task<bool> ReachAsync(IReadOnlyList<ReadTable> read, QueryFreshness freshness, CancellationToken cancellation)
    {
        var started = time.GetTimestamp();
        foreach (var table in read)
        {
            if (projector.Find(table.Projection) is not { } loop) continue;
            var left = freshness.Wait - time.GetElapsedTime(started);
            if (!await loop.WhenReachedAsync(freshness.Places, left > TimeSpan.Zero ? left : TimeSpan.Zero, cancellation)) return false;
        }

        return true;
    }

    private Dictionary<string, ReachedPlaces> Known() =>
        projector.Loops.Select(loop => loop.Reached).OfType<ReachedPlaces>().ToDictionary(reached => reached.Table, StringComparer.Ordinal);

    /// <summary>Shard by shard, how far the table is that is furthest behind.</summary>
    private FeedPlace[] AsOf(IReadOnlyList<ReadTable> read, Dictionary<string, ReachedPlaces> known)
    {
        FeedPlace[]? oldest = null;
        foreach (var table in read)
        {
            var places = new FeedPlace[log.Shards];
            if (!Cursor.TryParse(table.Position, log.StoreId, places)) Array.Clear(places);
            if (known.TryGetValue(table.Name, out var reached))
                for (var i = 0; i < places.Length; i++)
                    if (IsAtLeast(places[i], reached.Checkpoint[i]) && reached.Places[i].Position > places[i].Position) places[i] = reached.Places[i];
            if (oldest is null) oldest = places;
            else
                for (var i = 0; i < places.Length; i++) oldest[i] = Older(oldest[i], places[i]);
        }

        return oldest ?? new FeedPlace[log.Shards];
    }

    /// <summary>False also where two places inside one range have no order that is worth finding out.</summary>
    private static bool IsAtLeast(FeedPlace place, FeedPlace other) => place == other || place.Position >= other.Until;

    /// <summary>Two places inside one range of positions have no order that a cursor could say: then it is where the range begins.</summary>
    private static FeedPlace Older(FeedPlace a, FeedPlace b)
    {
        if (a == b) return a;
        return FeedPlace.At(Math.Min(a.Position, b.Position));
    }

    private static bool Reaches(FeedPlace[] places, FeedPlace[] wanted) => !places.Where((place, shard) => place.Position < wanted[shard].Until).Any();
}
