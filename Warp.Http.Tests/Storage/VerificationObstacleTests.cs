using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>What keeps a verification from looking, such as too many open files, is told; no shard is taken from its users for it.</summary>
public sealed class VerificationObstacleTests(FourShards sample) : IClassFixture<FourShards>, IDisposable
{
    private const int TooManyOpenFiles = 24;
    private const int NoSpaceLeft = 28;
    private const int OutOfMemory = 12;
    private const int InputOutputError = 5;

    private readonly TempDirectory _directory = new("obstacle");
    private Exception? _obstacle;
    private int _calls;
    private int _failsAt;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Whatever_passes_is_told_as_not_checked_and_takes_no_shard_out_of_service()
    {
        using var fixture = await OpenAsync();
        Exception[] obstacles =
        [
            .. new[] { TooManyOpenFiles, NoSpaceLeft, OutOfMemory }.Select(error => new IOException("The test says no.", error)),
            new StorageException("The test says no."), new UnauthorizedAccessException("The test says no."),
        ];
        for (var call = 1; call <= _calls; call++)
        {
            var report = await VerifyAsync(fixture, obstacles[call % obstacles.Length], call);
            var at = $"call {call}: {string.Join("; ", report.Problems)}";
            report.Status.ShouldBe(VerifyStatus.Incomplete, at);
            var problem = report.Problems.ShouldHaveSingleItem(at);
            problem.IsDamage.ShouldBeFalse(at);
            problem.What.ShouldContain("The test says no.");
            fixture.Store.AllShards.ToArray().ShouldAllBe(shard => shard.Damage == null);
            fixture.Store.Troubles.ShouldBeEmpty(at);
            // The first calls, of which each asks a shard for its size, are made for the whole store.
            if (call <= 4) continue;
            report.Shards.Count.ShouldBe(4, "the others are checked");
            report.Shards.Count(shard => shard.Status == VerifyStatus.Incomplete).ShouldBe(1, at);
        }

        (await VerifyAsync(fixture, null, 0)).Status.ShouldBe(VerifyStatus.Ok, "nothing of it stays");
    }

    [Fact]
    public async Task What_the_disk_no_longer_gives_is_damage()
    {
        using var fixture = await OpenAsync();
        var report = await VerifyAsync(fixture, new IOException("The test's disk is broken.", InputOutputError), _calls / 2);
        report.Status.ShouldBe(VerifyStatus.Damaged);
        var problem = report.Problems.ShouldHaveSingleItem();
        problem.IsDamage.ShouldBeTrue();
        fixture.Store.AllShards[problem.Shard!.Value].Damage.ShouldNotBeNull();
    }

    [Fact]
    public async Task Definitions_that_another_process_holds_are_not_checked_and_not_damaged()
    {
        using var fixture = await OpenAsync();
        fixture.Store.Verification.Include(AggregateCatalog.FileName, fixture.Definitions.Check);
        var path = Path.Combine(fixture.Store.DirectoryPath, AggregateCatalog.FileName);
        using (var other = SqliteDatabase.OpenOrCreate(path))
        {
            other.Execute("BEGIN EXCLUSIVE");
            var report = await fixture.Store.Verification.RunAsync();
            report.Status.ShouldBe(VerifyStatus.Incomplete);
            var problem = report.Problems.ShouldHaveSingleItem();
            (problem.File, problem.IsDamage).ShouldBe((AggregateCatalog.FileName, false));
            fixture.Store.Troubles.ShouldBeEmpty();
        }

        (await fixture.Store.Verification.RunAsync()).Status.ShouldBe(VerifyStatus.Ok);
    }

