using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>What <c>GET /v1/entities/{kind}/{id}</c> tells.</summary>
/// <param name="CreatedAtMs">The first event's group commit, Unix milliseconds.</param>
/// <param name="UpdatedAtMs">The last event's.</param>
/// <param name="Aggregates">The aggregates its events belong to, events without one resolved to the default, where there is one.</param>
/// <param name="Bytes">Of its events in stored form.</param>
public readonly record struct EntityDescription(Life Life, long Seq, long CreatedAtMs, long UpdatedAtMs, IReadOnlyList<string> Aggregates, long Bytes);

public sealed partial class EntityActor
{
    /// <summary>The published life; default while there is none.</summary>
    public Life Life => LifeOf(Published);

    /// <summary>The last durable seq of the published life; 0 while there is none.</summary>
    public long DurableSeq => Published?.DurableSeq ?? 0;

    /// <summary>
    /// The published life unless it was erased. A reader may hold an actor that was passivated since: nobody tells that one of an erasure,
    /// so the fence is asked.
    /// </summary>
    private EntityLife? Readable => Published is { } life && !Shard.Tombstones.IsFenced(life.Number) ? life : null;

    internal AggregateCatalog Definitions => _registry.Definitions;

    internal ReaderPool Readers => _registry.Store.Readers;

    /// <summary>The state as of <see cref="DurableSeq"/> if it is folded already: the hot path of reads, without allocation.</summary>
    public StateSnapshot? TryGetState(string aggregate)
    {
        var life = Published;
        return life?.KnownStates?.Find(aggregate)?.TryGet(life.DurableSeq, Definitions.Current);
    }

    public async ValueTask<StateResult> GetStateAsync(string aggregate, CancellationToken cancellation)
    {
        if (Readable is not { } life) return new StateResult(StateStatus.Erased);
        StateResult result;
        try
        {
            result = await life.States.GetOrAdd(aggregate).GetAsync(this, life, cancellation);
        }
        catch (DamagedDataException damage) when (!TellOfDamage(life, damage))
        {
            return new StateResult(StateStatus.Erased);
        }

        // What was erased meanwhile is not shown, whoever asked first.
        return ReferenceEquals(Readable, life) ? result : new StateResult(StateStatus.Erased);
    }

    /// <summary>Time travel: the state after <paramref name="atSeq"/>, or after the last event recorded at or before <paramref name="atMs"/>; folded anew, not kept.</summary>
    public async ValueTask<StateResult> GetStateAtAsync(string aggregate, long? atSeq, long? atMs, CancellationToken cancellation)
    {
        if (Readable is not { } life) return new StateResult(StateStatus.Erased);
        var durable = life.DurableSeq;
        if (atSeq > durable) return new StateResult(StateStatus.BeyondLastSeq);
        var definitions = Definitions.Current;
        var fold = new StateFold(this, life, aggregate, definitions);
        FoldFailure? failure;
        try
        {
            failure = await fold.AdvanceAsync(atSeq ?? durable, atMs ?? long.MaxValue, cancellation);
        }
        catch (DamagedDataException damage) when (!TellOfDamage(life, damage))
        {
            return new StateResult(StateStatus.Erased);
        }

        cancellation.ThrowIfCancellationRequested();
        if (!ReferenceEquals(Readable, life)) return new StateResult(StateStatus.Erased);
        if (failure is not null) return StateResult.Of(failure);
        return fold.Exists ? new StateResult(StateStatus.Found, fold.Render(fold.Covered, definitions)) : new StateResult(StateStatus.NoSuchAggregate);
    }

    /// <summary>
    /// True when <see cref="DurableSeq"/> has reached <paramref name="minSeq"/>; false after the wait, when the entity is erased, or when the actor
    /// was passivated and another goes on for it (<see cref="EntityRegistry.WaitForSeqAsync"/> follows it there).
    /// </summary>
    internal async ValueTask<bool> WaitForSeqAsync(long minSeq, TimeSpan wait, CancellationToken cancellation)
    {
        if (Readable is not { } life) return false;
        if (life.DurableSeq >= minSeq) return true;
        var reached = life.WhenReached(minSeq);
        try
        {
            // Passivation and erasure end the waits that they find; one that begins later must look itself.
            if (!IsRetired && ReferenceEquals(Readable, life)) await reached.WaitAsync(wait, _registry.Time, cancellation);
        }
        catch (TimeoutException)
        {
            return life.DurableSeq >= minSeq;
        }
        finally
        {
            life.Forget(reached);
        }

        return ReferenceEquals(Readable, life) && life.DurableSeq >= minSeq;
    }

    /// <summary>Null if the entity was erased meanwhile.</summary>
    public async ValueTask<EntityDescription?> DescribeAsync(CancellationToken cancellation)
    {
        if (Readable is not { } life) return null;
        var summary = await ReadViewAsync(life, 1, view => view.Summarize(life.Number), cancellation);
        if (summary is null || !ReferenceEquals(Readable, life)) return null; // erased meanwhile: what is left of it is nobody's business
        var resolved = Definitions.Current.ResolveDefault(Name.Kind);

        // Where several definitions claim the kind, what names none belongs to nobody.
        var names = summary.Aggregates.Select(name => name.Length > 0 ? name : resolved.Name)
            .Where(name => name.Length > 0).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal);
        return new EntityDescription(LifeOf(life), summary.LastSeq, summary.FirstMs, summary.LastMs, [.. names], summary.Bytes);
    }

    /// <summary>A page of durable events with seq from <paramref name="from"/> to <paramref name="to"/>, clipped to what is there.</summary>
    public async ValueTask<HistoryPage> ReadAsync(long from, long to, bool descending, int maxEvents, int maxBytes, CancellationToken cancellation)
    {
        if (Readable is not { } life) return new HistoryPage();
        var first = Math.Max(1, from);
        var last = Math.Min(to, life.DurableSeq);
        return await ReadViewAsync(life, first, view => HistoryPage.Read(view, life.Number, first, last, descending, maxEvents, maxBytes), cancellation)
            ?? new HistoryPage();
    }

    /// <summary>
    /// Reads what concerns a life from <paramref name="firstSeq"/> on: here if all of that is in memory, else on a reader's thread.
    /// </summary>
    /// <returns>Null if the life was erased meanwhile, so that what is missing is no damage.</returns>
    private async ValueTask<T?> ReadViewAsync<T>(EntityLife life, long firstSeq, Func<View, T> read, CancellationToken cancellation)
        where T : class
    {
        try
        {
            // Looked at and read under one lease: after a look alone, a seal could move what was in memory into a run.
            using (var lease = Shard.Views.Lease())
                if (lease.View.FirstSeqInMemory(life.Number) <= firstSeq) return read(lease.View);
            return await Readers.RunAsync(() =>
            {
                using var lease = Shard.Views.Lease();
                return read(lease.View);
            }).WaitAsync(cancellation);
        }
        catch (DamagedDataException damage)
        {
            if (!TellOfDamage(life, damage)) return null;
            throw;
        }
    }

    /// <summary>
    /// What a reader found missing or wrong takes the shard out of service, unless the life was erased while it was read: then it is no damage.
    /// </summary>
    internal bool TellOfDamage(EntityLife life, DamagedDataException damage)
    {
        if (Shard.Tombstones.IsFenced(life.Number)) return false;
        Shard.Quarantine(damage);
        return true;
    }
}
