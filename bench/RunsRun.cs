using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Bench;

/// <summary>
/// Seals and merges runs of generated events on one thread: processor time of a seal, rate of a merge, bytes on disk before and after against the
/// events' JSON, and what a read costs over many runs and over one.
/// </summary>
internal static class RunsRun
{
    private const int Runs = 16;
    private const int EventsPerRun = 330_000; // some 32 MB of journal
    private const int Reads = 2_000;

    /// <summary><c>runs [entities]</c>.</summary>
    public static int Run(string[] args)
    {
        var entities = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 2_000_000;
        var directory = Directory.CreateTempSubdirectory("warp-runs-").FullName;
        var random = new Random(1);
        var secret = RandomNumberGenerator.GetBytes(32);
        var seqs = new int[entities];
        var runs = new List<Run>();
        long json = 0, position = 1;
        for (var i = 0; i < Runs; i++)
        {
            var slices = Generate(random, entities, seqs, position, ref json);
            var names = Names(slices);
            var order = Enumerable.Range(0, slices.Length).OrderBy(i => slices[i].Entity).ThenBy(i => slices[i].Seq).ToArray();
            var cpu = CpuMs();
            runs.Add(Seal(directory, i + 1, slices, names, order, position));
            Say($"seal {i + 1}: {slices.Length:N0} events, {names.Length:N0} new entities, {runs[^1].Bytes >> 10:N0} KiB, {CpuMs() - cpu:N0} ms of processor");
            position += slices.Length;
        }

        var events = position - 1;
        var sealedBytes = runs.Sum(run => run.Bytes);
        Say($"sealed: {(double)sealedBytes / events:N1} B an event, {(double)sealedBytes / json:N2} of its JSON; {Us(runs, entities):N0} us a read of an entity");
        var before = CpuMs();
        var merged = Merge(directory, Runs + 1, secret, runs);
        var ms = CpuMs() - before;
        Say($"merged {Runs} runs in {ms:N0} ms of processor: {events / ms:N0} events/ms, {sealedBytes / 1024 / 1.024 / ms:N0} MB/s read");
        Say($"merged: {(double)merged.Bytes / events:N1} B an event, {(double)merged.Bytes / json:N2} of its JSON; {Us([merged], entities):N0} us a read of an entity");
        foreach (var run in runs) run.Dispose();
        merged.Dispose();
        Directory.Delete(directory, recursive: true);
        return 0;
    }

    private static (int Entity, int Seq, byte[] Events)[] Generate(Random random, int entities, int[] seqs, long position, ref long json)
    {
        var slices = new (int Entity, int Seq, byte[] Events)[EventsPerRun];
        var buffer = new byte[1024];
        for (var i = 0; i < slices.Length; i++)
        {
            var entity = random.Next(entities);
            var payload = Encoding.UTF8.GetBytes(string.Create(
                CultureInfo.InvariantCulture, $$"""{"orderId":{{position + i}},"amount":{{random.Next(100_000)}},"currency":"EUR","note":"n{{random.Next(1000)}}"}"""));
            json += payload.Length + """{"type":"Credited","payload":}""".Length;
            var length = EventRecord.Write(buffer, new EventFields { Type = "Credited"u8, Payload = payload, SchemaVersion = 1 });
            slices[i] = (entity + 1, ++seqs[entity], buffer[..length]);
        }

        return slices;
    }

    private static (int Entity, byte[] Name)[] Names((int Entity, int Seq, byte[] Events)[] slices) =>
        [.. slices.Where(s => s.Seq == 1).Select(s => s.Entity).Order().Select(e => (e, Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"user/u{e:D8}"))))];

    private static Run Seal(
        string directory, long id, (int Entity, int Seq, byte[] Events)[] slices, (int Entity, byte[] Name)[] names, int[] order, long position)
    {
        using (var builder = new RunBuilder(directory, id, 1, new RunBases(position, 1_000_000)))
        {
            foreach (var (entity, name) in names) builder.AddName(entity, new NameTag(System.IO.Hashing.XxHash3.HashToUInt64(name), 0), name);
            foreach (var i in order)
            {
                builder.Add(slices[i].Entity, new EntitySlice
                {
                    FirstSeq = slices[i].Seq,
                    Count = 1,
                    FirstPosition = position + i,
                    CommittedMs = 1_000_000 + ((position + i) / 100),
                    IndexInAppend = 0,
                    Key = default,
                    Events = slices[i].Events,
                });
            }

            builder.Finish(position + slices.Length - 1, 1_000_000 + ((position + slices.Length) / 100));
        }

        return Storage.Run.Open(directory, id, e => throw e);
    }

    private static Run Merge(string directory, long id, byte[] secret, List<Run> runs)
    {
        var readers = runs.ConvertAll(run => new RunReader(run.Path));
        using (var builder = new RunBuilder(directory, id, 1, readers[0].Meta.Bases, compresses: true))
        using (var merger = new RunMerger(readers, new HashSet<long>(), secret, builder, () => true))
            if (!merger.Merge()) throw new InvalidOperationException("The merge stopped.");
        foreach (var reader in readers) reader.Dispose();
        return Storage.Run.Open(directory, id, e => throw e);
    }

    private static double Us(List<Run> runs, int entities)
    {
        var random = new Random(2);
        var visitor = default(Counter);
        var started = Stopwatch.GetTimestamp();
        for (var i = 0; i < Reads; i++)
        {
            var entity = random.Next(entities) + 1L;
            foreach (var run in runs)
            {
                var read = new Reading(entity, ref visitor);
                run.Read(read, static (reader, r) => reader.Visit(r.Entity, 1, long.MaxValue, descending: false, ref r.Visitor));
            }
        }

        return Stopwatch.GetElapsedTime(started).TotalMicroseconds / Reads;
    }

    private static double CpuMs() => Environment.CpuUsage.TotalTime.TotalMilliseconds;

    private static void Say(FormattableString line) => Console.WriteLine(FormattableString.Invariant(line));

    private readonly ref struct Reading(long entity, ref Counter visitor)
    {
        public readonly long Entity = entity;
        public readonly ref Counter Visitor = ref visitor;
    }

    private struct Counter : ISliceVisitor
    {
        private int _events;

        public bool Visit(in EntitySlice slice)
        {
            _events += slice.Count;
            return true;
        }
    }
}
