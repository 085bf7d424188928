using System.Text;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Tests.Storage;

/// <summary>
/// Random runs, merged and rewritten over and over in random neighbourhoods with random erasures: whatever is asked of them afterwards, they answer
/// as plain lists do.
/// </summary>
internal sealed class RunMergeModel : IDisposable
{
    private const int Entities = 10;
    private const int RunsAtStart = 7;
    private const long IdSeed = 77;
    private static readonly byte[] Secret = Encoding.ASCII.GetBytes("a secret of thirty-two bytes, ok");

    private readonly Random _random;
    private readonly string _directory;
    private readonly List<Run> _runs = [];
    private readonly Dictionary<long, List<StoredOne>> _events = [];
    private readonly Dictionary<long, byte[]> _names = [];
    private readonly Dictionary<(long Entity, string Aggregate), long> _states = [];
    private readonly HashSet<long> _erased = [];
    private long _nextFile;
    private long _position = 1;
    private long _ms = 1_700_000_000_000;
    private long _lastEntity;

    private RunMergeModel(int seed, string directory) => (_random, _directory) = (new Random(seed), directory);

    /// <summary>Builds and checks; throws where an answer is another.</summary>
    public static void Check(int seed, string directory)
    {
        using var model = new RunMergeModel(seed, directory);
        for (var i = 0; i < RunsAtStart; i++) model.Seal();
        model.CheckAll();
        while (model._runs.Count > 1)
        {
            if (model._random.Next(3) == 0) model.Erase(model._random.NextInt64(1, model._lastEntity + 1));
            if (model._random.Next(4) == 0) model.Seal();
            model.Merge();
            model.CheckAll();
        }
    }

    public void Dispose()
    {
        foreach (var run in _runs) run.Dispose();
    }

    /// <summary>A life and those of the same name before it: a name has no later life before its earlier ones are erased.</summary>
    private void Erase(long entity) => _erased.UnionWith(_names.Where(n => n.Key <= entity && n.Value.SequenceEqual(_names[entity])).Select(n => n.Key));

    private void Seal()
    {
        var (first, firstMs) = (_position, _ms);
        var slices = new SortedDictionary<long, List<(StoredOne First, byte[] Events, int Count)>>();
        var names = new SortedDictionary<long, byte[]>();
        for (var appends = _random.Next(1, 40); appends > 0; appends--) Append(slices, names);
        using (var builder = new RunBuilder(_directory, ++_nextFile, IdSeed, new RunBases(first, firstMs)))
        {
            foreach (var (entity, name) in names) builder.AddName(entity, NameTag.Of(name, Secret), name);
            foreach (var (entity, of) in slices)
            {
                foreach (var (one, events, count) in of)
                {
                    builder.Add(entity, new EntitySlice
                    {
                        FirstSeq = one.Seq,
                        Count = count,
                        FirstPosition = one.Position,
                        CommittedMs = one.Ms,
                        IndexInAppend = 0,
                        Key = Encoding.ASCII.GetBytes(one.Key),
                        Events = events,
                    });
                }
            }

            foreach (var entity in slices.Keys) AddStates(builder, entity);
            builder.Finish(_position - 1, _ms);
        }

        _runs.Add(Open(_nextFile));
    }

    private void Append(SortedDictionary<long, List<(StoredOne First, byte[] Events, int Count)>> slices, SortedDictionary<long, byte[]> names)
    {
        var entity = _random.NextInt64(1, Entities + 1);
        if (entity > _lastEntity)
        {
            entity = ++_lastEntity;
            // Two lives of one name may stand side by side until the first is rewritten: the later is found.
            names[entity] = _names[entity] = Encoding.UTF8.GetBytes($"user/{entity % (Entities - 2)}");
            _events[entity] = [];
        }

        if (_erased.Contains(entity)) return;
        var count = _random.Next(1, 4);
        var events = new List<byte>();
        var key = _random.Next(4) == 0 ? $"key-{_position}" : "";
        var stored = _events[entity];
        var first = stored.Count;
        for (var i = 0; i < count; i++)
        {
            var record = Record(_random.Next(3) == 0 && key.Length == 0 ? $"id-{_position}-{i}" : "");
            stored.Add(new StoredOne(stored.Count + 1, _position + i, _ms, i, key, Convert.ToHexString(record)));
            events.AddRange(record);
        }

        if (!slices.TryGetValue(entity, out var of)) slices[entity] = of = [];
        of.Add((stored[first], [.. events], count));
        _position += count + (_random.Next(5) == 0 ? 1 : 0); // a fence in between
        _ms += _random.Next(3);
    }

