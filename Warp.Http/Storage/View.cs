using System.Collections.Immutable;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>What there is to read at one moment: runs in order of position, then memtables, the last of them being written.</summary>
/// <remarks>
/// Immutable and replaced in one assignment: no reader sees an event twice or misses one at the seam between memtable and run.
/// A reader leases it for a page and lets go; <see cref="TryAcquire"/> fails only on a view that was replaced and has no reader left.
/// </remarks>
internal sealed class View
{
    private int _references = 1; // the shard's own, given back when the view is replaced

    public View(ImmutableArray<Run> runs, ImmutableArray<Memtable> memtables)
    {
        Runs = runs;
        Memtables = memtables;
        foreach (var run in runs) run.AddReference();
    }

    public ImmutableArray<Run> Runs { get; }

    public ImmutableArray<Memtable> Memtables { get; }

    public Memtable Active => Memtables[^1];

    public bool TryAcquire()
    {
        var references = Volatile.Read(ref _references);
        while (references > 0)
        {
            var seen = Interlocked.CompareExchange(ref _references, references + 1, references);
            if (seen == references) return true;
            references = seen;
        }

        return false;
    }

    public void Release()
    {
        if (Interlocked.Decrement(ref _references) != 0) return;
        foreach (var run in Runs) run.RemoveReference();
    }

    /// <summary>The entity's lowest seq that is in memory; <see cref="long.MaxValue"/> if all of it is in runs.</summary>
    public long FirstSeqInMemory(long entity)
    {
        foreach (var memtable in Memtables)
            if (memtable.Slices(entity) is [var first, ..]) return first.FirstSeq;
        return long.MaxValue;
    }

    /// <summary>The entity's highest seq; reads a run only if it is not in memory.</summary>
    public long LastSeq(long entity)
    {
        for (var i = Memtables.Length - 1; i >= 0; i--)
            if (Memtables[i].Slices(entity) is [.., var last]) return last.FirstSeq + last.Count - 1;
        for (var i = Runs.Length - 1; i >= 0; i--)
        {
            var last = Runs[i].Read(entity, static (reader, entity) => reader.LastSeq(entity));
            if (last > 0) return last;
        }

        return 0;
    }

    /// <summary>Looks for a name in memory; of two lives the later.</summary>
    public bool TryFindInMemory(NameTag tag, out long entity)
    {
        for (var i = Memtables.Length - 1; i >= 0; i--)
            if (Memtables[i].TryFindName(tag, out entity)) return true;
        entity = 0;
        return false;
    }

    /// <summary>True if a run may hold the name; no file is touched.</summary>
    public bool MayBeInRuns(NameTag tag)
    {
        foreach (var run in Runs)
            if (run.MayHold(tag)) return true;
        return false;
    }

    /// <summary>What a description of the entity needs, from piece headers and memtables.</summary>
    public EntitySummary Summarize(long entity)
    {
        var summary = new EntitySummary();
        if (FirstSeqInMemory(entity) > 1)
        {
            foreach (var run in Runs)
            {
                run.Read((entity, summary), static (reader, of) =>
                {
                    reader.Summarize(of.entity, of.summary);
                    return true;
                });
            }
        }

        foreach (var memtable in Memtables)
            foreach (ref readonly var slice in memtable.Slices(entity)) summary.Add(slice.Open());
        return summary;
    }

    /// <summary>The name of an entity; null if it has none here, as after an erasure.</summary>
    public EntityName? FindNameOf(long entity)
    {
        foreach (var memtable in Memtables)
            if (memtable.NameOf(entity) is { IsEmpty: false } name) return new EntityName(name);
        foreach (var run in Runs)
        {
            if (entity < run.FirstNamed || entity > run.LastNamed) continue;
            if (run.Read(entity, static (reader, entity) => reader.NameOf(entity)) is { } found) return found;
        }

        return null;
    }

    /// <summary>The newest number of a name in runs that <paramref name="alive"/> accepts; 0 if none.</summary>
    public long FindInRuns(NameTag tag, ReadOnlySpan<byte> name, Func<long, bool> alive)
    {
        for (var i = Runs.Length - 1; i >= 0; i--)
        {
            if (!Runs[i].MayHold(tag)) continue;
            var entity = Runs[i].Read(new NameToFind(tag, name), static (reader, sought) => reader.FindName(sought.Tag, sought.Name));
            if (entity != 0 && alive(entity)) return entity;
        }

        return 0;
    }

