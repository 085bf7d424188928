using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>
/// One shard's feed: how far it is durable, a wake-up, and pages that a consumer pulls from its own place, out of memtables and runs alike. The
/// feed keeps nothing of its consumers, and no file waits for them: who lags reads runs.
/// </summary>
/// <remarks>
/// Of a living entity every event comes once, in the order of its seqs; entities are not ordered among themselves. In memory the order is
/// that of positions; a run stands by entity, so a reader that is at position P when its next event is in a run takes the range from P to the
/// run's end and walks it by entity; what a merge adds behind that range is a range of its own. What was erased is left out, and its fence
/// comes where it stands; after a fence nothing of that number comes.
/// </remarks>
internal sealed class CommitFeed(Shard shard, ShardWriter writer)
{
    private static readonly Task<bool> There = Task.FromResult(true);

    /// <summary>The highest position that is durable and readable.</summary>
    public long Watermark => writer.DurablePosition;

    /// <summary>
    /// True when something behind <paramref name="position"/> is there to read; false when the shard has ended and nothing will come there any more.
    /// </summary>
    public Task<bool> WhenBeyond(long position)
    {
        if (Watermark > position) return There;
        var next = writer.Committed.Next();
        return Watermark > position ? There : next;
    }

    /// <summary>
    /// True if a consumer of this shard can have come to this place: it is not ahead of what is durable, and a place inside a run has a run
    /// that holds its range. It stays true for ever: runs only grow together.
    /// </summary>
    public bool Knows(FeedPlace place)
    {
        using var lease = shard.Views.Lease();
        return Knows(lease.View, place);
    }

    /// <summary>
    /// Reads on from a place; blocks on the disk where that is in a run. Null if the place is not one of this shard's: the consumer must
    /// begin anew.
    /// </summary>
    /// <param name="workMax">How much of runs is looked at for one page; tests make it small.</param>
    /// <exception cref="ShardUnavailableException">The shard is out of service or closed.</exception>
    public FeedPage? Read(FeedPlace place, int entriesMax, int bytesMax, int workMax = FeedReader.WorkMax)
    {
        // The view first, then the position: whatever is durable by then and not in this view is in the next one.
        using var lease = shard.Views.Lease();
        var watermark = Watermark;
        if (!Knows(lease.View, place)) return null;
        var page = new FeedPage(place, entriesMax, bytesMax);
        try
        {
            new FeedReader(lease.View, shard.Tombstones, page, watermark, workMax).Read();
            page.IsCaughtUp = page.Next.IsPlain && page.Next.Position >= watermark;
            return page;
        }
        catch
        {
            page.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Shows what follows a position in memory, a step at a time, and moves the position past it: for one who is nearly always at the end and wants
    /// little of what comes. False if what follows was sealed meanwhile.
    /// </summary>
    /// <exception cref="ShardUnavailableException">The shard is out of service.</exception>
    public bool TryFollow<TVisitor>(ref long position, ref TVisitor visitor)
        where TVisitor : IRecordVisitor
    {
        // The view first, then the position, as in Read. Rows in memory need no lease: whoever holds the view keeps them.
        var view = shard.Views.Current;
        return MemoryWalk.TryStep(view, ref position, Watermark, ref visitor);
    }

    private bool Knows(View view, FeedPlace place)
    {
        if (!place.IsCanonical || place.Until > Watermark || place.Entity > Piece.EntityMax) return false;
        return place.IsPlain || FeedReader.RunAt(view, place.Position + 1)?.LastPosition >= place.Until;
    }
}
