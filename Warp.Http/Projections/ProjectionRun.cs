using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Projections;

/// <summary>What a projection works with.</summary>
internal sealed record ProjectionContext(
    EntityRegistry Entities, AggregateCatalog Aggregates, IProjectionStore Tables, ProjectionOptions Options, TimeProvider Time)
{
    public Store Log => Entities.Store;
}

/// <summary>Brings one table forward over the feeds of all shards, from its checkpoint.</summary>
/// <remarks>
/// One step at a time; the loop that owns it steps. Whatever fails in a step, the run is given up and another one begins at the checkpoint, with nothing in
/// memory: so what is in memory is never ahead of the table. Split by role: this file steps, .Page works through a page.
/// </remarks>
internal sealed partial class ProjectionRun
{
    /// <summary>A checkpoint that moved over events that are none of its business is written this often; it costs a transaction and saves little.</summary>
    private static readonly TimeSpan IdleCheckpoint = TimeSpan.FromSeconds(1);

    private readonly ProjectionContext _context;
    private readonly FeedPlace[] _began;
    private readonly EntityFolds _folds;
    private readonly RowMaker _rows;
    private readonly long _startedAt;
    private readonly long[] _seenInRange; // events of the range that a shard's place is in
    private FeedPlace[] _places; // replaced, never changed: any thread reads
    private FeedPlace[] _durable; // likewise
    private string _checkpoint;
    private long _checkpointAt;
    private bool _mayHaveFailed;
    private int _firstShard;
    private long _events;
    private long _written;

    private ProjectionRun(ProjectionContext context, ProjectionPlan plan, ProjectionTable table, FeedPlace[] began, FeedPlace[] places, string checkpoint, bool mayHaveFailed)
    {
        _context = context;
        (Plan, Table) = (plan, table);
        _began = began;
        (_places, _durable, _checkpoint) = (places, places, checkpoint);
        _mayHaveFailed = mayHaveFailed;
        _folds = new EntityFolds(context.Options.MemoryBytes);
        _rows = new RowMaker(plan);
        _startedAt = _checkpointAt = context.Time.GetTimestamp();
        _seenInRange = new long[places.Length];
    }

    public ProjectionPlan Plan { get; }

    public ProjectionTable Table { get; }

    /// <summary>How far the table is: everything before is in it.</summary>
    public IReadOnlyList<FeedPlace> Places => Volatile.Read(ref _places);

    /// <summary>How far it is for certain, after a crash too.</summary>
    public IReadOnlyList<FeedPlace> DurablePlaces => Volatile.Read(ref _durable);

    /// <summary>Where the log was when the table was begun: what was erased before never came into it.</summary>
    public IReadOnlyList<FeedPlace> Began => _began;

    /// <summary>Events seen since this run began.</summary>
    public long Events => Volatile.Read(ref _events);

    /// <summary>Rows written since this run began, one that was written twice counted twice.</summary>
    public long RowsWritten => Volatile.Read(ref _written);

    public double EventsPerSecond => Events / Math.Max(0.001, _context.Time.GetElapsedTime(_startedAt).TotalSeconds);

    /// <summary>Positions that are not in the table yet; inside a run they are counted as far as this run of the projection has come in it.</summary>
    public long Behind
    {
        get
        {
            long behind = 0;
            for (var i = 0; i < Places.Count; i++)
                behind += Math.Max(0, _context.Log.AllShards[i].DurablePosition - Places[i].Position - Volatile.Read(ref _seenInRange[i]));
            return behind;
        }
    }

    /// <summary>Goes on with a table that stands.</summary>
    /// <returns>Null if its checkpoint or plan is not one of this store: it has to be built anew.</returns>
    public static async ValueTask<ProjectionRun?> TryResumeAsync(ProjectionContext context, StoredTable stored, CancellationToken cancellation)
    {
        if (ProjectionPlan.TryRestore(stored.Spec, context.Aggregates.Current, out var spec) is not { } plan) return null;
        var places = new FeedPlace[context.Log.Shards];
        var began = new FeedPlace[context.Log.Shards];
        if (!Cursor.TryParse(stored.Position, context.Log.StoreId, places) || !Cursor.TryParse(spec!.Began, context.Log.StoreId, began)) return null;
        var failed = await context.Tables.ReadFailedAsync(stored.Name, 0, cancellation);
        return new ProjectionRun(context, plan, plan.TableOf(stored.Name, stored.Projection, stored.Spec), began, places, stored.Position, failed.Count > 0);
    }

    /// <summary>Makes a new table, which begins at the log's start.</summary>
    public static async ValueTask<ProjectionRun> BeginAsync(ProjectionContext context, ProjectionPlan plan, string projection, long generation, CancellationToken cancellation)
    {
        var places = new FeedPlace[context.Log.Shards];
        var began = new FeedPlace[context.Log.Shards];
        for (var i = 0; i < began.Length; i++) began[i] = FeedPlace.At(context.Log.AllShards[i].DurablePosition);
        var checkpoint = Cursor.Format(context.Log.StoreId, places);
        var table = plan.TableOf(ProjectionTable.NameOf(plan.Definition.Table, generation), projection, plan.ToSpec(Cursor.Format(context.Log.StoreId, began)));
        await context.Tables.CreateAsync(table, checkpoint, cancellation);
        return new ProjectionRun(context, plan, table, began, places, checkpoint, mayHaveFailed: false);
    }

