using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>
/// Readers page on while journals are begun, sealed and rewritten under them: every page is whole and the one that was written.
/// </summary>
public sealed class ReadersBesideMaintenanceTests : IDisposable
{
    private const int Entities = 6;
    private static readonly TimeSpan Duration = TimeSpan.FromSeconds(4);
    private readonly TempDirectory _directory = new("seam");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Pages_are_gapless_and_equal_while_everything_beneath_them_moves()
    {
        var random = TestRun.Random();
        var merges = 0;
        using var fixture = new StoreFixture(StoreFixture.Small(
            _directory.Path, step => merges += step == StoreStep.Merged ? 1 : 0, sealBytes: 2_000, sealAfter: TimeSpan.FromMilliseconds(5), mergeFanOut: 3));
        var written = new long[Entities];
        using var stop = new CancellationTokenSource(Duration);
        var work = new List<Task>();
        for (var i = 0; i < Entities; i++)
        {
            var entity = i;
            work.Add(Task.Run(() => WriteAsync(fixture, entity, written, stop.Token)));
            work.Add(Task.Run(() => ReadAsync(fixture, new Random(random.Next()), entity, written, stop.Token)));
        }

        // Each erasure has the runs that held the life written again, behind the readers of the others.
        var erasures = 0;
        work.Add(Task.Run(async () =>
        {
            for (; !stop.IsCancellationRequested; erasures++)
            {
                (await fixture.AppendAsync(new TestAppend($"gone/{erasures}", [new TestEvent("Created")]))).Status.ShouldBe(
                    AppendStatus.Appended);
                (await fixture.EraseAsync($"gone/{erasures}"))!.Complete.ShouldBeTrue();
            }
        }));
        await Task.WhenAll(work);

        fixture.Store.Troubles.ShouldBeEmpty();
        await Eventually.BecomesTrueAsync("runs were merged", () => Volatile.Read(ref merges) > 1);
        erasures.ShouldBeGreaterThan(0);
        for (var i = 0; i < Entities; i++) (await fixture.HistoryAsync($"seam/{i}"))!.Count.ShouldBe((int)written[i]);
    }