    private byte[] Record(string id)
    {
        // Now and then so large that a piece is filled or split.
        var size = _random.Next(20) == 0 ? _random.Next(Piece.RawBytesMax / 3, Piece.RawBytesMax) : _random.Next(300);
        var noise = new byte[size];
        _random.NextBytes(noise);
        var payload = Encoding.ASCII.GetBytes($$"""{"x":"{{(_random.Next(2) == 0 ? new string('x', size) : Convert.ToHexString(noise))}}"}""");
        var e = new EventFields
        {
            Type = "Changed"u8,
            Payload = payload,
            Id = Encoding.ASCII.GetBytes(id),
            Aggregate = _random.Next(3) == 0 ? "Other"u8 : default,
            SchemaVersion = 1,
        };
        var record = new byte[EventRecord.SizeMax(e)];
        return record[..EventRecord.Write(record, e)];
    }

    private void AddStates(RunBuilder builder, long entity)
    {
        foreach (var aggregate in new[] { "A", "B" })
        {
            if (_random.Next(2) == 0) continue;
            var seq = _events[entity].Count;
            var state = new StateBody { Seq = seq, LastMs = _ms, Flags = 0, Fingerprint = 5, Aggregate = Encoding.ASCII.GetBytes(aggregate), State = "{}"u8 };
            var body = new byte[state.Size];
            state.Write(body);
            builder.AddState(entity, body);
            _states[(entity, aggregate)] = seq;
        }
    }

    private void Merge()
    {
        var first = _random.Next(_runs.Count);
        var count = _random.Next(1, Math.Min(4, _runs.Count - first) + 1);
        var inputs = _runs.GetRange(first, count);
        var readers = inputs.ConvertAll(run => new RunReader(run.Path));
        var bases = new RunBases(readers[0].Meta.FirstPosition, readers.Min(reader => reader.Meta.BaseMs));
        using (var builder = new RunBuilder(_directory, ++_nextFile, IdSeed, bases, compresses: true))
        using (var merger = new RunMerger(readers, _erased, Secret, builder, () => true))
            merger.Merge().ShouldBeTrue();
        foreach (var reader in readers) reader.Dispose();
        foreach (var input in inputs) input.Dispose();
        _runs.RemoveRange(first, count);
        _runs.Insert(first, Open(_nextFile));
        foreach (var entity in _erased)
            _runs[first].Read(entity, static (reader, entity) => reader.LastSeq(entity) == 0 && !reader.HoldsName(entity)).ShouldBeTrue("what was erased is in no new run");
    }

    private Run Open(long id) => Run.Open(_directory, id, e => throw e);

    private void CheckAll()
    {
        for (var i = 1; i < _runs.Count; i++) _runs[i].FirstPosition.ShouldBeGreaterThan(_runs[i - 1].LastPosition);
        for (var entity = 1L; entity <= _lastEntity; entity++)
            if (!_erased.Contains(entity)) CheckEntity(entity);
        CheckNames();
    }

    private void CheckEntity(long entity)
    {
        var expected = _events[entity];
        Read(entity, 1, long.MaxValue, false).ShouldBe(expected);
        Read(entity, 1, long.MaxValue, true).ShouldBe(Enumerable.Reverse(expected));
        if (expected.Count == 0) return;
        var from = _random.Next(1, expected.Count + 1);
        var to = _random.Next(from, expected.Count + 1);
        var descending = _random.Next(2) == 0;
        var due = expected.Where(e => e.Seq >= from && e.Seq <= to);
        Read(entity, from, to, descending).Where(e => e.Seq >= from && e.Seq <= to).ShouldBe(descending ? due.Reverse() : due);
        _runs.Max(run => run.Read(entity, static (reader, entity) => reader.LastSeq(entity))).ShouldBe(expected.Count);
        CheckSummaryAndIds(entity, expected);
        foreach (var aggregate in new[] { "A", "B" })
        {
            var known = _states.GetValueOrDefault((entity, aggregate));
            var found = _runs.Max(run => run.Read(entity, (reader, of) => reader.FindState(of, Encoding.ASCII.GetBytes(aggregate), 5, long.MaxValue)?.Seq ?? 0));
            found.ShouldBe(known, $"state {aggregate} of {entity}");
        }
    }