    /// <summary>
    /// The newest stored state of the entity's aggregate with this fingerprint that covers no more than <paramref name="seqMax"/>. May read runs.
    /// </summary>
    public bool TryFindState(long entity, ReadOnlySpan<byte> aggregate, ulong fingerprint, long seqMax, out StoredState state)
    {
        for (var i = Memtables.Length - 1; i >= 0; i--)
        {
            if (!Memtables[i].TryFindState(entity, aggregate, out var body)) continue;
            var found = StateBody.Read(body.Span);
            if (found.Fingerprint != fingerprint || found.Seq > seqMax) continue;
            state = new StoredState(found.Seq, found.LastMs, found.Flags, found.State.ToArray());
            return true;
        }

        for (var i = Runs.Length - 1; i >= 0; i--)
        {
            if (Runs[i].Meta.States == 0) continue;
            var found = Runs[i].Read(
                new StateToFind(entity, aggregate, fingerprint, seqMax), static (reader, sought) => reader.FindState(sought.Entity, sought.Aggregate, sought.Fingerprint, sought.SeqMax));
            if (found is null) continue;
            state = found.Value;
            return true;
        }

        state = default;
        return false;
    }

    /// <summary>Visits the entity's slices that touch <paramref name="from"/> to <paramref name="to"/>, each once, in order.</summary>
    public void Visit<TVisitor>(long entity, long from, long to, bool descending, ref TVisitor visitor)
        where TVisitor : ISliceVisitor
    {
        if (descending)
        {
            if (VisitMemory(entity, from, to, descending, ref visitor)) VisitRuns(entity, from, to, descending, ref visitor);
        }
        else if (VisitRuns(entity, from, to, descending, ref visitor))
        {
            VisitMemory(entity, from, to, descending, ref visitor);
        }
    }

    private bool VisitRuns<TVisitor>(long entity, long from, long to, bool descending, ref TVisitor visitor)
        where TVisitor : ISliceVisitor
    {
        if (from >= FirstSeqInMemory(entity)) return true;
        for (var i = 0; i < Runs.Length; i++)
        {
            var visit = new RunVisit<TVisitor>(entity, from, to, descending, ref visitor);
            if (!Runs[descending ? Runs.Length - 1 - i : i].Read(visit, static (reader, v) => reader.Visit(v.Entity, v.From, v.To, v.Descending, ref v.Visitor))) return false;
        }

        return true;
    }

    private bool VisitMemory<TVisitor>(long entity, long from, long to, bool descending, ref TVisitor visitor)
        where TVisitor : ISliceVisitor
    {
        for (var i = 0; i < Memtables.Length; i++)
        {
            var slices = Memtables[descending ? Memtables.Length - 1 - i : i].Slices(entity);
            for (var j = FirstTouching(slices, from, to, descending); j >= 0 && j < slices.Length; j += descending ? -1 : 1)
            {
                var slice = slices[j].Open();
                if (descending ? slice.LastSeq < from : slice.FirstSeq > to) return true;
                if (!visitor.Visit(slice)) return false;
            }
        }

        return true;
    }

    /// <summary>Where to begin: the first slice that reaches <paramref name="from"/>, or, going down, the last that begins at or before <paramref name="to"/>.</summary>
    private static int FirstTouching(ReadOnlySpan<MemSlice> slices, long from, long to, bool descending)
    {
        int low = 0, high = slices.Length;
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            var before = descending ? slices[middle].FirstSeq <= to : slices[middle].FirstSeq + slices[middle].Count - 1 < from;
            if (before) low = middle + 1;
            else high = middle;
        }

        return descending ? low - 1 : low;
    }

    private readonly ref struct RunVisit<TVisitor>(long entity, long from, long to, bool descending, ref TVisitor visitor)
        where TVisitor : ISliceVisitor
    {
        public readonly ref TVisitor Visitor = ref visitor;
        public readonly long Entity = entity;
        public readonly long From = from;
        public readonly long To = to;
        public readonly bool Descending = descending;
    }

    private readonly ref struct NameToFind(NameTag tag, ReadOnlySpan<byte> name)
    {
        public readonly NameTag Tag = tag;
        public readonly ReadOnlySpan<byte> Name = name;
    }

    private readonly ref struct StateToFind(long entity, ReadOnlySpan<byte> aggregate, ulong fingerprint, long seqMax)
    {
        public readonly long Entity = entity;
        public readonly ReadOnlySpan<byte> Aggregate = aggregate;
        public readonly ulong Fingerprint = fingerprint;
        public readonly long SeqMax = seqMax;
    }
}
