using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Recovery;

/// <summary>The power is cut on a disk that keeps exactly what was fsynced (see <see cref="PowerLossDisk"/>).</summary>
[Collection(RecoveryTests.Name)]
public sealed class PowerLossTests(ITestOutputHelper output)
{
    private const int Cuts = 8;
    private const string NextJournalSync = "journal-*.db-wal:1";
    private const string KillBeforeFsync = $"kill-before-fsync={NextJournalSync}";
    private const string KillBehindFailedFsync = $"fail-fsync={NextJournalSync};kill-before-fsync=catalog.db:1";

    [Fact]
    public async Task Power_cuts_under_load_lose_nothing_acknowledged()
    {
        PowerLossDisk.SkipWhereImpossible();
        var violations = await CutUnderLoadAsync(RecoveryTests.Number("WARP_TEST_CUTS") ?? Cuts, serviceDirectory: null);

        violations.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_service_that_does_not_fsync_is_caught()
    {
        PowerLossDisk.SkipWhereImpossible();
        using var directory = new TempDirectory("no-fsync");
        using var mutant = Mutants.DoesNotFsync();

        var violations = await CutUnderLoadAsync(Cuts, mutant.WriteTo(directory));

        violations.ShouldContain(violation => RecoveryTests.IsLoss(violation));
    }

    /// <summary>The lying page cache: after a failed fsync, reads show what the disk does not have.</summary>
    [Fact]
    public async Task After_a_failed_fsync_what_is_acknowledged_survives_a_power_cut_and_what_is_in_doubt_is_whole_or_absent()
    {
        PowerLossDisk.SkipWhereImpossible();
        (await FailAnFsyncThenCutAsync(serviceDirectory: null)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_service_that_keeps_the_failed_journal_in_use_is_caught()
    {
        PowerLossDisk.SkipWhereImpossible();
        using var directory = new TempDirectory("failed-journal");
        using var mutant = Mutants.KeepsTheFailedJournalInUse();

        (await FailAnFsyncThenCutAsync(mutant.WriteTo(directory))).ShouldContain(violation => RecoveryTests.IsLoss(violation));
    }

    /// <summary>After kill -9 the page cache may hold what the disk does not: what is answered from it must be on disk by then.</summary>
    [Fact]
    public async Task A_replay_answered_after_a_kill_between_write_and_fsync_survives_a_power_cut()
    {
        PowerLossDisk.SkipWhereImpossible();
        (await KillThenReplayThenCutAsync(serviceDirectory: null, KillBeforeFsync)).ShouldBeEmpty();
    }

    /// <summary>The kill comes between a failed fsync and the catalog's cutting the journal: no later fsync would write the rows that reads still show.</summary>
    [Fact]
    public async Task A_replay_answered_after_a_kill_behind_a_failed_fsync_survives_a_power_cut()
    {
        PowerLossDisk.SkipWhereImpossible();
        (await KillThenReplayThenCutAsync(serviceDirectory: null, KillBehindFailedFsync)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_service_that_trusts_rows_behind_a_failed_fsync_is_caught()
    {
        PowerLossDisk.SkipWhereImpossible();
        using var directory = new TempDirectory("no-rewrite");
        using var mutant = Mutants.TrustsRowsBehindAFailedSync();

        (await KillThenReplayThenCutAsync(mutant.WriteTo(directory), KillBehindFailedFsync)).ShouldContain(violation => RecoveryTests.IsLoss(violation));
    }

    [Fact]
    public async Task A_service_that_skips_the_fsync_at_recovery_is_caught()
    {
        PowerLossDisk.SkipWhereImpossible();
        using var directory = new TempDirectory("no-recovery-fsync");
        using var mutant = Mutants.SkipsTheFsyncAtRecovery();

        (await KillThenReplayThenCutAsync(mutant.WriteTo(directory), KillBeforeFsync)).ShouldContain(violation => RecoveryTests.IsLoss(violation));
    }

    private async Task<IReadOnlyList<string>> CutUnderLoadAsync(int cuts, string? serviceDirectory)
    {
        using var run = new CrashRun(new CrashRunOptions(cuts, RecoveryTests.Seed())
        {
            Crash = Crash.PowerCut,
            ServiceDirectory = serviceDirectory,
            StopAtFirstViolation = serviceDirectory is not null,
        });
        var violations = await run.RunAsync(TestContext.Current.CancellationToken);
        output.WriteLine(run.Summary);
        return violations;
    }

    private static async Task<IReadOnlyList<string>> FailAnFsyncThenCutAsync(string? serviceDirectory)
    {
        using var bench = new PowerLossBench(serviceDirectory, fsyncTakes: TimeSpan.FromMilliseconds(1));
        await using (var service = await bench.StartAsync())
        {
            (await bench.AppendAsync(service, 40)).ShouldAllBe(attempt => attempt.Outcome == Outcome.Acknowledged);

            bench.Disk.Arm($"fail-fsync={NextJournalSync}");
            var around = await bench.AppendAsync(service, 40);
            bench.Disk.IsArmed.ShouldBeTrue("the service wrote to its disk");
            around.Count(attempt => attempt.Outcome == Outcome.InDoubt).ShouldBeGreaterThan(0, "a failed fsync is answered with 503");

            await Eventually.BecomesTrueAsync(
                "the service goes on in a new journal",
                async () => (await bench.AppendAsync(service, 1))[0].Outcome == Outcome.Acknowledged,
                TimeSpan.FromSeconds(20));
            (await bench.AppendAsync(service, 40)).ShouldAllBe(attempt => attempt.Outcome == Outcome.Acknowledged);
            // Half of what is in doubt is settled by its own client, the rest must settle itself.
            var inDoubt = around.Where(attempt => attempt is { Outcome: Outcome.InDoubt, Identity: not Identity.None }).ToList();
            foreach (var attempt in inDoubt.Take(inDoubt.Count / 2))
                await bench.Writers.RetryAsync(service.Client, attempt);
            await bench.History.ReadOnAsync(service.Client);
            await service.Kill9Async();
        }

        // Two ways on from here. Straight into a power cut, where nothing had the time to copy the journal from the page cache into a run:
        await bench.ReadAfterPowerCutAsync();
        // And started again over the page cache, which still shows the rows in doubt; they must not come back, then or at a later cut.
        await using (var service = await bench.StartAsync())
        {
            await bench.History.ReadAllAsync(service.Client);
            (await bench.AppendAsync(service, 10)).ShouldAllBe(attempt => attempt.Outcome == Outcome.Acknowledged);
            await service.Kill9Async();
        }

        await bench.ReadAfterPowerCutAsync();
        return bench.Violations;
    }

    private static async Task<IReadOnlyList<string>> KillThenReplayThenCutAsync(string? serviceDirectory, string fault)
    {
        using var bench = new PowerLossBench(serviceDirectory, fsyncTakes: TimeSpan.FromMilliseconds(1), rewriteRestores: true);
        AppendAttempt inDoubt;
        await using (var service = await bench.StartAsync())
        {
            await bench.AppendAsync(service, 10);
            bench.Disk.Arm(fault);
            inDoubt = bench.NewWithIdentity();
            await bench.Writers.SendAsync(service.Client, inDoubt);
            inDoubt.Outcome.ShouldBe(Outcome.InDoubt, "the process is killed before it can answer, or answers that it is in doubt");
            await service.ExitedAsync(TimeSpan.FromSeconds(30));
        }

        // No run can be built: sealing what was recovered would make up for a missing fsync before the cut.
        await using (var service = await bench.StartAsync("fail-write=run-*.db:1+"))
        {
            await bench.Writers.RetryAsync(service.Client, inDoubt);
            await service.Kill9Async();
        }

        await bench.ReadAfterPowerCutAsync();
        return bench.Violations;
    }
}
