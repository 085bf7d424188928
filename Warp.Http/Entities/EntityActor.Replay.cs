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
        _ids!.Trim(_life!.DurableSeq);
        if (!TryFindOlder(append, mayReadDisk, out var older)) return false;
        var (first, last) = CandidateRange(append, older);
        if (last == 0) return true;
        if (last > _life!.DurableSeq)
        {
            _suspension = Suspension.UntilDurable;
            return false;
        }

        // Leased only now: what became durable before stands in this view, even if a new journal was begun in between.
        using var lease = Shard.Views.Lease();
        if (first < lease.View.FirstSeqInMemory(_life.Number) && !mayReadDisk)
        {
            _suspension = Suspension.ForDisk;
            return false;
        }

        using var stored = new StoredEvents(lease.View, _life);
        return JudgeReplay(append, stored, older);
    }

    /// <summary>Reads the ids of the life; false if that needs the disk. None with an id is in flight, or they would be here already.</summary>
    private bool TryLoadIds(bool mayReadDisk)
    {
        if (_life!.DurableSeq == 0)
        {
            _ids = new IdIndex();
            return true;
        }

        using var lease = Shard.Views.Lease();
        if (!mayReadDisk && lease.View.FirstSeqInMemory(_life.Number) > 1)
        {
            _suspension = Suspension.ForDisk;
            return false;
        }

        _ids = StoredIds.Load(lease.View, _life, _registry.Store.IdSeed);
        return true;
    }

    /// <summary>
    /// Looks up those of the append's ids that only the filter knows; null = none. False if that needs a reader's thread: it goes through all ids
    /// of the life.
    /// </summary>
    private bool TryFindOlder(AppendCommand append, bool mayReadDisk, out IdIndex? older)
    {
        older = null;
        if (!_ids!.HasOlder) return true;
        HashSet<ulong>? hashes = null;
        var seed = _registry.Store.IdSeed;
        Span<byte> keyed = stackalloc byte[Limits.IdempotencyKeyChars + 12];
        var rest = append.Events.Bytes;
        for (var i = 0; i < append.Count; i++)
        {
            var e = EventRecord.Read(ref rest);
            var id = append.Key.IsEmpty ? e.Id : KeyedId(keyed, append.Key, i);
            if (id.IsEmpty) continue;
            Note(EventIdHash.OfId(id, seed));
            if (TrySplit(id, out var key, out _)) Note(EventIdHash.OfKey(key, seed));
        }

        if (hashes is null) return true;
        if (!mayReadDisk)
        {
            _suspension = Suspension.ForDisk;
            return false;
        }

        using var lease = Shard.Views.Lease();
        older = StoredIds.Find(lease.View, _life!, seed, hashes);
        return true;

        void Note(ulong hash)
        {
            if (_ids.MayBeOlder(hash)) (hashes ??= []).Add(hash);
        }
    }

    /// <summary>The seqs that judging may have to read, so that disk and durability are waited for before it begins; last = 0: none.</summary>
    private (long First, long Last) CandidateRange(AppendCommand append, IdIndex? older)
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
            WidenBy(_ids!, id);
            if (older is not null) WidenBy(older, id);
        }

        if (highest == 0) return (0, 0);
        return (Math.Max(1, lowest - append.Count), Math.Min(_lastSeq, highest + append.Count));

        void WidenBy(IdIndex ids, ReadOnlySpan<byte> id)
        {
            if (ids.IsEmpty) return;
            for (var at = ids.Newest(EventIdHash.OfId(id, seed)); at >= 0;) Widen(ids.Candidate(ref at));
            if (!TrySplit(id, out var key, out var index)) return;
            for (var at = ids.Newest(EventIdHash.OfKey(key, seed)); at >= 0;) Widen(ids.Candidate(ref at) + index);
        }

        void Widen(long seq)
        {
            lowest = Math.Min(lowest, seq);
            highest = Math.Max(highest, seq);
        }
    }

    private bool JudgeReplay(AppendCommand append, StoredEvents stored, IdIndex? older)
    {
        Span<byte> keyed = stackalloc byte[Limits.IdempotencyKeyChars + 12];
        long firstSeq = 0;
        var rest = append.Events.Bytes;
        for (var i = 0; i < append.Count; i++)
        {
            var e = EventRecord.Read(ref rest);
            var id = append.Key.IsEmpty ? e.Id : KeyedId(keyed, append.Key, i);
            if (id.IsEmpty) continue;
            var seq = Find(id, stored, older, out var reserved);
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

            if (seq != 0) AnswerConflict(append, seq, Encoding.ASCII.GetString(id));
            else AnswerPartial(append, firstSeq);
            return false;
        }

        if (firstSeq == 0) return true;
        JudgeWhole(append, stored, firstSeq);
        return false;
    }

    /// <summary>All ids are a replay; events without an id between them must be the stored ones too, and all together one stored append.</summary>
    private void JudgeWhole(AppendCommand append, StoredEvents stored, long firstSeq)
    {
        var rest = append.Events.Bytes;
        for (var i = 0; i < append.Count; i++)
        {
            var e = EventRecord.Read(ref rest);
            if (!append.Key.IsEmpty || !e.Id.IsEmpty) continue;
            if (firstSeq + i <= _lastSeq && stored.HasSameContent(firstSeq + i, e)) continue;
            AnswerPartial(append, firstSeq);
            return;
        }

        if (stored.IsWholeAppend(firstSeq, firstSeq + append.Count - 1))
            Answer(append, new AppendOutcome(AppendStatus.Replayed, LifeOf(_life), firstSeq, firstSeq + append.Count - 1));
        else
            AnswerPartial(append, firstSeq);
    }

    /// <summary>The first id is a replay, what follows is not: told is the id that is used.</summary>
    private void AnswerPartial(AppendCommand append, long firstSeq) => AnswerConflict(append, firstSeq + FirstIndexWithId(append), FirstId(append));

    private void AnswerConflict(AppendCommand append, long seq, string id) =>
        Answer(append, new AppendOutcome(AppendStatus.EventIdConflict, LifeOf(_life), seq, _lastSeq, id));

    private static int FirstIndexWithId(AppendCommand append)
    {
        if (!append.Key.IsEmpty) return 0;
        var rest = append.Events.Bytes;
        for (var i = 0; ; i++)
            if (!EventRecord.Read(ref rest).Id.IsEmpty) return i;
    }

    /// <summary>The first id that the append gives, for the text of a conflict.</summary>
    private static string FirstId(AppendCommand append)
    {
        if (!append.Key.IsEmpty) return $"{Encoding.ASCII.GetString(append.Key)}:0";
        var rest = append.Events.Bytes;
        for (var i = FirstIndexWithId(append); i > 0; i--) EventRecord.Skip(ref rest);
        return Encoding.ASCII.GetString(EventRecord.Read(ref rest).Id);
    }

    /// <summary>The seq that bears the id in this life, in whichever of its three forms; 0 = none.</summary>
    /// <param name="reserved">True if it has the form of the service's own ids in this life but is none of them.</param>
    private long Find(ReadOnlySpan<byte> id, StoredEvents stored, IdIndex? older, out bool reserved)
    {
        reserved = false;
        if (Events.Life.TryParseEventId(id, out var life, out var generated) && life == LifeOf(_life))
        {
            if (generated <= _lastSeq && stored.HasGeneratedId(generated)) return generated;
            reserved = true;
            return 0;
        }

        var seq = Find(id, stored, _ids!);
        return seq == 0 && older is not null ? Find(id, stored, older) : seq;
    }

    private long Find(ReadOnlySpan<byte> id, StoredEvents stored, IdIndex ids)
    {
        if (ids.IsEmpty) return 0;
        var seed = _registry.Store.IdSeed;
        for (var at = ids.Newest(EventIdHash.OfId(id, seed)); at >= 0;)
        {
            var seq = ids.Candidate(ref at);
            if (stored.HasId(seq, id)) return seq;
        }

        if (!TrySplit(id, out var key, out var index)) return 0;
        for (var at = ids.Newest(EventIdHash.OfKey(key, seed)); at >= 0;)
        {
            var seq = ids.Candidate(ref at) + index;
            if (seq <= _lastSeq && stored.HasKey(seq, key, index)) return seq;
        }

        return 0;
    }

    private void IndexIds(AppendCommand append, long firstSeq)
    {
        _ids ??= new IdIndex(); // for a life's first append nothing was loaded: there is nothing
        var seed = _registry.Store.IdSeed;
        if (!append.Key.IsEmpty) _ids.Add(EventIdHash.OfKey(append.Key, seed), firstSeq);
        if (!append.Events.HasIds) return;
        var rest = append.Events.Bytes;
        for (var i = 0; i < append.Count; i++)
        {
            var e = EventRecord.Read(ref rest);
            if (!e.Id.IsEmpty) _ids.Add(EventIdHash.OfId(e.Id, seed), firstSeq + i);
        }
    }

    private static ReadOnlySpan<byte> KeyedId(Span<byte> destination, ReadOnlySpan<byte> key, int index)
    {
        key.CopyTo(destination);
        destination[key.Length] = (byte)':';
        index.TryFormat(destination[(key.Length + 1)..], out var digits, default, CultureInfo.InvariantCulture);
        return destination[..(key.Length + 1 + digits)];
    }

    /// <summary>An Idempotency-Key K gave its events the ids K:0, K:1, …</summary>
    private static bool TrySplit(ReadOnlySpan<byte> id, out ReadOnlySpan<byte> key, out int index)
    {
        index = 0;
        var colon = id.LastIndexOf((byte)':');
        key = colon > 0 ? id[..colon] : default;
        return colon > 0 && TryParseIndex(id[(colon + 1)..], out index);
    }

    private static bool TryParseIndex(ReadOnlySpan<byte> digits, out int index) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out index) && (digits.Length == 1 || digits[0] != (byte)'0');
}
