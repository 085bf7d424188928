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
    private const int Points = 150;

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

    private async Task IsCaughtAsync(AssemblyMutant made)
    {
        PowerLossDisk.SkipWhereImpossible();
        // What is not synced shows after a power cut, and only a sync changes what that leaves.
        var broken = await CrashAsync(
            Durability.Fsync, made, int.MaxValue, point => point.Loss == DiskLoss.Unsynced, isMutant: true);

        broken.ShouldNotBeEmpty();
    }

    private async Task<IReadOnlyList<string>> CrashAsync(
        Durability durability, AssemblyMutant made, int count, Func<Point, bool> isWanted, bool isMutant = false)
    {
        using var service = made.MergesSoon();
        using var serviceDirectory = new TempDirectory("traced-service");
        var seed = RecoveryTests.Seed();
        var random = new Random(seed);
        var took = Stopwatch.StartNew();
        using var workload = new TracedWorkload(durability, service.WriteTo(serviceDirectory), seed);
        var calls = isMutant ? await workload.RunShortAsync() : await workload.RunAsync();
        var traced = took.Elapsed;
        var all = AllPoints(calls, workload.Deeds).Where(isWanted).ToArray();
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