    private void CheckSummaryAndIds(long entity, List<StoredOne> expected)
    {
        var summary = new EntitySummary();
        var ids = new SortedSet<(ulong Hash, long Seq)>();
        foreach (var run in _runs)
        {
            run.Read(entity, (reader, of) =>
            {
                reader.Summarize(of, summary);
                reader.VisitIds(of, (hash, seq) => ids.Add((hash, seq)));
                return true;
            });
        }

        (summary.LastSeq, summary.FirstMs, summary.LastMs).ShouldBe((expected.Count, expected[0].Ms, expected[^1].Ms));
        summary.Aggregates.Order(StringComparer.Ordinal).ShouldBe(expected.Select(e => e.Aggregate()).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
        ids.ShouldBe(expected.SelectMany(e => e.Ids(IdSeed)).Order());
    }

    private void CheckNames()
    {
        foreach (var name in _names.Values.DistinctBy(Convert.ToHexString, StringComparer.Ordinal))
        {
            var due = _names.Where(n => n.Value.SequenceEqual(name) && !_erased.Contains(n.Key)).Select(n => n.Key).DefaultIfEmpty().Max();
            var tag = NameTag.Of(name, Secret);
            var found = _runs.Where(run => run.MayHold(tag)).Select(run => run.Read(name, (reader, sought) => reader.FindName(tag, sought))).DefaultIfEmpty().Max();
            if (due != 0) found.ShouldBe(due, "a name's newest life is found");
        }
    }

    private List<StoredOne> Read(long entity, long from, long to, bool descending)
    {
        var visitor = new Collector([], descending);
        foreach (var run in descending ? Enumerable.Reverse(_runs) : _runs)
        {
            run.Read((entity, from, to, visitor), static (reader, of) =>
            {
                var visitor = of.visitor;
                return reader.Visit(of.entity, of.from, of.to, visitor.Descending, ref visitor);
            });
        }

        return visitor.Events;
    }

    private readonly record struct Collector(List<StoredOne> Events, bool Descending) : ISliceVisitor
    {
        public bool Visit(in EntitySlice slice)
        {
            var rest = slice.Events;
            var of = new List<StoredOne>();
            for (var i = 0; i < slice.Count; i++)
            {
                var record = Convert.ToHexString(EventRecord.Skip(ref rest));
                of.Add(new StoredOne(slice.FirstSeq + i, slice.FirstPosition + i, slice.CommittedMs, slice.IndexInAppend + i, Encoding.ASCII.GetString(slice.Key), record));
            }

            if (Descending) of.Reverse();
            Events.AddRange(of);
            return true;
        }
    }

    private sealed record StoredOne(long Seq, long Position, long Ms, int Index, string Key, string Record)
    {
        public string Aggregate()
        {
            ReadOnlySpan<byte> record = Convert.FromHexString(Record);
            return Encoding.UTF8.GetString(EventRecord.Read(ref record).Aggregate);
        }

        public List<(ulong Hash, long Seq)> Ids(long seed)
        {
            ReadOnlySpan<byte> record = Convert.FromHexString(Record);
            var id = EventRecord.Read(ref record).Id;
            var ids = new List<(ulong Hash, long Seq)>();
            if (!id.IsEmpty) ids.Add((EventIdHash.OfId(id, seed), Seq));
            if (Key.Length > 0 && Index == 0) ids.Add((EventIdHash.OfKey(Encoding.ASCII.GetBytes(Key), seed), Seq));
            return ids;
        }
    }
}
