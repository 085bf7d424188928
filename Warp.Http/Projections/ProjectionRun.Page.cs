using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Projections;

/// <content>What becomes of a page's events: states are folded on, rows are made.</content>
internal sealed partial class ProjectionRun
{
    /// <summary>States that are folded from their history at one time; there are about as many threads that read disks.</summary>
    private const int LoadsAtOnce = 8;

    private bool IsOfKind(EntityName name) =>
        Plan.Definition.Kind is null ? !EntityName.IsReserved(name.Utf8) : name.Kind.SequenceEqual(Plan.Definition.KindUtf8.Span);

    /// <summary>Folds the histories of entities that the page goes on with and that are not in memory.</summary>
    private async ValueTask LoadAsync(Shard shard, FeedPage page, CancellationToken cancellation)
    {
        if (!Plan.Definition.UsesState) return;
        var missing = FindMissing(shard, page);
        for (var i = 0; i < missing.Count; i += LoadsAtOnce)
        {
            cancellation.ThrowIfCancellationRequested();
            await Task.WhenAll(missing.Skip(i).Take(LoadsAtOnce).Select(entity => LoadAsync(shard, entity.Name, entity.Number, entity.Seq, cancellation).AsTask()));
        }
    }

    private List<(EntityName Name, long Number, long Seq)> FindMissing(Shard shard, FeedPage page)
    {
        var missing = new List<(EntityName Name, long Number, long Seq)>();
        var seen = new HashSet<long>();
        for (var i = 0; i < page.Count; i++)
        {
            var entry = page[i];
            // Only an entity's first event in the page tells from where it is needed.
            if (entry.Name is null || !seen.Add(entry.Entity) || entry.Event.Seq == 1 || !IsOfKind(entry.Name)) continue;
            if (_folds.Find(RowKey.Of(shard.Index, entry.Entity)) is null) missing.Add((entry.Name, entry.Entity, entry.Event.Seq - 1));
        }

        return missing;
    }

    private async ValueTask LoadAsync(Shard shard, EntityName name, long number, long seq, CancellationToken cancellation)
    {
        var life = shard.LifeOf(number);
        if (await _context.Entities.FoldBesideAsync(shard, name, number, seq, Plan.Aggregate!, Plan.Definitions, cancellation) is not { } folded) return;
        var fold = new EntityFold(RowKey.Of(life), name, life, folded.State) { Seq = seq, HasEvents = folded.HasEvents, Failure = folded.Failure };
        _folds.Add(fold);
    }

    private void Work(Shard shard, FeedPage page, Step step)
    {
        for (var i = 0; i < page.Count; i++)
        {
            var entry = page[i];
            var key = RowKey.Of(shard.Index, entry.Entity);
            if (entry.Kind == FeedEntryKind.Fence) Erase(step, key, entry.Position <= _began[shard.Index].Position);
            else if (IsOfKind(entry.Name!)) Work(shard, entry, key, step);
        }
    }

    private void Work(Shard shard, in FeedEntry entry, long key, Step step)
    {
        var owner = Plan.OwnerOfDefault(entry.Name!.Kind);
        var isMine = Plan.IsMine(entry.Event.Fields.Aggregate, owner);
        EntityFold? fold = null;
        if (Plan.Definition.UsesState)
        {
            fold = _folds.Find(key);
            if (fold is null)
            {
                // It was erased while it was loaded: its fence comes, and takes whatever there is of it.
                if (entry.Event.Seq > 1) return;
                _folds.Add(fold = new EntityFold(key, entry.Name, shard.LifeOf(entry.Entity), FoldState.Create(Plan.AggregateEntry?.Definition, entry.Name, shard.LifeOf(entry.Entity))));
            }

            Fold(fold, entry.Event, isMine, owner);
        }

        if (Plan.Definition.From == ProjectionSource.Event)
        {
            if (isMine || Plan.Definition.Aggregate is null) AddEvent(step, entry.Name, shard.LifeOf(entry.Entity), key, entry.Event, fold, isMine);
        }
        else if (!fold!.IsTouched)
        {
            fold.IsTouched = true;
            step.Touched.Add(fold);
        }
    }

    private static void Fold(EntityFold fold, in RecordedEvent e, bool isMine, DefaultOwner owner)
    {
        if (e.Seq != fold.Seq + 1) throw new InvalidOperationException($"The feed gave seq {e.Seq} of an entity that is at {fold.Seq}.");
        fold.Seq = e.Seq;
        if (!isMine || fold.Failure is not null) return;
        fold.Failure = owner == DefaultOwner.Contested && e.Fields.Aggregate.IsEmpty
            ? new FoldFailure(e.Seq, null, 0, 0, "The event names no aggregate, and two aggregates claim its kind as default.")
            : fold.State.Apply(e);
        fold.HasEvents = true;
    }

