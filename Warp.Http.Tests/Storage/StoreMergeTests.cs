using Warp.Http.Entities;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>Merging in a store that is in use: nobody sees it, a crash leaves nothing half, and the catalog decides what counts.</summary>
public sealed class StoreMergeTests : IDisposable
{
    private const int FanOut = 3;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly TempDirectory _directory = new("merges");

    private string Data => _directory.File("data");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Runs_beyond_the_fan_out_become_one_and_whoever_reads_sees_no_difference()
    {
        using var fixture = Open();
        var expected = await FillAsync(fixture);
        await MergedAsync(fixture);
        RunFiles(Data).Count.ShouldBe(1);
        await ShouldHoldAsync(fixture, expected);
        fixture.Dispose();
        using var reopened = Open();
        reopened.Store.Troubles.ShouldBeEmpty();
        await ShouldHoldAsync(reopened, expected);
    }

    [Fact]
    public async Task A_crash_at_any_step_of_a_merge_loses_nothing_and_leaves_nothing_behind()
    {
        var images = new List<(StoreStep Step, string Path)>();
        Dictionary<string, List<StoredEvent>> expected;
        using (var fixture = Open(step =>
        {
            if (step is not (StoreStep.Merging or StoreStep.MergeBuilt or StoreStep.MergeNamed or StoreStep.Merged) || images.Exists(i => i.Step == step)) return;
            var image = _directory.File($"image-{images.Count}");
            SampleStore.Copy(Data, image);
            images.Add((step, image));
        }))
        {
            expected = await FillAsync(fixture);
            await MergedAsync(fixture);
        }

        images.Select(image => image.Step).ShouldBe([StoreStep.Merging, StoreStep.MergeBuilt, StoreStep.MergeNamed, StoreStep.Merged]);
        foreach (var (step, path) in images)
        {
            using var opened = new StoreFixture(StoreFixture.Small(path, mergeFanOut: FanOut));
            opened.Store.Troubles.ShouldBeEmpty($"{step}");
            await ShouldHoldAsync(opened, expected);
            await MergedAsync(opened);
            RunFiles(path).Count.ShouldBe(1, $"{step}");
            await ShouldHoldAsync(opened, expected);
        }
    }

    /// <summary>
    /// The catalog refuses a run before its transaction, or after it, as where its last sync fails: then the run stands in it. Once either way, and
    /// what was in memory or in the old runs is neither lost nor there twice.
    /// </summary>
    [Theory]
    [InlineData(nameof(StoreStep.RunBuilt))]
    [InlineData(nameof(StoreStep.SealNamed))]
    [InlineData(nameof(StoreStep.MergeBuilt))]
    [InlineData(nameof(StoreStep.MergeNamed))]
    [InlineData(nameof(StoreStep.RewriteBuilt))]
    [InlineData(nameof(StoreStep.RewriteNamed))]
    public async Task A_catalog_write_that_fails_counts_if_the_catalog_has_it_and_only_then(string step)
    {
        using var gate = new WriterGate();
        using var fixture = Open(gate.AtStep);
        gate.Refuse(Enum.Parse<StoreStep>(step), times: 2);
        var expected = await FillAsync(fixture);
        await fixture.AppendAsync("gone/1", new TestEvent("Created"));
        await fixture.SealAsync();
        var erasing = Task.Run(() => fixture.EraseAsync("gone/1"));
        await Eventually.BecomesTrueAsync("the erasure is complete", () => fixture.Shard.Tombstones.Pending().Count == 0, Patience);
        await erasing;
        await Eventually.BecomesTrueAsync("the trouble is over", () => fixture.Store.Troubles.Count == 0 && fixture.Shard.IsRewriterIdle, Patience);

        await ShouldHoldAsync(fixture, expected);
        RunFiles(Data).Count.ShouldBe(fixture.View.Runs.Length);
        fixture.Dispose();
        using var reopened = Open();
        reopened.Store.Troubles.ShouldBeEmpty();
        await ShouldHoldAsync(reopened, expected);
    }

