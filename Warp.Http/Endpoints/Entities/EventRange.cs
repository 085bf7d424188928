using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>Seqs from the first to the last, both included; empty where <see cref="From"/> is greater than <see cref="To"/>.</summary>
internal readonly record struct EventRange(long From, long To, bool Descending)
{
    public bool IsEmpty => From > To;

    public EventRange StoppingAt(long seq) => Descending ? this with { From = seq } : this with { To = seq };

    /// <summary>What is left after <paramref name="seq"/> in the direction of reading.</summary>
    public EventRange After(long seq) => Descending ? this with { To = seq - 1 } : this with { From = seq + 1 };

    /// <summary>
    /// Narrows the range to what was recorded from <paramref name="sinceMs"/> to <paramref name="untilMs"/>. Recorded times never decrease
    /// within an entity, so both ends are found by bisection: some twenty events are read, not the history.
    /// </summary>
    public async ValueTask<EventRange> BetweenAsync(EntityActor actor, long? sinceMs, long? untilMs, CancellationToken cancellation)
    {
        var range = this;
        if (sinceMs is { } since) range = range with { From = await FirstAtOrAfterAsync(actor, range, since, cancellation) };
        if (untilMs is { } until) range = range with { To = await FirstAtOrAfterAsync(actor, range, until + 1, cancellation) - 1 };
        return range;
    }

    private static async ValueTask<long> FirstAtOrAfterAsync(EntityActor actor, EventRange range, long ms, CancellationToken cancellation)
    {
        var low = range.From;
        var high = range.To + 1;
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            using var page = await actor.ReadAsync(middle, middle, descending: false, maxEvents: 1, maxBytes: 0, cancellation);
            if (page.Count == 1 && page.GetEvent(0).RecordedAtMs < ms) low = middle + 1;
            else high = middle;
        }

        return low;
    }
}
