using System.Globalization;
using System.Runtime.CompilerServices;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Sagas;

/// <content>Lists of sagas, page by page.</content>
public sealed partial class SagaService
{
    /// <summary>Sagas that one page looks at: a filter that fits few of them gives a short page and a place to go on from.</summary>
    private const int LookedAtMax = 10_000;

    /// <summary>Sagas in order of creation within a shard.</summary>
    /// <param name="result">Null = any.</param>
    /// <param name="after">The last one of the page before.</param>
    internal async ValueTask<(List<SagaState> Sagas, string? Next)> ListAsync(SagaResult? result, Life after, int limit, CancellationToken cancellation)
    {
        var page = new List<SagaState>();
        for (var lookedAt = 0; ;)
        {
            var (ids, isLast) = await NextAsync(result, after, limit - page.Count, cancellation);
            foreach (var (id, life) in ids)
            {
                after = life;
                if (await FindAsync(id, cancellation) is { } saga && (result is null || saga.Result == result)) page.Add(saga);
            }

            if (isLast) return (page, null);
            lookedAt += ids.Count;
            if (page.Count == limit || lookedAt >= LookedAtMax) return (page, after.ToString());
        }
    }

    /// <summary>The sagas in which an entity takes part, in the order in which they began. Nothing is left of those that it took part in before it was erased.</summary>
    /// <param name="cursor">Null, or from the page before.</param>
    internal async ValueTask<(List<SagaState> Sagas, string? Next)> ListOfAsync(
        ReadOnlyMemory<byte> entity, SagaResult? result, string? cursor, int limit, CancellationToken cancellation)
    {
        var page = new List<SagaState>();
        var companions = await Parties.CompanionsOfAsync(entity, cancellation);
        var (companion, after) = cursor is null ? default : ParseCursor(cursor)!.Value;
        var lookedAt = 0;
        for (; companion < companions.Length; companion++, after = 0)
        {
            while (await Parties.ListAsync(companions[companion], after, limit, cancellation) is { Count: > 0 } kept)
            {
                foreach (var step in kept)
                {
                    after = step.Seq;
                    lookedAt++;
                    if (await FindAsync(step.SagaId, cancellation) is { } saga && IsFirstOf(saga, step, companions[companion]) && (result is null || saga.Result == result))
                        page.Add(saga);
                    if (page.Count == limit || lookedAt >= LookedAtMax) return (page, string.Create(CultureInfo.InvariantCulture, $"{companion}-{after}"));
                }
            }
        }

        return (page, null);
    }

    /// <summary>Every step of sagas on an entity, in the order in which they began, each with its saga as far as that has come.</summary>
    internal async IAsyncEnumerable<(SagaState Saga, KeptStep Kept)> StepsOfAsync(ReadOnlyMemory<byte> entity, [EnumeratorCancellation] CancellationToken cancellation)
    {
        const int Page = 100;
        foreach (var companion in await Parties.CompanionsOfAsync(entity, cancellation))
        {
            for (long after = 0; await Parties.ListAsync(companion, after, Page, cancellation) is { Count: > 0 } kept; after = kept[^1].Seq)
            {
                foreach (var step in kept)
                    if (await Log.ReadAsync(step.SagaId, cancellation) is { } saga && IsOf(saga, step, companion)) yield return (saga, step);
            }
        }
    }

    /// <summary>Reads the place in the list of all sagas where a page ended.</summary>
    internal bool TryParsePlace(string cursor, out Life after) => _registry.TryParsePlace(cursor, out after);

    /// <summary>A companion's number and seq; null if it is no cursor of a list of an entity's sagas.</summary>
    internal static (int Companion, long After)? ParseCursor(string cursor)
    {
        var dash = cursor.IndexOf('-', StringComparison.Ordinal);
        return dash > 0 && int.TryParse(cursor.AsSpan(0, dash), NumberStyles.None, CultureInfo.InvariantCulture, out var companion)
            && companion < Parties.CompanionsMax && long.TryParse(cursor.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var after) ? (companion, after) : null;
    }

    /// <summary>
    /// True if the saga refers to what is kept there. One whose start was refused left its steps behind, and another may have taken its id later.
    /// </summary>
    private static bool IsOf(SagaState saga, KeptStep kept, in PartyRef companion) =>
        kept.Number < saga.Steps.Length && saga.Steps[kept.Number].Party == companion with { At = kept.Seq };

    /// <summary>True if, besides, none of the saga's earlier steps is on the same party.</summary>
    private static bool IsFirstOf(SagaState saga, KeptStep kept, PartyRef companion) =>
        IsOf(saga, kept, companion) && Array.FindIndex(saga.Steps, step => step.Party.Tag == companion.Tag && step.Party.Bound == companion.Bound) == kept.Number;

    private async ValueTask<(List<(string Id, Life Life)> Ids, bool IsLast)> NextAsync(SagaResult? result, Life after, int limit, CancellationToken cancellation)
    {
        if (result is null or SagaResult.Committed or SagaResult.Compensated)
        {
            var listed = await _registry.ListAnyAsync(SagaIds.Kind.ToArray(), after, limit + 1, cancellation);
            return ([.. listed.Take(limit).Select(saga => (SagaIds.IdOf(saga.Name.Utf8), saga.Life))], listed.Count <= limit);
        }

        // What has not ended is known without a look at all that has.
        var open = result == SagaResult.Stuck ? Open.ListStuck() : await ListRunningAsync(cancellation);
        var next = open.SkipWhile(saga => saga.Life.Shard < after.Shard || (saga.Life.Shard == after.Shard && saga.Life.Number <= after.Number)).Take(limit + 1).ToList();
        return ([.. next.Take(limit)], next.Count <= limit);
    }

    private async ValueTask<List<(string Id, Life Life)>> ListRunningAsync(CancellationToken cancellation)
    {
        var running = new List<(string Id, Life Life)>();
        foreach (var id in Open.Ids)
            if (await Log.ReadAsync(id, cancellation) is { HasEnded: false } saga) running.Add((id, saga.Life));
        running.Sort(static (a, b) => (a.Life.Shard, a.Life.Number).CompareTo((b.Life.Shard, b.Life.Number)));
        return running;
    }
}