    /// <summary>Reads what the feeds have, up to a batch, and writes what follows from it with the checkpoint.</summary>
    /// <exception cref="ProjectionStoreException">The store failed, or its checkpoint is not the expected one.</exception>
    /// <exception cref="FeedLostException">The log does not know the place.</exception>
    public async ValueTask<ProjectionStep> StepAsync(CancellationToken cancellation)
    {
        var step = new Step(new ProjectionBatch(Table, _checkpoint), [.. _places]);
        string? unavailable = null;
        var isCaughtUp = true;
        _firstShard++;
        for (var i = 0; i < step.Places.Length; i++)
        {
            // Another shard comes first each time, so that a busy one doesn't keep the others waiting.
            var shard = _context.Log.AllShards[(_firstShard + i) % step.Places.Length];
            try
            {
                isCaughtUp &= await ReadShardAsync(shard, step, cancellation);
            }
            catch (ShardUnavailableException e)
            {
                unavailable ??= e.Message; // the other shards go on
            }
        }

        await WriteAsync(step, cancellation);
        _folds.Trim();
        return new ProjectionStep(step.Events, step.Batch.Keys.Count, isCaughtUp && unavailable is null, step.HasErased, unavailable);
    }

    /// <summary>
    /// Makes an entity's rows anew from its whole history, whatever the table holds of it. They may be ahead of the table's place: what comes from the
    /// feed after them replaces nothing.
    /// </summary>
    public async ValueTask ReprojectAsync(EntityName name, Life life, long seq, CancellationToken cancellation)
    {
        if (!IsOfKind(name)) return;
        _folds.Remove(RowKey.Of(life));
        if (Table.Source == ProjectionSource.State) await ReprojectStateAsync(name, life, seq, cancellation);
        else await ReprojectEventsAsync(name, life, seq, cancellation);
        _folds.Remove(RowKey.Of(life));
    }

    private async ValueTask<bool> ReadShardAsync(Shard shard, Step step, CancellationToken cancellation)
    {
        while (step.Events < _context.Options.BatchEvents)
        {
            cancellation.ThrowIfCancellationRequested();
            var place = step.Places[shard.Index];
            var feed = shard.Feed;
            if (place.IsPlain && place.Position >= feed.Watermark) return true;
            var eventsMax = Math.Min(_context.Options.PageEvents, _context.Options.BatchEvents - step.Events);

            using var page = await ReadAsync(shard, feed, place, eventsMax) ?? throw new FeedLostException();
            await LoadAsync(shard, page, cancellation);
            Work(shard, page, step);
            step.Places[shard.Index] = page.Next;
            Volatile.Write(ref _seenInRange[shard.Index], page.Next.IsPlain ? 0 : _seenInRange[shard.Index] + page.Count);
            step.Events += page.Count;
            if (page.IsCaughtUp) return true;
        }

        return false;
    }

    /// <summary>A page may come from a run: a reader's thread waits for the disk.</summary>
    private async ValueTask<FeedPage?> ReadAsync(Shard shard, CommitFeed feed, FeedPlace place, int eventsMax)
    {
        try
        {
            return await _context.Log.Readers.RunAsync(() => feed.Read(place, eventsMax, _context.Options.PageBytes));
        }
        catch (DamagedDataException damage)
        {
            shard.Quarantine(damage);
            throw new ShardUnavailableException(shard.Damage!) { IsTransient = false };
        }
    }

    private async ValueTask WriteAsync(Step step, CancellationToken cancellation)
    {
        MakeRows(step);
        var batch = step.Batch;
        var isIdle = !batch.ChangesRows;
        if (!isIdle || _context.Time.GetElapsedTime(_checkpointAt) >= IdleCheckpoint)
        {
            batch.Next = Cursor.Format(_context.Log.StoreId, step.Places);
            if (!isIdle || !string.Equals(batch.Next, batch.Expected, StringComparison.Ordinal))
            {
                if (!await _context.Tables.ApplyAsync(batch, cancellation))
                    throw new ProjectionStoreException($"The checkpoint of {Table.Name} is not the one that was written last; it is read again.");
                _checkpoint = batch.Next;
                Volatile.Write(ref _durable, step.Places);
            }

            _checkpointAt = _context.Time.GetTimestamp();
        }

        _mayHaveFailed |= batch.Failed.Count > 0;
        Volatile.Write(ref _places, step.Places);
        Volatile.Write(ref _events, _events + step.Events);
        Volatile.Write(ref _written, _written + batch.Keys.Count);
    }

    /// <summary>One step under way.</summary>
    private sealed class Step(ProjectionBatch batch, FeedPlace[] places)
    {
        public ProjectionBatch Batch { get; } = batch;

        public FeedPlace[] Places { get; } = places;

        /// <summary>States whose rows are to be made at the end, once however many events they had.</summary>
        public List<EntityFold> Touched { get; } = [];

        public HashSet<long> Erased { get; } = [];

        public int Events { get; set; }

        /// <summary>True if something that may be in the table goes for good.</summary>
        public bool HasErased { get; set; }
    }
}

/// <summary>What a step came to.</summary>
/// <param name="Unavailable">Why a shard could not be read; null if all were.</param>
internal readonly record struct ProjectionStep(int Events, int Rows, bool IsCaughtUp, bool HasErased, string? Unavailable);

/// <summary>A checkpoint is not a place of this log, as after a restore: the table is built anew.</summary>
internal sealed class FeedLostException() : Exception("The table's checkpoint is not a place of this log; the table is built anew.");
