using System.Diagnostics;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Recovery;

/// <summary>
/// A crash after every call that changes the disk: a service is traced once, then the disk of each moment is made from the trace and opened
/// (<see cref="DiskImage"/>). That costs a start per moment and no process.
/// </summary>
[Collection(RecoveryTests.Name)]
public sealed class CrashPointTests(ITestOutputHelper output)
{
    /// <summary>Moments looked at; <c>WARP_TEST_CRASH_POINTS</c> says how many, and a number beyond their count means all.</summary>
    private const int Points = 120;

    private const int FailurePoints = 40;

    /// <summary>How often chance is asked what is lost at one moment, where a mutant is to be caught by it.</summary>
    private const int MutantTries = 5;

    /// <summary>
    /// Of the transaction that names a seal's run (see <see cref="TracedWorkload"/>): the rollback journal; the database, and again where SQLite
    /// undoes that and where the next connection does; the journal's being cut, and again where SQLite undoes that.
    /// </summary>
    private static readonly int[][] NamingARun = [[13], [15, 16, 17, 18], [16, 17]];

    private static readonly int[][] NamingARunThoroughly = [.. NamingARun, [14], [15], [16], [16, 17, 18, 19], [5], [8, 9, 10, 11]];

    /// <summary>Of the transactions that name the run that was written again, and complete the erasure.</summary>
    private static readonly int[] Erasing = [24, 32];

    [Theory]
    [InlineData(Durability.Fsync)]
    [InlineData(Durability.Os)]
    public async Task A_crash_after_any_call_loses_nothing_promised_brings_nothing_back_and_raises_no_false_alarm(Durability durability)
    {
        PowerLossDisk.SkipWhereImpossible();
        var points = RecoveryTests.Number("WARP_TEST_CRASH_POINTS") ?? Points;

        (await CrashAsync(durability, AssemblyMutant.OfService(), points, _ => true)).ShouldBeEmpty();
    }

    [Fact]
    public Task A_service_that_does_not_sync_the_directory_of_a_new_run_is_caught() => IsCaughtAsync(Mutants.DoesNotSyncTheDirectoryOfARun());

    [Fact]
    public Task A_service_that_names_a_run_before_it_is_durable_is_caught() => IsCaughtAsync(Mutants.NamesARunBeforeItIsDurable());

    [Fact]
    public Task A_service_that_unlinks_journals_before_the_catalog_is_durable_is_caught() =>
        IsCaughtAsync(Mutants.UnlinksJournalsBeforeTheCatalogIsDurable());

    [Fact]
    public Task A_service_that_calls_an_erasure_complete_before_unlinking_is_durable_is_caught() =>
        IsCaughtAsync(Mutants.CompletesAnErasureBeforeUnlinkingIsDurable());

    /// <summary>The page cache shows what the failed sync dropped; what the service goes on with, also after a kill, must be what a power cut leaves.</summary>
    [Fact]
    public async Task A_crash_after_a_sync_of_the_catalog_failed_loses_nothing_promised_and_raises_no_false_alarm()
    {
        PowerLossDisk.SkipWhereImpossible();
        var points = RecoveryTests.Number("WARP_TEST_CRASH_POINTS");
        var failures = points is null ? NamingARun : NamingARunThoroughly;

        var broken = await CrashAsync(
            Durability.Fsync, AssemblyMutant.OfService(), points ?? FailurePoints, isMutant: false,
            workload => workload.RunWithFailingCatalogAsync(failures, killsBehind: NamingARun[^1], Erasing),
            calls =>
            {
                calls.Count(IsFailure).ShouldBe(failures.Append(NamingARun[^1]).Append(Erasing).Sum(syncs => syncs.Length), "each has come");
                var first = calls.ToList().FindIndex(IsFailure);
                return point => point.Call >= first;
            });

        broken.ShouldBeEmpty();
    }

    [Fact]
    public Task A_service_that_trusts_its_catalog_after_a_failed_sync_is_caught() => IsCaughtAfterFailuresAsync(
        Mutants.TrustsTheCatalogAfterAFailedSync(), workload => workload.RunWithFailingCatalogAsync([NamingARun[^1]], [], []));

    [Fact]
    public Task A_service_that_trusts_its_catalog_at_a_start_is_caught() => IsCaughtAfterFailuresAsync(
        Mutants.TrustsTheCatalogAtAStart(), workload => workload.RunWithFailingCatalogAsync([], NamingARun[^1], []));