    /// <summary>A crash of the disk under a catalog write: pages are half written, and what they were before stands in the rollback journal.</summary>
    [Fact]
    public void A_catalog_whose_last_write_is_in_doubt_is_rolled_back_before_its_pages_are_judged()
    {
        var path = _directory.File("catalog.db");
        using var catalog = new Catalog(path);
        catalog.Sealed([], new RunEntry(1, 1, 10), 5, []);
        Should.Throw<StorageException>(() => catalog.Sealed([], new RunEntry(2, 1, 20), 9, []));
        LeaveHalfATransaction(path);

        catalog.Check().ShouldBeEmpty();
        catalog.Runs().ShouldBe([new RunEntry(1, 1, 10)]);
    }

    [Fact]
    public void A_catalog_that_cannot_be_opened_again_for_now_is_not_damaged()
    {
        var path = _directory.File("catalog.db");
        using var catalog = new Catalog(path);
        catalog.Sealed([], new RunEntry(1, 1, 10), 5, []);
        Should.Throw<StorageException>(() => catalog.Sealed([], new RunEntry(2, 1, 20), 9, []));
        using (var other = SqliteDatabase.OpenOrCreateChecked(path))
        {
            other.Execute("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");
            Should.Throw<StorageException>(() => catalog.Check()).ShouldNotBeOfType<DamagedDataException>();
        }

        catalog.Check().ShouldBeEmpty();
    }

    [Fact]
    public void A_damaged_page_that_is_met_when_the_catalog_is_opened_again_is_damage()
    {
        var path = _directory.File("catalog.db");
        using var catalog = new Catalog(path);
        catalog.Sealed([], new RunEntry(1, 1, 10), 5, []);
        Should.Throw<StorageException>(() => catalog.Sealed([], new RunEntry(2, 1, 20), 9, []));
        WalFile.FlipBit(path, 4096 * 8 * 2);

        Should.Throw<DamagedDataException>(() => catalog.Check());
    }

    private static void LeaveHalfATransaction(string path)
    {
        var before = File.ReadAllBytes(path);
        byte[] journal;
        using (var other = SqliteDatabase.OpenOrCreateChecked(path))
        {
            other.Execute("PRAGMA journal_mode=DELETE; BEGIN IMMEDIATE; UPDATE run SET last_pos = 11; UPDATE counter SET value = 77; PRAGMA cache_spill=1; PRAGMA cache_size=1");
            other.Execute("CREATE TABLE many(value BLOB); INSERT INTO many VALUES(zeroblob(400000))"); // more than the cache holds: pages are written before the commit
            journal = ReadShared(path + "-journal");
            other.Execute("ROLLBACK");
        }

        var torn = before.ToArray();
        torn.AsSpan(2 * 4096, 512).Fill(0x5a); // a page that the transaction changed, half written
        File.WriteAllBytes(path, torn);
        File.WriteAllBytes(path + "-journal", journal);
    }

    private static byte[] ReadShared(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>With a journal and runs in each shard, and the places counted at which a verification looks.</summary>
    private async Task<StoreFixture> OpenAsync()
    {
        var fixture = FourShards.Open(sample.CopyTo(_directory.File("data")), AtStep);
        await Eventually.BecomesTrueAsync("all is sealed", () => fixture.Store.AllShards.ToArray().All(s => s.Views.Current.Memtables.Length == 1 && s.IsRewriterIdle));
        foreach (var entity in sample.Counts.Keys) (await fixture.AppendAsync(entity, new TestEvent("Moved"))).Status.ShouldBe(AppendStatus.Appended);
        (await VerifyAsync(fixture, null, 0)).Status.ShouldBe(VerifyStatus.Ok);
        _calls.ShouldBeGreaterThan(20);
        return fixture;
    }

    private async Task<VerifyReport> VerifyAsync(StoreFixture fixture, Exception? obstacle, int at)
    {
        (_obstacle, _failsAt) = (obstacle, at);
        var before = _calls;
        _calls = 0;
        var report = await fixture.Store.Verification.RunAsync();
        if (obstacle is not null) _calls = before;
        return report;
    }

    private void AtStep(StoreStep step)
    {
        if (step == StoreStep.Verifying && ++_calls == _failsAt && _obstacle is not null) throw _obstacle;
    }
}
