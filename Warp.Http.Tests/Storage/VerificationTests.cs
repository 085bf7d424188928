using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>The course of a verification: what it reports, who joins and stops it, and that it finds nothing wrong beside work that goes on.</summary>
public sealed class VerificationTests(FourShards sample) : IClassFixture<FourShards>, IDisposable
{
    private const string AggregateFile = Warp.Http.Aggregates.AggregateCatalog.FileName;
    private readonly TempDirectory _directory = new("verify");

    private string Data => _directory.File("data");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task An_undamaged_store_is_ok_and_the_report_counts_what_it_has()
    {
        using var fixture = FourShards.Open(sample.CopyTo(Data));
        fixture.Store.Verification.Latest.ShouldBeNull();
        var report = await fixture.Store.Verification.RunAsync();

        report.Problems.ShouldBeEmpty();
        (report.Status, report.Percent).ShouldBe((VerifyStatus.Ok, 100));
        report.Shards.Select(s => s.Shard).ShouldBe([0, 1, 2, 3]);
        report.Shards.Sum(s => s.Events).ShouldBe(sample.Events);
        report.Shards.Sum(s => s.Entities).ShouldBe(sample.Entities);
        report.Bytes.ShouldBe(report.BytesTotal);
        report.Shards.ShouldAllBe(s => s.Status == VerifyStatus.Ok && s.Files > 2 && s.Bytes > 0);
        fixture.Store.Verification.Latest.ShouldBe(report);
        fixture.Store.Troubles.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("manifest.json")]
    [InlineData("keys/names.key")]
    [InlineData(AggregateFile)]
    public async Task A_file_of_the_whole_store_is_named_and_the_shards_go_on(string file)
    {
        using var fixture = FourShards.Open(sample.CopyTo(Data));
        fixture.Store.Verification.Include(AggregateFile, fixture.Definitions.Check);
        (await fixture.Store.Verification.RunAsync()).Status.ShouldBe(VerifyStatus.Ok);
        File.Delete(Path.Combine(Data, file));
        var missing = await fixture.Store.Verification.RunAsync();
        missing.Problems.ShouldHaveSingleItem().ShouldBe(new VerifyProblem(null, file, "", missing.Problems[0].What));
        fixture.Store.Troubles.ShouldHaveSingleItem().ShouldContain(file);
        fixture.Store.AllShards.ToArray().ShouldAllBe(s => s.Damage == null);
    }

    [Fact]
    public async Task Who_asks_while_one_runs_joins_it_and_it_can_be_stopped()
    {
        using var fixture = FourShards.Open(sample.CopyTo(Data));
        var verification = fixture.Store.Verification;
        using var reached = new ManualResetEventSlim();
        using var gate = new ManualResetEventSlim();
        verification.Include("gate", () =>
        {
            reached.Set();
            gate.Wait(TimeSpan.FromSeconds(30));
            return null;
        });
        (await verification.StopAsync()).ShouldBeNull();
        var first = verification.RunAsync();
        reached.Wait(TimeSpan.FromSeconds(30)).ShouldBeTrue();
        verification.RunAsync().ShouldBeSameAs(first);
        verification.Latest!.Status.ShouldBe(VerifyStatus.Running);
        var stopping = verification.StopAsync();
        gate.Set();
        (await stopping)!.Status.ShouldBe(VerifyStatus.Stopped);
        (await first).ShouldBeSameAs(await stopping);
        verification.Latest.ShouldBeSameAs(await first);
        (await verification.RunAsync()).Status.ShouldBe(VerifyStatus.Ok);
    }

    [Fact]
    public async Task Nothing_is_found_while_appends_seals_merges_and_erasures_go_on()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(
            _directory.File("busy"), sealBytes: 64 * 1024, sealAfter: TimeSpan.FromMilliseconds(50), mergeFanOut: 2));
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(TestRun.Rounds("WARP_TEST_SECONDS", 3)));
        var work = Enumerable.Range(0, 4).Select(entity => Task.Run(async () =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                var append = new TestAppend(
                    $"busy/{entity}-{i % 50}", [new TestEvent("Moved", "{\"a\":1}", i % 3 == 0 ? $"id-{entity}-{i}" : null), new TestEvent("Moved")], Recreate: true);
                (await fixture.AppendAsync(append)).Status.ShouldBe(AppendStatus.Appended);
                if (i % 40 == 39) (await fixture.EraseAsync($"busy/{entity}-{i % 50}")).ShouldNotBeNull();
            }
        })).ToList();
        var verified = 0;
        work.Add(Task.Run(async () =>
        {
            for (; !stop.IsCancellationRequested; verified++)
            {
                var report = await fixture.Store.Verification.RunAsync();
                report.Problems.ShouldBeEmpty();
            }
        }));
        await Task.WhenAll(work);
        verified.ShouldBeGreaterThan(0);
        (await fixture.Store.Verification.RunAsync()).Status.ShouldBe(VerifyStatus.Ok);
        fixture.Store.Troubles.ShouldBeEmpty();
    }

    /// <summary>What was checked in the first of two journals comes again in a run that holds both: its entities' seqs are known by then.</summary>
    [Fact]
    public async Task A_journal_that_was_checked_may_be_sealed_with_its_neighbour_before_that_is_looked_at()
    {
        using var gate = new WriterGate();
        StoreFixture? opened = null;
        var seals = 0;
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.File("neighbours"), step =>
        {
            gate.AtStep(step);
            if (step != StoreStep.Verifying || Volatile.Read(ref opened) is not { } store || !store.Store.Verification.Latest!.Phase.StartsWith("journals", StringComparison.Ordinal)
                || Interlocked.Exchange(ref seals, 1) != 0) return;
            gate.Refuse(StoreStep.RunBuilt, times: 0);
            store.Shard.MaintenanceDue();
            SpinWait.SpinUntil(() => store.View.Runs.Length == 1, TimeSpan.FromSeconds(30)).ShouldBeTrue();
        }));
        gate.Refuse(StoreStep.RunBuilt, int.MaxValue);
        for (var journal = 0; journal < 2; journal++)
        {
            for (var i = 0; i < 3; i++) (await fixture.AppendAsync($"next/{i}", new TestEvent("Moved"), new TestEvent("Moved"))).Status.ShouldBe(AppendStatus.Appended);
            await fixture.RotateAsync();
        }

        fixture.View.Memtables.Length.ShouldBe(3);
        Volatile.Write(ref opened, fixture);
        var report = await fixture.Store.Verification.RunAsync();

        report.Problems.ShouldBeEmpty();
        Volatile.Read(ref seals).ShouldBe(1);
        fixture.View.Runs.ShouldHaveSingleItem().FirstPosition.ShouldBe(1, "one run of both");
    }
}
