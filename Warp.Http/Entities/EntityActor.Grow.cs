using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>The aggregates that a life's events name, gathered as it grows: the first of them, for a caller may name another with each event.</summary>
internal sealed class GrownAggregates : ISliceVisitor
{
    /// <summary>Aggregates folded in the background; an entity with more of them stores the others when they are read.</summary>
    public const int NamesMax = 16;

    private readonly AggregateNames _names = new();

    /// <summary>The life's seq up to which they are known.</summary>
    public long Seq { get; private set; }

    /// <summary>An empty name stands for events that name none.</summary>
    public IReadOnlyList<string> Names => _names.Names;

    /// <summary>What is still to come adds nothing.</summary>
    public bool IsFull => _names.Count >= NamesMax;

    public void Begin(EntitySummary summary)
    {
        foreach (var name in summary.Aggregates.Take(NamesMax)) _names.Add(System.Text.Encoding.UTF8.GetBytes(name));
        Seq = summary.LastSeq;
    }

    public bool Visit(in EntitySlice slice)
    {
        var rest = slice.Events;
        for (var i = 0; i < slice.Count && !IsFull; i++) _names.Add(EventRecord.Read(ref rest).Aggregate);
        Seq = slice.LastSeq;
        return !IsFull;
    }
}

/// <content>States of an entity that grows, whether or not anybody reads it.</content>
public sealed partial class EntityActor
{
    private int _isGrown; // 1 while it waits for the background

    internal int StoreStateEvents => _registry.Options.StoreStateEvents;

    /// <summary>True for the one who may queue it for the background.</summary>
    internal bool TryMarkGrown() => Interlocked.Exchange(ref _isGrown, 1) == 0;

    internal void UnmarkGrown() => Volatile.Write(ref _isGrown, 0);

    /// <summary>Folds each aggregate from its newest stored state to the end and offers what it comes to. Keeps no state.</summary>
    internal async Task StoreStatesAsync(CancellationToken cancellation)
    {
        UnmarkGrown(); // before it is read: what grows from now on is for the next time
        if (Readable is not { } life) return;
        var definitions = Definitions.Current;
        foreach (var aggregate in await GrownAggregatesAsync(life, definitions, cancellation))
        {
            cancellation.ThrowIfCancellationRequested();
            var fold = new StateFold(this, life, aggregate, definitions);
            try
            {
                if (await fold.AdvanceAsync(life.DurableSeq, long.MaxValue, cancellation) is null && ReferenceEquals(Readable, life)) fold.Offer(StoreStateEvents / 2);
            }
            catch (DamagedDataException damage) when (!TellOfDamage(life, damage))
            {
                return; // erased while it was folded, and perhaps recreated since: it is this life that is asked about
            }
        }
    }

    private async ValueTask<IEnumerable<string>> GrownAggregatesAsync(EntityLife life, AggregateSet definitions, CancellationToken cancellation)
    {
        var grown = life.States.Grown ??= new GrownAggregates();
        if (!grown.IsFull)
        {
            await ReadViewAsync(life, grown.Seq + 1, view =>
            {
                if (grown.Seq == 0) grown.Begin(view.Summarize(life.Number));
                else view.Visit(life.Number, grown.Seq + 1, life.DurableSeq, descending: false, ref grown);
                return grown;
            }, cancellation);
        }

        var resolved = definitions.ResolveDefault(Name.Kind).Name;
        return grown.Names.Select(name => name.Length > 0 ? name : resolved).Where(name => name.Length > 0).Distinct(StringComparer.Ordinal);
    }
}
