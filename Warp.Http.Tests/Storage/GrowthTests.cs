using System.Collections.Concurrent;
using System.Globalization;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>What a store costs as it grows, at a size that a test has time for; <c>bench -- growth</c> measures the same at twenty million events.</summary>
public sealed class GrowthTests : IDisposable
{
    /// <summary>As in the long form: the payload alone is what a caller wanted to store.</summary>
    private const int PayloadBytes = 71;
    private const int EventsPerEntity = 10;
    private const int InFlight = 8192; // and as many in a run: 16 of them are merged
    private const double WrittenPerPayloadByteMax = 5;
    private const double ReadsPerNewEntityMax = 0.05;

    private const string OwnIo = "/proc/thread-self/io";

    private readonly TempDirectory _directory = new("growth");
    private readonly ConcurrentDictionary<int, long> _written = new(); // of each of the store's threads, as of its last step
    private int _merges;

    public void Dispose() => _directory.Dispose();

    /// <summary>Journal, mark, catalog, seals and merges together: what the store's threads wrote by calls, since other tests write beside them.</summary>
    [Fact]
    public async Task An_event_is_written_a_few_times_over_however_many_there_are()
    {
        Assert.SkipUnless(File.Exists(OwnIo), "The system does not say what a thread has written.");
        var events = TestRun.Rounds("WARP_TEST_GROWTH", 20) * InFlight;
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path, AtStep, sealBytes: 4 << 20, durability: Durability.Fsync));
        for (var from = 0; from < events; from += InFlight)
        {
            var appends = Enumerable.Range(from, InFlight).Select(i => fixture.AppendAsync($"user/u{i * 15_485_863L % (events / EventsPerEntity)}", Event(i))).ToList();
            foreach (var append in appends) (await append).Status.ShouldBe(AppendStatus.Appended);
            await fixture.SealAsync();
        }

        await Eventually.BecomesTrueAsync("all is sealed and merged", () => fixture.View.Memtables.Length == 1 && fixture.Shard.IsRewriterIdle && _merges > 0, TimeSpan.FromSeconds(60));
        var written = _written.Values.Sum() / ((double)events * PayloadBytes);
        TestContext.Current.TestOutputHelper?.WriteLine($"{written:0.00} bytes written for a payload byte; {_merges} merges, {fixture.View.Runs.Length} runs");

        written.ShouldBeInRange(2, WrittenPerPayloadByteMax, "less than journal and run would mean that not all is counted");
    }

    [Fact]
    public async Task A_new_entity_costs_hardly_a_read_of_a_run()
    {
        const int Runs = 12;
        const int PerRun = 300;
        const int New = 2000;
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path));
        for (var run = 0; run < Runs; run++)
        {
            await Task.WhenAll(Enumerable.Range(run * PerRun, PerRun).Select(i => fixture.AppendAsync($"user/u{i}", Event(i))));
            await fixture.SealAsync();
        }

        await Eventually.BecomesTrueAsync("nothing is merged", () => fixture.Shard.IsRewriterIdle);
        var runs = fixture.View.Runs;
        runs.Length.ShouldBe(Runs);
        var before = runs.Sum(run => run.Reads);
        await Task.WhenAll(Enumerable.Range(0, New).Select(i => fixture.AppendAsync($"new/u{i}", Event(i))));

        var reads = (runs.Sum(run => run.Reads) - before) / (double)New;
        TestContext.Current.TestOutputHelper?.WriteLine($"{reads:0.0000} reads of runs for a new entity");
        reads.ShouldBeLessThanOrEqualTo(ReadsPerNewEntityMax);
        await fixture.HistoryAsync("user/u0");
        runs.Sum(run => run.Reads).ShouldBeGreaterThan(before, "reads are counted");
    }

    /// <summary>Fields that differ and a text that half repeats itself, of 71 bytes.</summary>
    private static TestEvent Event(int number) => new("Credited", string.Create(CultureInfo.InvariantCulture,
        $$"""{"amount":{{10_000 + (number * 7919L % 90_000)}},"balance":{{1_000_000 + (number * 104_729L % 9_000_000)}},"ref":"invoice/2026-11/{{(ulong)number * 2_654_435_761 % 0xffff_ffff_ffff:x12}}"}"""));

    private void AtStep(StoreStep step)
    {
        if (step is StoreStep.Merging or StoreStep.Verifying) return; // too often; what they write is seen at the next step
        if (step == StoreStep.Merged) _merges++;
        if (Thread.CurrentThread.Name?.StartsWith("warp-", StringComparison.Ordinal) != true) return; // what others wrote before was not for this store
        foreach (var line in File.ReadLines(OwnIo))
            if (line.StartsWith("wchar: ", StringComparison.Ordinal)) _written[Environment.CurrentManagedThreadId] = long.Parse(line["wchar: ".Length..], CultureInfo.InvariantCulture);
    }
}
