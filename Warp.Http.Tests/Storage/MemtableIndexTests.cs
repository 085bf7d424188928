using Warp.Http.Storage;

namespace Warp.Http.Tests.Storage;

/// <summary>The index over a memtable: one thread adds, others read meanwhile.</summary>
public sealed class MemtableIndexTests
{
    private static readonly byte[] Chunk = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];

    [Fact]
    public void It_finds_what_a_dictionary_finds()
    {
        var random = TestRun.Random();
        var index = new MemtableIndex();
        var seqs = new Dictionary<long, int>();
        var tags = new Dictionary<NameTag, long>();
        var names = new List<long>();
        long number = random.Next(1_000_000);
        for (var i = 0; i < 50_000; i++)
        {
            var isNew = seqs.Count == 0 || random.Next(3) == 0;
            var entity = isNew ? ++number : number - random.Next(Math.Min(seqs.Count, 1000));
            var named = isNew && random.Next(4) != 0;

            // A name that was erased and given again has the same tag and a later number; low bits collide on purpose.
            var tag = named ? new NameTag((ulong)random.Next(2000) << 3, (ulong)random.Next(30)) : default;
            seqs.TryGetValue(entity, out var seq);
            index.Add(entity, Slice(seq + 1), tag, nameAt: (int)(entity & 127), nameLength: named ? 2 : 0);
            seqs[entity] = seq + 1;
            if (!named) continue;
            tags[tag] = entity;
            names.Add(entity);
        }

        index.Count.ShouldBe(seqs.Count);
        index.Entities.Order().ShouldBe(seqs.Keys.Order());
        index.Names.Select(n => n.Entity).ShouldBe(names);
        foreach (var (entity, seq) in seqs)
        {
            var slices = index.Slices(entity);
            slices.Length.ShouldBe(seq);
            for (var i = 0; i < seq; i++) slices[i].FirstSeq.ShouldBe(i + 1);
            if (index.TryFindName(entity, out var name)) name.Name[0].ShouldBe((byte)(entity & 127));
        }

        foreach (var (tag, entity) in tags)
        {
            index.TryFindEntity(tag, out var found).ShouldBeTrue();
            found.ShouldBe(entity, "of two lives the later");
        }

        index.Slices(number + 1).IsEmpty.ShouldBeTrue();
        index.TryFindEntity(new NameTag(1, 1), out _).ShouldBeFalse();
    }

    [Fact]
    public void A_slice_that_does_not_follow_is_refused()
    {
        var index = new MemtableIndex();
        index.Add(7, Slice(3), default, 0, 0);
        Should.Throw<DamagedDataException>(() => index.Add(7, Slice(5), default, 0, 0));
        index.Add(7, Slice(4), default, 0, 0);
        Should.Throw<DamagedDataException>(() => index.Add(7, Slice(4), default, 0, 0));
    }

    [Fact]
    public async Task Readers_beside_the_writer_see_everything_that_was_there_when_they_looked()
    {
        const int Entities = 20_000;
        var index = new MemtableIndex();
        var added = 0;
        var readers = Enumerable.Range(0, 3).Select(seed => Task.Run(() =>
        {
            var random = new Random(seed);
            int there;
            do
            {
                there = Volatile.Read(ref added);
                if (there == 0) continue;
                var entity = random.Next(1, there + 1);
                var slices = index.Slices(entity);
                if (slices.Length == 0 || slices[0].FirstSeq != 1) throw new ShouldAssertException($"{entity} of {there} is not seen.");
                for (var i = 1; i < slices.Length; i++)
                    if (slices[i].FirstSeq != i + 1) throw new ShouldAssertException($"{entity} has a hole.");
                if (!index.TryFindEntity(Tag(entity), out var found) || found != entity) throw new ShouldAssertException($"The name of {entity} is not seen.");
            }
            while (there < Entities);
        })).ToArray();
        for (var entity = 1; entity <= Entities; entity++)
        {
            for (var seq = 1; seq <= 1 + (entity % 3); seq++) index.Add(entity, Slice(seq), Tag(entity), 0, seq == 1 ? 1 : 0);
            Volatile.Write(ref added, entity);
        }

        await Task.WhenAll(readers);
    }

    private static NameTag Tag(long entity) => new((ulong)entity * 0x9E3779B97F4A7C15, (ulong)entity);

    private static MemSlice Slice(long firstSeq) =>
        new(new MemRow(Chunk, 0, Chunk.Length, 1, 1, 0), bodyAt: 200, bodyLength: 10, keyLength: 5, count: 1, firstSeq, positionInRow: 0);
}
