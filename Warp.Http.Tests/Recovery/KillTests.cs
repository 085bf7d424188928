using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Recovery;

[Collection(RecoveryTests.Name)]
public sealed class KillTests(ITestOutputHelper output)
{
    private const int Kills = 50;
    private const int KillsAmidMaintenance = 8;
    private const int MutantKillsMax = 20;

    [Fact]
    public async Task Kill_9_under_load_loses_nothing_acknowledged_and_doubles_nothing()
    {
        using var run = new CrashRun(new CrashRunOptions(RecoveryTests.Number("WARP_TEST_KILLS") ?? Kills, RecoveryTests.Seed()));

        var violations = await run.RunAsync(TestContext.Current.CancellationToken);

        output.WriteLine(run.Summary);
        violations.ShouldBeEmpty(run.Summary);
    }

    /// <summary>The smallest seals there are, merged three at a time, and erasures all the while: some files are always half written.</summary>
    [Fact]
    public async Task Kill_9_amid_seals_merges_and_erasures_loses_nothing_and_brings_nothing_back()
    {
        using var directory = new TempDirectory("merges-soon");
        using var service = AssemblyMutant.OfService().MergesSoon();
        using var run = new CrashRun(new CrashRunOptions(RecoveryTests.Number("WARP_TEST_KILLS") ?? KillsAmidMaintenance, RecoveryTests.Seed())
        {
            ServiceDirectory = service.WriteTo(directory),
            Erases = true,
            Environment = new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["Warp__SealBytes"] = "65536",
                ["Warp__SealAfter"] = "00:00:00.050",
            },
        });

        var violations = await run.RunAsync(TestContext.Current.CancellationToken);

        output.WriteLine(run.Summary);
        violations.ShouldBeEmpty(run.Summary);
    }

    [Fact]
    public async Task A_service_that_acknowledges_before_the_commit_is_caught()
    {
        using var directory = new TempDirectory("early-ack");
        using var mutant = Mutants.AcknowledgesBeforeTheCommit();
        using var run = new CrashRun(new CrashRunOptions(MutantKillsMax, RecoveryTests.Seed())
        {
            ServiceDirectory = mutant.WriteTo(directory),
            StopAtFirstViolation = true,
        });

        var violations = await run.RunAsync(TestContext.Current.CancellationToken);

        output.WriteLine(run.Summary);
        violations.ShouldContain(violation => RecoveryTests.IsLoss(violation), run.Summary);
    }
}
