using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Warp.Http.Storage;

/// <summary>Finds a memtable's entities by number and, where they were first seen in it, by the tag of their name.</summary>
/// <remarks>
/// One thread adds, any thread reads without a lock. An entry is written before a slot names it, a table before it replaces the smaller one, and
/// neither is taken back: a reader sees everything that was added before it looked, or more. Most entities in a memtable have one slice: it stands
/// in the entry, and an entity with one event costs about 90 bytes instead of the 330 that dictionaries and lists of objects take.
/// </remarks>
internal sealed class MemtableIndex
{
    /// <summary>Entries in a segment: above 85,000 bytes, so that it is a large object, which the collector does not move from generation to generation.</summary>
    private const int SegmentEntries = 2048;

    private const int SlotsMin = 64;

    private Entry[][] _segments = [];
    private int[] _byNumber = new int[SlotsMin]; // an entry's place + 1; 0 = free
    private int[] _byTag = new int[SlotsMin];
    private int _count;
    private int _names; // adding thread only

    public int Count => Volatile.Read(ref _count);

    public IEnumerable<long> Entities
    {
        get
        {
            var count = Count;
            for (var place = 0; place < count; place++) yield return At(place).Entity;
        }
    }

    /// <summary>The names in the order in which their entities were first seen.</summary>
    public IEnumerable<MemName> Names
    {
        get
        {
            var count = Count;
            for (var place = 0; place < count; place++)
            {
                var entry = At(place);
                if (entry.NameLength > 0) yield return NameOf(entry);
            }
        }
    }

    public ReadOnlySpan<MemSlice> Slices(long entity)
    {
        ref var entry = ref Find(entity);
        if (Unsafe.IsNullRef(ref entry)) return default;
        return Volatile.Read(ref entry.More) is { } more ? more.Items : MemoryMarshal.CreateReadOnlySpan(ref entry.First, 1);
    }

    public bool TryFindName(long entity, out MemName name)
    {
        ref var entry = ref Find(entity);
        if (Unsafe.IsNullRef(ref entry) || entry.NameLength == 0)
        {
            name = default;
            return false;
        }

        name = NameOf(entry);
        return true;
    }

    /// <summary>The number that a name was given here; of two lives the later.</summary>
    public bool TryFindEntity(NameTag tag, out long entity)
    {
        var slots = Volatile.Read(ref _byTag);
        for (var slot = SlotOf(tag, slots); ; slot = Next(slot, slots))
        {
            var place = Volatile.Read(ref slots[slot]);
            if (place == 0)
            {
                entity = 0;
                return false;
            }

            ref var entry = ref At(place - 1);
            if (entry.Tag != tag) continue;
            entity = entry.Entity;
            return true;
        }
    }

    /// <exception cref="DamagedDataException">The slice does not follow from the one before it.</exception>
    public void Add(long entity, in MemSlice slice, NameTag tag, int nameAt, int nameLength)
    {
        ref var entry = ref Find(entity);
        if (Unsafe.IsNullRef(ref entry))
        {
            AddEntry(new Entry { Entity = entity, First = slice, Tag = tag, NameAt = nameAt, NameLength = nameLength });
            return;
        }

        // Loss would be silent where events are read by seq: asserted here, when a run is written and when a page is read.
        var more = entry.More;
        var due = more is null ? entry.First.NextSeq : more.Items[^1].NextSeq;
        if (slice.FirstSeq != due) throw new DamagedDataException($"A journal has seq {slice.FirstSeq} of an entity where {due} is due.");
        if (more is not null)
        {
            more.Append_WriterThreadOnly(slice);
            return;
        }

        more = new AppendOnlyList<MemSlice>();
        more.Append_WriterThreadOnly(entry.First);
        more.Append_WriterThreadOnly(slice);
        Volatile.Write(ref entry.More, more);
    }

    private void AddEntry(in Entry entry)
    {
        var place = _count;
        if (place / SegmentEntries == _segments.Length)
        {
            Entry[][] longer = [.. _segments, new Entry[SegmentEntries]];
            Volatile.Write(ref _segments, longer);
        }

        _segments[place / SegmentEntries][place % SegmentEntries] = entry;
        if (IsCrowded(place, _byNumber)) Volatile.Write(ref _byNumber, Grown(_byNumber, (in e, slots) => SlotOf(e.Entity, slots)));
        Put(_byNumber, SlotOf(entry.Entity, _byNumber), place);
        if (entry.NameLength > 0)
        {
            if (IsCrowded(_names, _byTag)) Volatile.Write(ref _byTag, Grown(_byTag, (in e, slots) => SlotOf(e.Tag, slots)));
            PutName(entry.Tag, place);
        }

        Volatile.Write(ref _count, place + 1);
    }

    /// <summary>A name that was erased and given again has a later life, which takes the earlier one's slot.</summary>
    private void PutName(NameTag tag, int place)
    {
        var slot = SlotOf(tag, _byTag);
        while (_byTag[slot] != 0 && At(_byTag[slot] - 1).Tag != tag) slot = Next(slot, _byTag);
        if (_byTag[slot] == 0) _names++;
        Volatile.Write(ref _byTag[slot], place + 1);
    }

    private static void Put(int[] slots, int slot, int place)
    {
        while (slots[slot] != 0) slot = Next(slot, slots);
        Volatile.Write(ref slots[slot], place + 1);
    }

    /// <summary>Above three quarters linear probing gets slow.</summary>
    private static bool IsCrowded(int used, int[] slots) => (used + 1) * 4L > slots.Length * 3L;

    private int[] Grown(int[] slots, SlotOfEntry slotOf)
    {
        var larger = new int[slots.Length * 2];
        foreach (var place in slots)
            if (place != 0) Put(larger, slotOf(At(place - 1), larger), place - 1);
        return larger;
    }

    private ref Entry Find(long entity)
    {
        var slots = Volatile.Read(ref _byNumber);
        for (var slot = SlotOf(entity, slots); ; slot = Next(slot, slots))
        {
            var place = Volatile.Read(ref slots[slot]);
            if (place == 0) return ref Unsafe.NullRef<Entry>();
            ref var entry = ref At(place - 1);
            if (entry.Entity == entity) return ref entry;
        }
    }

    private ref Entry At(int place) => ref Volatile.Read(ref _segments)[place / SegmentEntries][place % SegmentEntries];

    private static MemName NameOf(in Entry entry) => new(entry.Entity, entry.Tag, entry.First.Row.Chunk, entry.NameAt, entry.NameLength);

    // Numbers come in sequence: the multiplication by 2^64 over the golden ratio spreads them (Knuth, vol. 3, 6.4).
    private static int SlotOf(long entity, int[] slots) => (int)((ulong)entity * 0x9E3779B97F4A7C15 >> (64 - BitOperations.Log2((uint)slots.Length)));

    private static int SlotOf(NameTag tag, int[] slots) => (int)(tag.High & (ulong)(slots.Length - 1));

    private static int Next(int slot, int[] slots) => (slot + 1) & (slots.Length - 1);

    private delegate int SlotOfEntry(in Entry entry, int[] slots);

    private struct Entry
    {
        public long Entity;
        public MemSlice First;
        public AppendOnlyList<MemSlice>? More; // all slices, the first included, once there are two
        public NameTag Tag;
        public int NameAt;
        public int NameLength;
    }
}