    [Fact]
    public async Task An_erasure_does_not_wait_for_a_merge_and_the_merge_is_made_up_for()
    {
        using var erasureDue = new ManualResetEventSlim();
        var steps = new List<StoreStep>();
        using var fixture = Open(step =>
        {
            lock (steps) steps.Add(step);
            if (step == StoreStep.Merging) erasureDue.Wait(Patience);
        });
        await fixture.AppendAsync("gone/1", new TestEvent("Created"));
        var expected = await FillAsync(fixture);
        await Eventually.BecomesTrueAsync("a merge has begun", () => Seen(StoreStep.Merging), Patience);
        var erasing = Task.Run(() => fixture.EraseAsync("gone/1"));
        await Eventually.BecomesTrueAsync("the fence is sealed and the rewriter told", () => fixture.Shard.IsErasureDue, Patience);
        erasureDue.Set();

        await erasing;
        await Eventually.BecomesTrueAsync("the erasure is complete", () => fixture.Shard.Tombstones.Pending().Count == 0, Patience);
        Seen(StoreStep.RewriteNamed).ShouldBeTrue("the erased life stood in a run of its own");
        await MergedAsync(fixture);
        lock (steps) steps.IndexOf(StoreStep.MergeBuilt).ShouldBeGreaterThan(steps.IndexOf(StoreStep.ErasureClean), "the merge began anew behind it");
        await ShouldHoldAsync(fixture, expected);

        bool Seen(StoreStep step)
        {
            lock (steps) return steps.Contains(step);
        }
    }

    /// <summary>Whoever repairs the shard must find what there was; what was being made is nobody's yet and goes.</summary>
    [Theory]
    [InlineData(nameof(StoreStep.RunBuilt))]
    [InlineData(nameof(StoreStep.SealNamed))]
    [InlineData(nameof(StoreStep.MergeBuilt))]
    [InlineData(nameof(StoreStep.MergeNamed))]
    [InlineData(nameof(StoreStep.RewriteBuilt))]
    [InlineData(nameof(StoreStep.RewriteNamed))]
    [InlineData(nameof(StoreStep.ErasureClean))]
    public async Task A_shard_that_is_found_damaged_amid_background_work_changes_no_file_from_then_on(string name)
    {
        var step = Enum.Parse<StoreStep>(name);
        Shard? shard = null; // once the step is to be met
        Dictionary<string, string>? found = null;
        Dictionary<string, List<StoredEvent>> expected;
        using (var fixture = Open(at =>
        {
            if (at != step || Interlocked.Exchange(ref shard, null) is not { } damaged) return;
            damaged.Quarantine(new DamagedDataException("The test found damage."));
            Volatile.Write(ref found, Contents());
        }))
        {
            await fixture.AppendAsync("gone/1", new TestEvent("Created"));
            expected = await FillAsync(fixture, FanOut - 1);
            await Eventually.BecomesTrueAsync("all rests", () => fixture.Shard.IsRewriterIdle, Patience);
            if (step is StoreStep.RewriteBuilt or StoreStep.RewriteNamed or StoreStep.ErasureClean)
            {
                Volatile.Write(ref shard, fixture.Shard);
                (await fixture.Registry.EraseAsync(StoreFixture.Bytes("gone/1"), Guid.CreateVersion7(), isNamedElsewhere: false, CancellationToken.None)).ShouldBe(EraseStatus.Fenced);
            }
            else
            {
                await fixture.AppendAsync("late/1", new TestEvent("Created"));
                expected["late/1"] = (await fixture.HistoryAsync("late/1"))!;
                Volatile.Write(ref shard, fixture.Shard);
            }

            await Eventually.BecomesTrueAsync("the step is met", () =>
            {
                if (fixture.Shard.Damage is null) fixture.Shard.Enqueue(new StoreFixture.Rotation());
                return Volatile.Read(ref found) is not null;
            }, Patience);
        }

        if (step is StoreStep.RunBuilt or StoreStep.MergeBuilt or StoreStep.RewriteBuilt) found!.Remove(found.Keys.Where(f => f.StartsWith("run-", StringComparison.Ordinal)).MaxBy(NumberOf)!);
        Contents().OrderBy(f => f.Key, StringComparer.Ordinal).ShouldBe(found!.OrderBy(f => f.Key, StringComparer.Ordinal));
        using var reopened = Open();
        reopened.Store.Troubles.ShouldBeEmpty();
        await ShouldHoldAsync(reopened, expected);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(2, false)]
    [InlineData(3, false)]
    [InlineData(1, true)]
    [InlineData(2, true)]
    [InlineData(3, true)]
    public async Task A_merge_that_meets_damage_names_the_file_where_it_is(int damaged, bool underRightChecksums)
    {
        using (var fixture = new StoreFixture(StoreFixture.Small(Data))) await FillAsync(fixture);
        var runs = RunFiles(Data).OrderBy(file => NumberOf(Path.GetFileName(file))).ToList();
        runs.Count.ShouldBe(FanOut);
        if (underRightChecksums)
        {
            using var database = SqliteDatabase.OpenOrCreateChecked(runs[damaged - 1]);
            database.Execute("PRAGMA journal_mode=OFF; UPDATE piece SET body = zeroblob(length(body)) WHERE id = (SELECT max(id) FROM piece)");
        }
        else
        {
            WalFile.FlipBit(runs[damaged - 1], (await File.ReadAllBytesAsync(runs[damaged - 1])).AsSpan().IndexOf("Changed"u8) * 8L);
        }

        using var merging = new StoreFixture(new StoreOptions { DataDirectory = Data, SealBytes = 64 * 1024, FreeBytesMin = 0, MergeFanOut = FanOut, VerifyAtStartBytes = 0 });
        await Eventually.BecomesTrueAsync("the merge has met it", () => merging.Shard.Damage is not null, Patience);
        for (var run = 1; run <= FanOut; run++)
        {
            if (run == damaged) merging.Shard.Damage!.ShouldContain(Path.GetFileName(runs[run - 1]));
            else merging.Shard.Damage!.ShouldNotContain(Path.GetFileName(runs[run - 1]));
        }
    }

