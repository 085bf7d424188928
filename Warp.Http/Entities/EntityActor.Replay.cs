using System.Globalization;
using System.Text;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

public sealed partial class EntityActor
{
    /// <summary>True = no replay, go on; else the append was answered or suspended.</summary>
    private bool JudgeReplay(AppendCommand append, bool mayReadDisk)
    {
        if (_lastSeq == 0) return true;
        if (_ids is null && !TryLoadIds(mayReadDisk)) return false;
        var (first, last) = CandidateRange(append);
        if (last == 0) return true;
        if (last > _life!.DurableSeq)
        {
            _suspension = Suspension.UntilDurable;
            return false;
        }

        // Leased only now: what became durable before stands in this view, even if a new journal was begun in between.
        using var lease = Shard.Views.Lease();
        if (first < lease.View.FirstSeqInMemory(_life.Entity.Number) && !mayReadDisk)
        {
            _suspension = Suspension.ForDisk;
            return false;
        }

        using var stored = new StoredEvents(lease.View, _life);
        return JudgeReplay(append, stored);
    }

    /// <summary>Reads the ids of the life; false if that needs the disk. None with an id is in flight, or they would be here already.</summary>
    private bool TryLoadIds(bool mayReadDisk)
    {
        using var lease = Shard.Views.Lease();
        if (!mayReadDisk && lease.View.FirstSeqInMemory(_life!.Entity.Number) > 1)
        {
            _suspension = Suspension.ForDisk;
            return false;
        }

        _ids = StoredEvents.LoadIds(lease.View, _life!, _registry.Store.IdSeed);
        return true;
    }

    /// <summary>The seqs that judging may have to read, so that disk and durability are waited for before it begins; last = 0: none.</summary>
    private (long First, long Last) CandidateRange(AppendCommand append)
    {
        long lowest = long.MaxValue, highest = 0;
        Span<byte> keyed = stackalloc byte[Limits.IdempotencyKeyChars + 12];
        var seed = _registry.Store.IdSeed;
        var rest = append.Events.Bytes;
        for (var i = 0; i < append.Count; i++)
        {
            var e = EventRecord.Read(ref rest);
            var id = append.Key.IsEmpty ? e.Id : KeyedId(keyed, append.Key, i);
            if (id.IsEmpty) continue;
            if (Events.Life.TryParseEventId(id, out var life, out var generated) && life == LifeOf(_life)) Widen(Math.Min(generated, _lastSeq));
            if (_ids!.IsEmpty) continue;
            for (var at = _ids.Newest(EventIdHash.OfId(id, seed)); at >= 0;) Widen(_ids.Candidate(ref at));
            var colon = id.LastIndexOf((byte)':');
            if (colon <= 0 || !TryParseIndex(id[(colon + 1)..], out var index)) continue;
            for (var at = _ids.Newest(EventIdHash.OfKey(id[..colon], seed)); at >= 0;) Widen(_ids.Candidate(ref at) + index);
        }

        if (highest == 0) return (0, 0);
        return (Math.Max(1, lowest - append.Count), Math.Min(_lastSeq, highest + append.Count));

        void Widen(long seq)
        {
            lowest = Math.Min(lowest, seq);
            highest = Math.Max(highest, seq);
        }
    }

    private bool JudgeReplay(AppendCommand append, StoredEvents stored)
    {
        Span<byte> keyed = stackalloc byte[Limits.IdempotencyKeyChars + 12];
        long firstSeq = 0;
        var rest = append.Events.Bytes;
        for (var i = 0; i < append.Count; i++)
        {
            var e = EventRecord.Read(ref rest);
            var id = append.Key.IsEmpty ? e.Id : KeyedId(keyed, append.Key, i);
            if (id.IsEmpty) continue;
            var seq = Find(id, stored, out var reserved);
            if (reserved)
            {
                Answer(append, new AppendOutcome(AppendStatus.ReservedEventId, Detail: Encoding.ASCII.GetString(id)));
                return false;
            }

            // The first id decides what this is; each later one must fit.
            var isReplay = firstSeq != 0;
            if (seq == 0 ? !isReplay : isReplay && seq == firstSeq + i && stored.HasSameContent(seq, e)) continue;
            if (seq != 0 && i == FirstIndexWithId(append) && seq > i && stored.HasSameContent(seq, e))
            {
                firstSeq = seq - i;
                continue;
            }

            Answer(append, new AppendOutcome(
                AppendStatus.EventIdConflict, LifeOf(_life), seq != 0 ? seq : firstSeq + i, _lastSeq, Encoding.ASCII.GetString(id)));
            return false;
        }

        if (firstSeq == 0) return true;
        JudgeEventsWithoutId(append, stored, firstSeq);
        return false;
    }