    [Fact]
    public async Task A_retired_run_is_unlinked_once_its_last_reader_is_done()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path));
        await fixture.AppendAsync("user/1", new TestEvent("Created"));
        await fixture.AppendAsync("user/2", new TestEvent("Created"));
        await fixture.SealAsync();
        var run = fixture.View.Runs[0];
        var lease = fixture.Shard.Views.Lease();
        var erasing = Task.Run(() => fixture.EraseAsync("user/1"));
        await Eventually.BecomesTrueAsync("the run is replaced", () => !fixture.View.Runs.Contains(run));

        File.Exists(run.Path).ShouldBeTrue();
        erasing.IsCompleted.ShouldBeFalse("what somebody still reads is not erased");
        lease.Dispose();

        (await erasing.WaitAsync(TimeSpan.FromSeconds(10)))!.Complete.ShouldBeTrue();
        File.Exists(run.Path).ShouldBeFalse();
    }

    [Fact]
    public async Task A_replaced_run_that_cannot_be_unlinked_keeps_its_erasure_from_being_complete()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path));
        await fixture.AppendAsync("user/1", new TestEvent("Created"));
        await fixture.AppendAsync("user/2", new TestEvent("Created"));
        await fixture.SealAsync();
        var run = fixture.View.Runs[0];
        var lease = fixture.Shard.Views.Lease();
        var erasing = Task.Run(() => fixture.EraseAsync("user/1"));
        await Eventually.BecomesTrueAsync("the run is replaced", () => !fixture.View.Runs.Contains(run));
        // A directory of that name can't be unlinked, whoever tries: it stands for a file that the system refuses to let go of.
        File.Move(run.Path, run.Path + ".held");
        Directory.CreateDirectory(run.Path);
        lease.Dispose();

        await Eventually.BecomesTrueAsync("it was tried again and failed", () => fixture.Store.Troubles.Any(t => t.Contains("Merging or erasing failed", StringComparison.Ordinal)), TimeSpan.FromSeconds(20));
        fixture.Shard.Tombstones.Pending().Count.ShouldBe(1);
        erasing.IsCompleted.ShouldBeFalse("what is still there is not erased");
        Directory.Delete(run.Path);
        File.Move(run.Path + ".held", run.Path);

        await Eventually.BecomesTrueAsync("it is unlinked and complete", () => fixture.Shard.Tombstones.Pending().Count == 0 && fixture.Store.Troubles.Count == 0, TimeSpan.FromSeconds(20));
        File.Exists(run.Path).ShouldBeFalse();
        await erasing;
    }

    [Fact]
    public void A_built_run_that_cannot_be_opened_leaves_no_file_behind()
    {
        var path = RunBuilder.PathOf(_directory.Path, 7);
        File.WriteAllText(path, "not a run");
        Should.Throw<DamagedDataException>(() => Run.Open(_directory.Path, 7, _ => { }));
        File.Exists(path).ShouldBeTrue("a run that the catalog names is left for whoever repairs it");
        Should.Throw<DamagedDataException>(() => Run.OpenBuilt(_directory.Path, 7, _ => { }));
        File.Exists(path).ShouldBeFalse("one that nobody names would stay, and the next try would leave another");
    }

    [Fact]
    public async Task A_run_that_the_catalog_does_not_take_is_built_again_and_none_is_left_behind()
    {
        using var gate = new WriterGate();
        using (var fixture = new StoreFixture(StoreFixture.Small(_directory.Path, gate.AtStep)))
        {
            await fixture.AppendAsync("user/1", new TestEvent("Created"));
            gate.Refuse(StoreStep.RunBuilt, times: 3);
            await fixture.SealAsync();
            await Eventually.BecomesTrueAsync("the trouble is over", () => fixture.Store.Troubles.Count == 0);
            Directory.EnumerateFiles(SampleStore.ShardPath(_directory.Path), "run-*").Count().ShouldBe(1);
            (await fixture.HistoryAsync("user/1"))!.Count.ShouldBe(1);
        }
    }

    private static async Task WriteAsync(StoreFixture fixture, int entity, long[] written, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var next = written[entity] + 1;
            var outcome = await fixture.AppendAsync($"seam/{entity}", Event(entity, next), Event(entity, next + 1));
            outcome.LastSeq.ShouldBe(next + 1);
            Volatile.Write(ref written[entity], next + 1);
        }
    }

    private static async Task ReadAsync(StoreFixture fixture, Random random, int entity, long[] written, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var sure = Volatile.Read(ref written[entity]);
            if (sure == 0)
            {
                await Task.Yield(); // a reader that spins keeps the pool's threads from the writer that it waits for
                continue;
            }

            var actor = await fixture.ActorAsync($"seam/{entity}");
            var from = random.NextInt64(1, sure + 1);
            var descending = random.Next(2) == 0;
            var (first, last) = descending ? (1, sure) : (from, long.MaxValue);
            using var page = await actor.ReadAsync(first, last, descending, random.Next(1, 200), 1 << 16, CancellationToken.None);
            page.Count.ShouldBeGreaterThan(0);
            CheckPage(page, entity, descending ? sure : from, descending ? -1 : 1);
        }
    }

    private static void CheckPage(HistoryPage page, int entity, long due, int step)
    {
        for (var i = 0; i < page.Count; i++, due += step)
        {
            var e = page.GetEvent(i);
            e.Seq.ShouldBe(due);
            if (!e.Fields.Payload.SequenceEqual(StoreFixture.Bytes(Event(entity, due).Payload)))
                throw new ShouldAssertException($"seq {due} of {entity} is another's");
        }
    }

    private static TestEvent Event(int entity, long seq) => new("Changed", $$"""{"entity":{{entity}},"seq":{{seq}}}""");
}
