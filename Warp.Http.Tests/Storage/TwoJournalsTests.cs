using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>A start that finds several journals with rows: after a seal that did not come to its end, a failure, or a power cut.</summary>
public sealed class TwoJournalsTests : IDisposable
{
    private const string Entity = "two/journals";
    private readonly TempDirectory _directory = new("journals");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task With_durability_os_a_power_cut_may_take_the_end_of_a_journal_and_keep_the_next()
    {
        var crashed = await CrashWithTwoJournals();
        WalFile.Cut(Wals(crashed)[0], WalFile.TransactionEnds(Wals(crashed)[0])[^4]);
        await GoesOnAfter(crashed, kept: 7);
    }

    [Fact]
    public async Task With_durability_os_a_power_cut_may_leave_a_hole_in_a_journal()
    {
        var crashed = await CrashWithTwoJournals();
        var ends = WalFile.TransactionEnds(Wals(crashed)[0]);
        using (var wal = new FileStream(Wals(crashed)[0], FileMode.Open, FileAccess.Write))
        {
            wal.Position = ends[^4];
            wal.WriteByte(0x5a); // the kernel wrote what came later, and not this
        }

        await GoesOnAfter(crashed, kept: 7);
    }

    [Fact]
    public async Task Of_a_journal_that_was_cut_after_a_power_cut_what_stands_before_the_cut_is_still_verified()
    {
        var crashed = await CrashWithTwoJournals();
        var wal = Wals(crashed)[0];
        var ends = WalFile.TransactionEnds(wal);
        WalFile.FlipBit(wal, ends[^4] * 8);
        DamageTests.SetBootId(crashed, Guid.Parse("00000000-0000-0000-0000-00000000beef"));
        using var opened = new StoreFixture(StoreFixture.Small(crashed, RefuseSeals));
        (await opened.Store.Verification.RunAsync()).Status.ShouldBe(VerifyStatus.Ok);
        WalFile.FlipBit(wal, (ends[2] + 100) * 8);

        var report = await opened.Store.Verification.RunAsync();
        report.Problems.ShouldHaveSingleItem().File.ShouldEndWith(Path.GetFileName(wal));
        opened.Shard.Damage.ShouldNotBeNull();
    }

    [Fact]
    public async Task With_durability_os_a_power_cut_that_took_nothing_takes_nothing()
    {
        var crashed = await CrashWithTwoJournals();
        await GoesOnAfter(crashed, kept: 15);
    }

    [Fact]
    public async Task Without_a_power_cut_or_with_durability_fsync_the_same_is_damage()
    {
        var crashed = await CrashWithTwoJournals();
        WalFile.Cut(Wals(crashed)[0], WalFile.TransactionEnds(Wals(crashed)[0])[^4]);
        IsDamage(Durability.Os);
        DamageTests.SetBootId(crashed, Guid.Parse("00000000-0000-0000-0000-00000000beef"));
        IsDamage(Durability.Fsync);

        void IsDamage(Durability durability)
        {
            using var opened = new StoreFixture(StoreFixture.Small(crashed, durability: durability));
            opened.Store.IsServing.ShouldBeFalse();
        }
    }

    /// <summary>
    /// Maintenance has a number for the next journal and is slow to make it; the writer's commit fails meanwhile and it makes one itself, with a
    /// later number. Rows in the one behind the other would be read in the wrong order.
    /// </summary>
    [Fact]
    public async Task A_journal_that_was_begun_before_a_failure_and_came_after_it_takes_no_rows()
    {
        var data = _directory.File("data");
        using var mayBeMade = new ManualResetEventSlim();
        using var gate = new WriterGate();
        using (var fixture = new StoreFixture(StoreFixture.Small(data, AtStep)))
        {
            (await fixture.AppendAsync(Entity, new TestEvent("E1"))).LastSeq.ShouldBe(1);
            gate.Refuse(StoreStep.BeforeRow);
            (await fixture.AppendAsync(Entity, new TestEvent("Failed"))).Status.ShouldBe(AppendStatus.InDoubt);
            await Eventually.BecomesTrueAsync("the shard takes appends again", () => fixture.Store.Troubles.Count == 0);
            (await fixture.AppendAsync(Entity, new TestEvent("E2"))).LastSeq.ShouldBe(2);
            gate.Refuse(StoreStep.RunBuilt, int.MaxValue);
            mayBeMade.Set();
            await fixture.RotateAsync();
            (await fixture.AppendAsync(Entity, new TestEvent("E3"))).LastSeq.ShouldBe(3);
        }

        using var reopened = new StoreFixture(StoreFixture.Small(data));
        reopened.Store.Troubles.ShouldBeEmpty();
        (await reopened.HistoryAsync(Entity))!.Select(e => e.Type).ShouldBe(["E1", "E2", "E3"]);

        void AtStep(StoreStep step)
        {
            if (step == StoreStep.MakingJournal && Thread.CurrentThread.Name?.StartsWith("warp-maintenance", StringComparison.Ordinal) == true) mayBeMade.Wait(TimeSpan.FromSeconds(30));
            gate.AtStep(step);
        }
    }

