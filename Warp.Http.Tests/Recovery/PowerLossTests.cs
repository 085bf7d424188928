using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Recovery;

/// <summary>The power is cut on a disk that keeps exactly what was fsynced (see <see cref="PowerLossDisk"/>).</summary>
[Collection(RecoveryTests.Name)]
public sealed class PowerLossTests(ITestOutputHelper output)
{
    private const int Cuts = 8;
    private const string NextJournalSync = "journal-*.db-wal:1";

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
        (await KillBeforeFsyncThenReplayThenCutAsync(serviceDirectory: null)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_service_that_skips_the_fsync_at_recovery_is_caught()
    {
        PowerLossDisk.SkipWhereImpossible();
        using var directory = new TempDirectory("no-recovery-fsync");
        using var mutant = Mutants.SkipsTheFsyncAtRecovery();

        (await KillBeforeFsyncThenReplayThenCutAsync(mutant.WriteTo(directory))).ShouldContain(violation => RecoveryTests.IsLoss(violation));
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

    private static async Task<IReadOnlyList<string>> KillBeforeFsyncThenReplayThenCutAsync(string? serviceDirectory)
    {
        // Slow enough that the start's background work (sealing what it recovered) cannot make up for a missing fsync before the cut.
        using var bench = new PowerLossBench(serviceDirectory, fsyncTakes: TimeSpan.FromMilliseconds(50));
        AppendAttempt inDoubt;
        await using (var service = await bench.StartAsync())
        {
            await bench.AppendAsync(service, 10);
            bench.Disk.Arm($"kill-before-fsync={NextJournalSync}");
            inDoubt = bench.NewWithIdentity();
            (await bench.Writers.SendAsync(service.Client, inDoubt)).ShouldBeFalse("the process is killed before it can answer");
            await service.ExitedAsync(TimeSpan.FromSeconds(10));
        }

        await using (var service = await bench.StartAsync())
        {
            await bench.Writers.RetryAsync(service.Client, inDoubt);
            await service.Kill9Async();
        }

        await bench.ReadAfterPowerCutAsync();
        return bench.Violations;
    }
}