    /// <summary>What is unlinked while the catalog on disk still names it is missed only where the unlinking was kept and the catalog was not: that is tried often.</summary>
    private async Task IsCaughtAfterFailuresAsync(AssemblyMutant made, Func<TracedWorkload, Task<IReadOnlyList<DiskCall>>> trace)
    {
        PowerLossDisk.SkipWhereImpossible();
        var broken = await CrashAsync(Durability.Fsync, made, int.MaxValue, isMutant: true, trace, calls =>
        {
            var all = calls.ToList();
            var first = all.FindIndex(all.FindIndex(IsFailure), call => call.Kind == DiskCallKind.Unlinked);
            return point => point.Loss == DiskLoss.SomeUnsynced && point.Call >= first;
        });

        broken.ShouldNotBeEmpty();
    }

    private static bool IsFailure(DiskCall call) => call.Kind == DiskCallKind.SyncFailed;

    private async Task IsCaughtAsync(AssemblyMutant made)
    {
        PowerLossDisk.SkipWhereImpossible();
        // What is not synced shows after a power cut, and only a sync changes what that leaves.
        var broken = await CrashAsync(
            Durability.Fsync, made, int.MaxValue, point => point.Loss == DiskLoss.Unsynced, isMutant: true);

        broken.ShouldNotBeEmpty();
    }

    private Task<IReadOnlyList<string>> CrashAsync(
        Durability durability, AssemblyMutant made, int count, Func<Point, bool> isWanted, bool isMutant = false) =>
        CrashAsync(durability, made, count, isMutant, workload => isMutant ? workload.RunShortAsync() : workload.RunAsync(), _ => isWanted);

    private async Task<IReadOnlyList<string>> CrashAsync(Durability durability, AssemblyMutant made, int count, bool isMutant,
        Func<TracedWorkload, Task<IReadOnlyList<DiskCall>>> trace, Func<IReadOnlyList<DiskCall>, Func<Point, bool>> wanted)
    {
        using var service = made.MergesSoon();
        using var serviceDirectory = new TempDirectory("traced-service");
        var seed = RecoveryTests.Seed();
        var random = new Random(seed);
        var took = Stopwatch.StartNew();
        using var workload = new TracedWorkload(durability, service.WriteTo(serviceDirectory), seed);
        var calls = await trace(workload);
        var traced = took.Elapsed;
        var all = AllPoints(calls, workload.Deeds).Where(wanted(calls)).ToArray();
        if (isMutant) all = [.. all.SelectMany(point => Enumerable.Repeat(point, point.Loss == DiskLoss.SomeUnsynced ? MutantTries : 1))];
        random.Shuffle(all);
        var chosen = all.Take(count).ToLookup(point => point.Call);

        using var directory = TempDirectory.InMemory("crash-image");
        var check = new CrashImageCheck(workload.Deeds, durability);
        var image = new DiskImage();
        var broken = new List<string>();
        var images = 0;
        for (var i = 0; i < calls.Count && !(isMutant && broken.Count > 0); i++)
        {
            image.Apply(calls[i]);
            foreach (var point in chosen[i])
            {
                var data = directory.File($"image-{images++}");
                image.WriteTo(data, point.Loss, random);
                foreach (var what in await check.CheckAsync(data, calls[i], point.Loss, twice: images % 4 == 0))
                    broken.Add($"after call {i} of {calls.Count} ({calls[i]}), lost: {point.Loss}: {what}");
                Directory.Delete(data, recursive: true);
            }
        }

        output.WriteLine($"{durability}: {calls.Count} calls traced in {traced.TotalSeconds:0.0} s, {images} of {all.Length} images opened in "
            + $"{(took.Elapsed - traced).TotalSeconds:0.0} s, {broken.Count} broken promises");
        return broken;
    }

    /// <summary>
    /// After each call a kill, a power cut, and one that keeps some of what was not synced, where it is not the same as one call earlier, or
    /// something was promised since.
    /// </summary>
    private static IEnumerable<Point> AllPoints(IReadOnlyList<DiskCall> calls, IReadOnlyList<Deed> deeds)
    {
        var promises = deeds.Select(deed => deed.PromisedAt).ToHashSet();
        for (var i = 0; i < calls.Count; i++)
        {
            var isPromise = promises.Contains(calls[i].End);
            if (!calls[i].IsSync || isPromise) yield return new Point(i, DiskLoss.None);
            if (calls[i].IsSync || isPromise) yield return new Point(i, DiskLoss.Unsynced);
            yield return new Point(i, DiskLoss.SomeUnsynced);
        }
    }

    private readonly record struct Point(int Call, DiskLoss Loss);
}