    /// <summary>
    /// The row's mark reached the file and its error came afterwards. Cut by the catalog with that mark still there, the journal would end before what
    /// the mark says was acknowledged.
    /// </summary>
    [Fact]
    public async Task A_crash_amid_the_failure_of_a_row_that_was_marked_leaves_no_mark_ahead_of_its_journal()
    {
        var data = _directory.File("data");
        var images = new List<string>();
        var isFailing = false;
        using (var fixture = new StoreFixture(StoreFixture.Small(data, AtStep)))
        {
            (await fixture.AppendAsync(Entity, new TestEvent("E1"))).LastSeq.ShouldBe(1);
            Volatile.Write(ref isFailing, true);
            (await fixture.AppendAsync(Entity, new TestEvent("Failed"))).Status.ShouldBe(AppendStatus.InDoubt);
            await Eventually.BecomesTrueAsync("the shard takes appends again", () => fixture.Store.Troubles.Count == 0);
            (await fixture.AppendAsync(Entity, new TestEvent("E2"))).LastSeq.ShouldBe(2);
        }

        using var opened = new StoreFixture(StoreFixture.Small(images.ShouldHaveSingleItem()));
        opened.Store.Troubles.ShouldBeEmpty();
        (await opened.HistoryAsync(Entity))![0].Type.ShouldBe("E1");

        void AtStep(StoreStep step)
        {
            if (!Volatile.Read(ref isFailing) || Thread.CurrentThread.Name?.StartsWith("warp-writer", StringComparison.Ordinal) != true) return;
            if (step == StoreStep.MarkTakenBack && images.Count == 0)
            {
                // A copy that maintenance disturbs, which makes the next journal beside it, fails the step, and that is tried again.
                var image = _directory.File("image");
                SampleStore.Copy(data, image);
                images.Add(image);
            }

            if (step == StoreStep.MarkWritten && images.Count == 0) throw new StorageException("The test says that the mark could not be written.");
        }
    }

    private static async Task GoesOnAfter(string crashed, int kept)
    {
        DamageTests.SetBootId(crashed, Guid.Parse("00000000-0000-0000-0000-00000000beef"));
        var expected = Enumerable.Range(1, kept).Select(i => $"E{i}").ToList();
        for (var start = 0; start < 3; start++)
        {
            // What is kept is not sealed before the next start, which is one in the same boot.
            using var opened = new StoreFixture(StoreFixture.Small(crashed, start == 2 ? null : RefuseSeals));
            opened.Store.IsServing.ShouldBeTrue(string.Join(' ', opened.Store.Troubles));
            (await opened.HistoryAsync(Entity))!.Select(e => e.Type).ShouldBe(expected);
            (await opened.AppendAsync(Entity, new TestEvent($"Next{start}"))).LastSeq.ShouldBe(expected.Count + 1);
            expected.Add($"Next{start}");
            (await opened.Store.Verification.RunAsync()).Problems.ShouldBeEmpty("what a power cut left behind the end is nobody's");
        }
    }

    /// <summary>Ten appends in the first journal, five in the next, and no run: a journal is left by a stop as it is by a kill.</summary>
    private async Task<string> CrashWithTwoJournals()
    {
        var data = _directory.File("data");
        using var fixture = new StoreFixture(StoreFixture.Small(data, RefuseSeals));
        for (var i = 1; i <= 15; i++)
        {
            (await fixture.AppendAsync(Entity, new TestEvent($"E{i}"))).LastSeq.ShouldBe(i);
            if (i == 10) await fixture.RotateAsync();
        }

        fixture.Dispose();
        Wals(data).Count.ShouldBe(2);
        return data;
    }

    private static void RefuseSeals(StoreStep step)
    {
        if (step == StoreStep.RunBuilt) throw new StorageException("The test refuses seals.");
    }

    /// <summary>The WALs of the journals that have rows, oldest first.</summary>
    private static List<string> Wals(string data) =>
        [.. Directory.EnumerateFiles(SampleStore.ShardPath(data), "journal-*.db-wal").Where(wal => WalFile.TransactionEnds(wal).Count > 2)
            .OrderBy(wal => int.Parse(Path.GetFileName(wal)["journal-".Length..^".db-wal".Length], System.Globalization.CultureInfo.InvariantCulture))];
}
