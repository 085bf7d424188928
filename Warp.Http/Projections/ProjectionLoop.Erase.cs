using Warp.Http.Events;

namespace Warp.Http.Projections;

/// <content>How far erasures are carried out: the checkpoint has passed the fence, and nothing of the rows is left in the store's files.</content>
internal sealed partial class ProjectionLoop
{
    private bool _isPurgeDue; // the loop's
    private IReadOnlyList<(IReadOnlyList<FeedPlace> Began, IReadOnlyList<FeedPlace> Done)>? _erased; // set by the loop, read by any

    private bool MustPurge => _isPurgeDue;

    /// <summary>True if no table of the projection holds anything of a life that was erased, and no file of the store a trace of it.</summary>
    /// <param name="position">The fence's.</param>
    public bool HasErased(int shard, long position, long entity) =>
        Volatile.Read(ref _erased) is { } tables && tables.All(table => table.Began[shard].Position >= position || IsPast(table.Done[shard], position, entity));

    /// <summary>Ends when <see cref="HasErased"/> is true.</summary>
    public Task WhenErasedAsync(int shard, long position, long entity, CancellationToken cancellation) =>
        WaitUntilAsync(() => HasErased(shard, position, entity), Timeout.InfiniteTimeSpan, cancellation);

    private static bool IsPast(FeedPlace place, long position, long entity)
    {
        if (place.Position >= position) return true;
        return place.Until >= position && (place.Entity > entity || (place.Entity == entity && place.Seq == FeedPlace.WholeEntity));
    }

    private async Task FollowErasuresAsync(CancellationToken stopping)
    {
        // Taken before the purge: what is erased while it runs is for the next one.
        var tables = new List<(IReadOnlyList<FeedPlace> Began, IReadOnlyList<FeedPlace> Done)>(2);
        foreach (var run in (ProjectionRun?[])[_live, _building])
            if (run is not null) tables.Add((run.Began, run.DurablePlaces));
        if (MustPurge)
        {
            if (!await _context.Tables.PurgeAsync(stopping)) return; // readers keep it from that: at the next turn again
            _isPurgeDue = false;
        }

        Volatile.Write(ref _erased, tables);
    }
}