    [Fact]
    public void A_catalog_whose_write_failed_is_read_anew_and_goes_on()
    {
        var path = _directory.File("catalog.db");
        using (var catalog = new Catalog(path))
        {
            catalog.Sealed([], new RunEntry(1, 1, 10), 5, []);
            Should.Throw<StorageException>(() => catalog.Sealed([], new RunEntry(2, 1, 20), 9, []), "positions are covered once");
            catalog.Runs().ShouldBe([new RunEntry(1, 1, 10)]);
            catalog.Counter("entity").ShouldBe(5, "a transaction counts whole or not at all");
            catalog.Replaced([1], new RunEntry(3, 1, 10));
        }

        using var reopened = new Catalog(path);
        reopened.Runs().ShouldBe([new RunEntry(3, 1, 10)]);
    }

    private StoreFixture Open(Action<StoreStep>? atStep = null) => new(StoreFixture.Small(Data, atStep, mergeFanOut: FanOut));

    /// <summary>Some entities over as many runs as are merged.</summary>
    private static async Task<Dictionary<string, List<StoredEvent>>> FillAsync(StoreFixture fixture, int runs = FanOut)
    {
        for (var i = 0; i < runs; i++)
        {
            for (var entity = 0; entity < 5; entity++)
                await fixture.AppendAsync(new TestAppend($"user/{entity}", [new TestEvent("Changed", $$"""{"n":{{i}}}""", Id: $"id-{i}-{entity}"), new TestEvent("Seen")]));
            await fixture.AppendAsync($"once/{i}", new TestEvent("Created"));
            await fixture.SealAsync();
        }

        return await SampleAsync(fixture);
    }

    private static async Task<Dictionary<string, List<StoredEvent>>> SampleAsync(StoreFixture fixture)
    {
        var histories = new Dictionary<string, List<StoredEvent>>(StringComparer.Ordinal);
        foreach (var name in await fixture.ListAsync())
            if (!name.StartsWith("gone/", StringComparison.Ordinal)) histories[name] = (await fixture.HistoryAsync(name))!;
        return histories;
    }

    private static async Task ShouldHoldAsync(StoreFixture fixture, Dictionary<string, List<StoredEvent>> expected)
    {
        var actual = await SampleAsync(fixture);
        SampleStore.ShouldBeEqual(actual, expected, "after merging");
        var again = new TestAppend("user/1", [new TestEvent("Changed", """{"n":0}""", Id: "id-0-1"), new TestEvent("Seen")]);
        (await fixture.AppendAsync(again)).Status.ShouldBe(Warp.Http.Events.AppendStatus.Replayed, "ids are found in merged runs");
    }

    /// <summary>The shard's files by what is in them; without SQLite's rollback journal, which is empty between transactions.</summary>
    private Dictionary<string, string> Contents() => Directory.EnumerateFiles(SampleStore.ShardPath(Data))
        .Where(file => !file.EndsWith("-journal", StringComparison.Ordinal)).ToDictionary(file => Path.GetFileName(file)!, HashOf, StringComparer.Ordinal);

    private static string HashOf(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        return Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(file));
    }

    private static int NumberOf(string run) => int.Parse(run["run-".Length..^".db".Length], System.Globalization.CultureInfo.InvariantCulture);

    private static Task MergedAsync(StoreFixture fixture) => Eventually.BecomesTrueAsync(
        "all runs are merged", () => fixture.View.Runs.Length < FanOut && fixture.Shard.IsRewriterIdle, Patience);

    private static List<string> RunFiles(string data) => [.. Directory.EnumerateFiles(SampleStore.ShardPath(data), "run-*")];
}