    private void AddEvent(Step step, EntityName name, Life life, long key, in RecordedEvent e, EntityFold? fold, bool isMine)
    {
        var error = fold?.Failure?.ToString() ?? _rows.TryAddEvent(name, life, e, fold?.State, isMine, step.Batch.Values);
        if (error is null) step.Batch.Keys.Add(new RowKey(key, e.Seq));
        else step.Batch.Failed.Add(new FailedRow(key, e.Seq, name.ToString(), error));
    }

    private void Erase(Step step, long key, bool wasBefore)
    {
        step.Erased.Add(key);
        _folds.Remove(key);
        if (wasBefore) return; // nothing of what was erased before the table was begun came into it
        step.Batch.Removed.Add(new RowKey(key, long.MaxValue));
        step.HasErased = true;
    }

    private void MakeRows(Step step)
    {
        var batch = step.Batch;
        if (step.Erased.Count > 0) Forget(step);
        step.Touched.Sort(static (a, b) => a.Key.CompareTo(b.Key));
        foreach (var fold in step.Touched)
        {
            fold.IsTouched = false;
            // Over all kinds only entities with an event of the aggregate have a row; of one kind all that have the aggregate.
            if (!fold.HasEvents && fold.Failure is null && (Plan.Definition.Kind is null || Plan.AggregateEntry is null)) continue;
            var error = fold.Failure?.ToString() ?? _rows.TryAddState(fold, batch.Values);
            var row = new RowKey(fold.Key, fold.Seq);
            if (error is null)
            {
                batch.Keys.Add(row);
                if (_mayHaveFailed) batch.Healed.Add(row);
            }
            else
            {
                batch.Removed.Add(row);
                batch.Failed.Add(new FailedRow(fold.Key, fold.Seq, fold.Name.ToString(), error));
            }
        }
    }

    /// <summary>Takes out of the step what an erasure further on in it has taken.</summary>
    private static void Forget(Step step)
    {
        step.Touched.RemoveAll(fold => step.Erased.Contains(fold.Key));
        var batch = step.Batch;
        batch.Failed.RemoveAll(failed => step.Erased.Contains(failed.Entity));
        if (!batch.Keys.Exists(row => step.Erased.Contains(row.Entity))) return;
        var columns = batch.Table.Columns.Count;
        var kept = 0;
        for (var i = 0; i < batch.Keys.Count; i++)
        {
            if (step.Erased.Contains(batch.Keys[i].Entity)) continue;
            batch.Keys[kept] = batch.Keys[i];
            for (var column = 0; column < columns; column++) batch.Values[(kept * columns) + column] = batch.Values[(i * columns) + column];
            kept++;
        }

        batch.Keys.RemoveRange(kept, batch.Keys.Count - kept);
        batch.Values.RemoveRange(kept * columns, batch.Values.Count - (kept * columns));
    }

    private async ValueTask ReprojectStateAsync(EntityName name, Life life, long seq, CancellationToken cancellation)
    {
        var step = new Step(new ProjectionBatch(Table, _checkpoint), [.. _places]);
        await LoadAsync(_context.Log.AllShards[life.Shard], name, life.Number, seq, cancellation);
        if (_folds.Find(RowKey.Of(life)) is not { } fold) return; // erased meanwhile
        step.Touched.Add(fold);
        step.Batch.Removed.Add(new RowKey(fold.Key, seq));
        await WriteAsync(step, cancellation);
    }

    private async ValueTask ReprojectEventsAsync(EntityName name, Life life, long seq, CancellationToken cancellation)
    {
        var found = await _context.Entities.FindAsync(name.Memory, cancellation);
        if (found.Actor is not { } actor || actor.Life != life) return;
        var fold = new EntityFold(RowKey.Of(life), name, life, FoldState.Create(Plan.AggregateEntry?.Definition, name, life));
        for (long from = 1; from > 0 && from <= seq;)
        {
            using var page = await actor.ReadAsync(from, seq, descending: false, _context.Options.PageEvents, _context.Options.PageBytes, cancellation);
            var step = new Step(new ProjectionBatch(Table, _checkpoint), [.. _places]);
            for (var i = 0; i < page.Count; i++) AddEvent(step, name, life, page.GetEvent(i), fold);
            from = page.NextSeq;
            step.Batch.Removed.Add(new RowKey(fold.Key, from > 0 ? from - 1 : seq));
            await WriteAsync(step, cancellation);
        }
    }

    private void AddEvent(Step step, EntityName name, Life life, in RecordedEvent e, EntityFold fold)
    {
        var owner = Plan.OwnerOfDefault(name.Kind);
        var isMine = Plan.IsMine(e.Fields.Aggregate, owner);
        if (Plan.Definition.UsesState) Fold(fold, e, isMine, owner);
        if (isMine || Plan.Definition.Aggregate is null) AddEvent(step, name, life, fold.Key, e, Plan.Definition.UsesState ? fold : null, isMine);
    }
}
