using System.Collections.Concurrent;
using Warp.Http.Events;

namespace Warp.Http.Projections;

/// <content>Which tables there are: the one that queries see, and one beside it while rows are to become others.</content>
internal sealed partial class ProjectionLoop
{
    private readonly ConcurrentQueue<Command> _commands = new();
    private IReadOnlyList<StoredTable> _lost = []; // tables that can't be gone on with; the next one takes their place
    private bool _isRebuildAsked;
    private bool _hasIndexes; // of the table that queries see, for certain
    private long _generation;

    /// <summary>Has the table made anew; done when the new one is begun.</summary>
    public Task RebuildAsync() => Ask(new Command(null, default, 0));

    /// <summary>Has an entity's rows made anew in the table that queries see.</summary>
    /// <param name="seq">The entity's durable seq.</param>
    public Task ReprojectAsync(EntityName name, Life life, long seq) => Ask(new Command(name, life, seq));

    private Task Ask(Command command)
    {
        _commands.Enqueue(command);
        Wake();
        if (_running.IsCompleted) FailCommands(new ProjectionStoreException("The projection has ended."));
        return command.Done.Task;
    }

    /// <summary>Finds the tables that stand, and begins again at their checkpoints.</summary>
    private async Task LoadAsync(CancellationToken stopping)
    {
        Volatile.Write(ref _live, null);
        Volatile.Write(ref _building, null);
        var lost = new List<StoredTable>();
        foreach (var stored in await _context.Tables.ReadTablesAsync(stopping))
        {
            if (!string.Equals(stored.Projection, Entry.Name, StringComparison.Ordinal)) continue;
            _generation = Math.Max(_generation, ProjectionTable.GenerationOf(stored.Name));
            var run = await ProjectionRun.TryResumeAsync(_context, stored, stopping);
            if (run is not null && stored.IsPublished && _live is null)
            {
                Volatile.Write(ref _live, run);
            }
            else if (run is not null && !stored.IsPublished && _building is null)
            {
                Volatile.Write(ref _building, run);
            }
            else if (stored.IsPublished)
            {
                lost.Add(stored);
            }
            else
            {
                await _context.Tables.DropAsync(stored, stopping);
            }
        }

        _lost = lost;
        _hasIndexes = false;
        _isPurgeDue = true; // a crash may have come between an erasure's commit and its purge
        _isLoaded = true;
    }

    /// <summary>Holds what stands against what is wanted.</summary>
    /// <returns>Null, or why nothing can be wanted at the moment: then what stands goes on.</returns>
    private async Task<string?> DecideAsync(CancellationToken stopping)
    {
        var entry = Entry;
        if (ProjectionPlan.TryMake(entry, _context.Aggregates.Current, out var conflict) is not { } wanted) return conflict;
        if (_building is not null && !IsBy(_building, wanted)) await DropBuildingAsync(stopping);
        var isWanted = _live is null || !IsBy(_live, wanted) || _isRebuildAsked;
        if (!isWanted || _building is not null)
        {
            if (_building is not null) _isRebuildAsked = false;
            Decided(entry);
            return null;
        }

        _generation = Math.Max(_generation + 1, _context.Time.GetUtcNow().ToUnixTimeMilliseconds());
        var run = await ProjectionRun.BeginAsync(_context, wanted, entry.Name, _generation, stopping);
        _isRebuildAsked = false;
        if (_live is null)
        {
            // There is nothing that could answer until it is whole: it is shown from the start, and says how far it is.
            await PublishAsync(run, stopping);
        }
        else
        {
            Volatile.Write(ref _building, run);
        }

        Decided(entry);
        return null;
    }

    private static bool IsBy(ProjectionRun run, ProjectionPlan plan) => run.Plan.Version == plan.Version && run.Plan.Fingerprint == plan.Fingerprint;

    private async Task ObeyAsync(CancellationToken stopping)
    {
        while (_commands.TryPeek(out var command))
        {
            if (command.Name is { } name)
            {
                if (_live is { } live) await live.ReprojectAsync(name, command.Life, command.Seq, stopping);
            }
            else if (_building is null)
            {
                _isRebuildAsked = true;
                await DecideAsync(stopping);
            }

            _commands.TryDequeue(out _);
            command.Done.TrySetResult();
        }
    }

    /// <summary>The new table is at the log's end: it gets its indexes, and takes the old one's place when it is at the end again.</summary>
    private async Task FinishAsync(ProjectionRun run, CancellationToken stopping)
    {
        await _context.Tables.CreateIndexesAsync(run.Table, stopping);
        if (!(await StepAsync(run, stopping)).IsCaughtUp) return;
        await PublishAsync(run, stopping);
        Volatile.Write(ref _building, null);
        _hasIndexes = true;
    }

    /// <summary>A table that is shown from the start gets its indexes when it is at the end: rows are written faster without.</summary>
    private async Task CaughtUpAsync(ProjectionRun live, long since, CancellationToken stopping)
    {
        Volatile.Write(ref _lastCaughtUpAt, since);
        if (_hasIndexes) return;
        await _context.Tables.CreateIndexesAsync(live.Table, stopping);
        _hasIndexes = true;
    }

    private async Task PublishAsync(ProjectionRun run, CancellationToken stopping)
    {
        var replaced = _lost.ToList();
        if (_live is { } live) replaced.Add(StoredOf(live, isPublished: true));
        await _context.Tables.PublishAsync(run.Table, replaced, stopping);
        _lost = [];
        _hasIndexes = false;
        Volatile.Write(ref _live, run);
    }

    /// <summary>The table can't be gone on with: the next one takes its place at once.</summary>
    private void GiveUpLive()
    {
        _lost = [.. _lost, StoredOf(_live!, isPublished: true)];
        Volatile.Write(ref _live, null);
    }

    private async Task DropBuildingAsync(CancellationToken stopping)
    {
        await _context.Tables.DropAsync(StoredOf(_building!, isPublished: false), stopping);
        Volatile.Write(ref _building, null);
    }

    private static StoredTable StoredOf(ProjectionRun run, bool isPublished) =>
        new(run.Table.Name, run.Table.Projection, run.Table.View, isPublished, "", run.Table.Spec);

    private void FailCommands(ProjectionStoreException reason)
    {
        while (_commands.TryDequeue(out var command)) command.Done.TrySetException(reason);
    }

    /// <param name="Name">Whose rows are made anew; null: the whole table.</param>
    private sealed record Command(EntityName? Name, Life Life, long Seq)
    {
        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
