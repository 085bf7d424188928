using System.Buffers.Binary;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>
/// What a start believes of files that a crash or a disk has changed. Damage is never repaired silently and never served.
/// </summary>
public sealed class DamageTests(SampleStore sample) : IClassFixture<SampleStore>, IDisposable
{
    private readonly TempDirectory _directory = new("damage");
    private int _copies;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task An_undamaged_copy_serves_everything()
    {
        using var opened = Open(Copy());
        opened.Store.Troubles.ShouldBeEmpty();
        SampleStore.ShouldBeEqual(await SampleStore.ReadAsync(opened), sample.Final, "copy");
    }

    [Fact]
    public async Task A_journal_that_ends_early_is_noticed_by_the_mark()
    {
        foreach (var (length, row) in Cuts())
        {
            var data = Copy();
            WalFile.Cut(Wal(data), length);
            using var opened = Open(data);
            if (row == sample.AfterEachRow.Count - 1)
                SampleStore.ShouldBeEqual(await SampleStore.ReadAsync(opened), sample.Final, $"cut at {length}");
            else
                OutOfService(opened, $"cut at {length}");
        }
    }

    /// <summary>A process may not read its own memory at 0: each read of that file ends in EIO, as of a broken disk.</summary>
    [Fact]
    public void A_journal_that_the_disk_no_longer_gives_takes_its_shard_out_of_service_and_not_the_service()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "There is no file here that cannot be read.");
        var data = Copy();
        var wal = Wal(data);
        File.Delete(wal);
        File.CreateSymbolicLink(wal, "/proc/self/mem");
        using var opened = Open(data);
        OutOfService(opened, "EIO");
        opened.Shard.Damage!.ShouldNotContain(data);
    }

    [Fact]
    public async Task A_journal_that_ends_early_without_a_mark_gives_whole_appends_up_to_its_end()
    {
        foreach (var (length, row) in Cuts())
        {
            var data = Copy();
            WalFile.Cut(Wal(data), length);
            File.Delete(Mark(data));
            using var opened = Open(data);
            if (row < 0)
            {
                OutOfService(opened, $"cut at {length}");
                continue;
            }

            opened.Store.Troubles.ShouldBeEmpty($"cut at {length}");
            SampleStore.ShouldBeEqual(await SampleStore.ReadAsync(opened), sample.AfterEachRow[row], $"cut at {length}");
            var outcome = await opened.AppendAsync("sample/0", new TestEvent("Next"));
            outcome.FirstSeq.ShouldBe(sample.AfterEachRow[row].GetValueOrDefault("sample/0")?.Count + 1 ?? 1);
        }
    }

    [Fact]
    public async Task With_durability_os_a_power_cut_takes_the_end_and_the_shard_goes_on()
    {
        var data = Copy();
        var ends = WalFile.TransactionEnds(Wal(data));
        WalFile.Cut(Wal(data), ends[^3]);
        SetBootId(data, Guid.Parse("00000000-0000-0000-0000-00000000beef"));

        using (var strict = Open(data)) OutOfService(strict, "fsync");
        using (var opened = new StoreFixture(StoreFixture.Small(data)))
        {
            opened.Store.Troubles.ShouldBeEmpty();
            SampleStore.ShouldBeEqual(await SampleStore.ReadAsync(opened), sample.AfterEachRow[^3], "os");
            (await opened.AppendAsync("sample/new", new TestEvent("Next"))).Status.ShouldBe(AppendStatus.Appended);
        }

        using var again = new StoreFixture(StoreFixture.Small(data));
        again.Store.Troubles.ShouldBeEmpty();
        (await again.HistoryAsync("sample/new"))!.Count.ShouldBe(1);
    }

    [Fact]
    public void With_durability_os_and_no_power_cut_a_missing_end_is_damage()
    {
        var data = Copy();
        WalFile.Cut(Wal(data), WalFile.TransactionEnds(Wal(data))[^2]);
        using var opened = new StoreFixture(StoreFixture.Small(data));
        OutOfService(opened, "os, same boot");
    }

    [Theory]
    [InlineData("journal")]
    [InlineData("wal")]
    [InlineData("run")]
    [InlineData("catalog")]
    public void A_file_that_is_missing_takes_its_shard_out_of_service_and_nothing_else_is_deleted(string kind)
    {
        var data = Copy();
        File.Delete(FileOf(data, kind));
        LeavesTheRest(data);
    }

    [Theory]
    [InlineData("wal", 0)]
    [InlineData("wal", 32)]
    [InlineData("wal", 4000)]
    [InlineData("run", 0)]
    [InlineData("run", 4096)]
    [InlineData("catalog", 0)]
    [InlineData("catalog", 4096)]
    public void A_file_that_is_cut_takes_its_shard_out_of_service_and_nothing_else_is_deleted(string kind, long length)
    {
        var data = Copy();
        WalFile.Cut(FileOf(data, kind), length);
        LeavesTheRest(data);
    }

    [Fact]
    public async Task A_catalog_older_than_the_files_takes_the_shard_out_of_service_and_nothing_is_deleted()
    {
        var data = Copy();
        var older = _directory.File("older-catalog.db");
        File.Copy(FileOf(data, "catalog"), older);
        using (var opened = Open(data))
        {
            await opened.AppendAsync("sample/0", new TestEvent("Newer"));
            await opened.SealAsync();
        }

        File.Copy(older, FileOf(data, "catalog"), overwrite: true);
        LeavesTheRest(data);
    }

    [Fact]
    public void Files_that_the_catalog_does_not_name_are_deleted()
    {
        var data = Copy();
        var left = new[] { "run-3.db", "journal-2.db", "journal-2.db-wal", "journal-2.db-shm" }.Select(
            name => Path.Combine(SampleStore.ShardPath(data), name))
            .Where(path => !File.Exists(path)).ToList();
        left.Count.ShouldBeGreaterThan(1);
        foreach (var path in left) File.WriteAllText(path, "left over");

        using var opened = Open(data);

        opened.Store.Troubles.ShouldBeEmpty();
        left.ShouldAllBe(path => !File.Exists(path));
    }

    [Fact]
    public async Task A_bit_flipped_in_a_journal_is_noticed_or_changes_no_answer()
    {
        var random = TestRun.Random();
        var bits = new FileInfo(Wal(sample.Path)).Length * 8;
        var noticed = 0;
        var flips = TestRun.Rounds("WARP_TEST_FLIPS", 200);
        for (var i = 0; i < flips; i++)
        {
            var data = Copy();
            var bit = random.NextInt64(bits);
            WalFile.FlipBit(Wal(data), bit);
            using (var opened = Open(data))
            {
                if (opened.Store.Troubles.Count > 0) noticed++;
                else SampleStore.ShouldBeEqual(await SampleStore.ReadAsync(opened), sample.Final, $"bit {bit}");
            }

            Directory.Delete(data, recursive: true);
        }

        noticed.ShouldBe(flips, "each bit of a journal is under a checksum, and the mark knows how far it must reach");
    }

    [Fact]
    public async Task A_bit_flipped_in_a_run_never_shows_other_events_and_hides_none()
    {
        var random = TestRun.Random();
        var run = Path.GetFileName(FileOf(sample.Path, "run"));
        var bytes = await File.ReadAllBytesAsync(Path.Combine(SampleStore.ShardPath(sample.Path), run));
        var used = Enumerable.Range(0, bytes.Length).Where(at => bytes[at] != 0).ToArray();
        int noticed = 0, refused = 0;
        var flips = TestRun.Rounds("WARP_TEST_FLIPS", 100);
        for (var i = 0; i < flips; i++)
        {
            var data = Copy();
            var bit = (used[random.Next(used.Length)] * 8L) + random.Next(8);
            WalFile.FlipBit(Path.Combine(SampleStore.ShardPath(data), run), bit);
            using (var opened = Open(data))
            {
                if (opened.Store.Troubles.Count > 0) noticed++;
                else
                    foreach (var (name, expected) in sample.Final)
                    {
                        try
                        {
                            if (await opened.HistoryAsync(name) is not { } history || !history.SequenceEqual(expected))
                                throw new ShouldAssertException($"bit {bit}: {name} has other events.");
                        }
                        catch (Exception e) when (e is DamagedDataException or ShardUnavailableException)
                        {
                            refused++;
                        }
                    }
            }

            Directory.Delete(data, recursive: true);
        }

        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{flips} flips: {noticed} noticed at the start, {refused} histories refused.");
    }

    [Fact]
    public async Task A_bit_flipped_in_a_runs_filter_is_noticed_at_the_start()
    {
        var run = FileOf(sample.Path, "run");
        byte[] filter;
        using (var database = SqliteDatabase.OpenImmutable(run))
        using (var read = database.PrepareOnce("SELECT value FROM meta WHERE key = 'filter'"))
            filter = read.Step() ? read.Blob(0).ToArray() : [];
        var at = (await File.ReadAllBytesAsync(run)).AsSpan().IndexOf(filter);
        for (var i = 0; i < filter.Length; i++)
        {
            var data = Copy();
            WalFile.FlipBit(FileOf(data, "run"), ((at + i) * 8L) + (i % 8));
            using (var opened = Open(data)) OutOfService(opened, $"byte {i}");
            Directory.Delete(data, recursive: true);
        }
    }

    private IEnumerable<(long Length, int Row)> Cuts()
    {
        var ends = WalFile.TransactionEnds(Wal(sample.Path));
        ends.Count.ShouldBe(sample.AfterEachRow.Count, "the table, then one row an append");
        yield return (0, -1);
        for (var i = 0; i < ends.Count; i++)
        {
            var before = i == 0 ? 32 : ends[i - 1];
            yield return (before + ((ends[i] - before) / 2), i - 1);
            yield return (ends[i], i);
        }
    }

    private static void LeavesTheRest(string data)
    {
        var before = Files(data);
        using (var opened = Open(data)) OutOfService(opened, "damaged");
        before.Except(Files(data), StringComparer.Ordinal).ShouldBeEmpty();

        static List<string> Files(string data) =>
            [.. Directory.EnumerateFiles(SampleStore.ShardPath(data)).Select(path => Path.GetFileName(path)!)
            .Where(name => name.StartsWith("run-", StringComparison.Ordinal) || name.EndsWith(".db-wal", StringComparison.Ordinal))];
    }

    private static void OutOfService(StoreFixture opened, string context)
    {
        opened.Store.Troubles.ShouldNotBeEmpty(context);
        opened.Store.IsServing.ShouldBeFalse(context);
        Should.Throw<ShardUnavailableException>(() => opened.ListAsync(), context);
    }

    private static StoreFixture Open(string data) => new(StoreFixture.Small(data, durability: Durability.Fsync));

    private string Copy()
    {
        var data = _directory.File($"copy-{_copies++}");
        sample.CopyTo(data);
        return data;
    }

    private static string Mark(string data) => Path.Combine(SampleStore.ShardPath(data), "mark");

    private static string Wal(string data) =>
        Directory.EnumerateFiles(SampleStore.ShardPath(data), "journal-*.db-wal").MaxBy(path => new FileInfo(path).Length)!;

    private static string FileOf(string data, string kind) => kind switch
    {
        "wal" => Wal(data),
        "journal" => Wal(data)[..^4],
        "run" => Directory.EnumerateFiles(SampleStore.ShardPath(data), "run-*.db").Order(StringComparer.Ordinal).First(),
        _ => Path.Combine(SampleStore.ShardPath(data), "catalog.db"),
    };

    /// <summary>As if the machine had been started anew since the mark was written.</summary>
    internal static void SetBootId(string data, Guid bootId)
    {
        var mark = File.ReadAllBytes(Mark(data));
        for (var at = 0; at < mark.Length; at += 4096)
        {
            bootId.TryWriteBytes(mark.AsSpan(at + 48), bigEndian: true, out _);
            BinaryPrimitives.WriteUInt32LittleEndian(mark.AsSpan(at + 64), Crc32C.Compute(mark.AsSpan(at, 64)));
        }

        File.WriteAllBytes(Mark(data), mark);
    }
}