    /// <summary>All ids are a replay; events without an id between them must be the stored ones too.</summary>
    private void JudgeEventsWithoutId(AppendCommand append, StoredEvents stored, long firstSeq)
    {
        var rest = append.Events.Bytes;
        for (var i = 0; i < append.Count; i++)
        {
            var e = EventRecord.Read(ref rest);
            if (!append.Key.IsEmpty || !e.Id.IsEmpty) continue;
            if (firstSeq + i <= _lastSeq && stored.HasSameContent(firstSeq + i, e)) continue;
            Answer(append, new AppendOutcome(AppendStatus.EventIdConflict, LifeOf(_life), firstSeq + i, _lastSeq, "(an event without an id)"));
            return;
        }

        Answer(append, new AppendOutcome(AppendStatus.Replayed, LifeOf(_life), firstSeq, firstSeq + append.Count - 1));
    }

    private static int FirstIndexWithId(AppendCommand append)
    {
        if (!append.Key.IsEmpty) return 0;
        var rest = append.Events.Bytes;
        for (var i = 0; ; i++)
            if (!EventRecord.Read(ref rest).Id.IsEmpty) return i;
    }

    /// <summary>The seq that bears the id in this life, in whichever of its three forms; 0 = none.</summary>
    /// <param name="reserved">True if it has the form of the service's own ids in this life but is none of them.</param>
    private long Find(ReadOnlySpan<byte> id, StoredEvents stored, out bool reserved)
    {
        reserved = false;
        if (Events.Life.TryParseEventId(id, out var life, out var generated) && life == LifeOf(_life))
        {
            if (generated <= _lastSeq && stored.HasGeneratedId(generated)) return generated;
            reserved = true;
            return 0;
        }

        if (_ids!.IsEmpty) return 0;
        var seed = _registry.Store.IdSeed;
        for (var at = _ids.Newest(EventIdHash.OfId(id, seed)); at >= 0;)
        {
            var seq = _ids.Candidate(ref at);
            if (stored.HasId(seq, id)) return seq;
        }

        return FindKeyed(id, stored, seed);
    }

    /// <summary>An Idempotency-Key K gave its events the ids K:0, K:1, …</summary>
    private long FindKeyed(ReadOnlySpan<byte> id, StoredEvents stored, long seed)
    {
        var colon = id.LastIndexOf((byte)':');
        if (colon <= 0 || !TryParseIndex(id[(colon + 1)..], out var index)) return 0;
        for (var at = _ids!.Newest(EventIdHash.OfKey(id[..colon], seed)); at >= 0;)
        {
            var seq = _ids.Candidate(ref at) + index;
            if (seq <= _lastSeq && stored.HasKey(seq, id[..colon], index)) return seq;
        }

        return 0;
    }

    private void IndexIds(AppendCommand append, long firstSeq)
    {
        var seed = _registry.Store.IdSeed;
        if (!append.Key.IsEmpty) _ids!.Add(EventIdHash.OfKey(append.Key, seed), firstSeq);
        if (!append.Events.HasIds) return;
        var rest = append.Events.Bytes;
        for (var i = 0; i < append.Count; i++)
        {
            var e = EventRecord.Read(ref rest);
            if (!e.Id.IsEmpty) _ids!.Add(EventIdHash.OfId(e.Id, seed), firstSeq + i);
        }
    }

    private static ReadOnlySpan<byte> KeyedId(Span<byte> destination, ReadOnlySpan<byte> key, int index)
    {
        key.CopyTo(destination);
        destination[key.Length] = (byte)':';
        index.TryFormat(destination[(key.Length + 1)..], out var digits, default, CultureInfo.InvariantCulture);
        return destination[..(key.Length + 1 + digits)];
    }

    private static bool TryParseIndex(ReadOnlySpan<byte> digits, out int index) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out index) && (digits.Length == 1 || digits[0] != (byte)'0');
}
