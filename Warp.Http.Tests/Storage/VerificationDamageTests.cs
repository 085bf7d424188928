using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>Whatever is changed in a store's files is found by a verification, which names the file and takes that shard out of service.</summary>
public sealed class VerificationDamageTests(FourShards sample) : IClassFixture<FourShards>, IDisposable
{
    private const string Run = "shards/002/run";
    private readonly TempDirectory _directory = new("verify");
    private int _copies;

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("UPDATE piece SET body = zeroblob(length(body)) WHERE id = (SELECT id FROM piece ORDER BY id LIMIT 1 OFFSET 2)")]
    [InlineData("UPDATE piece SET last_seq = last_seq + 1 WHERE id = (SELECT max(id) FROM piece)")]
    [InlineData("UPDATE piece SET id = id + 1 WHERE id = (SELECT max(id) FROM piece)")]
    [InlineData("DELETE FROM piece WHERE id = (SELECT max(id) FROM piece)")]
    [InlineData("DELETE FROM piece WHERE id = (SELECT min(id) FROM piece)")]
    [InlineData("UPDATE meta SET value = value + 1 WHERE key = 'events'")]
    [InlineData("UPDATE meta SET value = value + 1 WHERE key = 'names'")]
    [InlineData("UPDATE meta SET value = zeroblob(length(value)) WHERE key = 'filter'")]
    [InlineData("UPDATE names SET name = CAST('other/one' AS BLOB) WHERE entity = (SELECT min(entity) FROM names)")]
    [InlineData("DELETE FROM names WHERE entity = (SELECT max(entity) FROM names)")]
    [InlineData("DELETE FROM tag WHERE id = (SELECT min(id) FROM tag)")]
    [InlineData("UPDATE tag SET entity = entity + 1 WHERE id = (SELECT max(id) FROM tag)")]
    [InlineData("UPDATE ids SET hashes = zeroblob(length(hashes)) WHERE id = (SELECT min(id) FROM ids)")]
    [InlineData("DELETE FROM ids WHERE id = (SELECT max(id) FROM ids)")]
    [InlineData("INSERT INTO snap VALUES((SELECT min(entity) FROM names) << 8, x'00')")]
    [InlineData("DROP TABLE ids")]
    public async Task What_contradicts_itself_under_right_checksums_is_found(string sql)
    {
        await IsFoundInServiceAsync(Run, path => Execute(path, sql));
    }

    [Fact]
    public async Task A_piece_that_was_changed_under_right_checksums_of_pages_is_found() =>
        await IsFoundAsync(Run, path => Execute(path, "UPDATE piece SET body = zeroblob(length(body)) WHERE id = (SELECT max(id) FROM piece)"));

    [Fact]
    public async Task A_flipped_bit_on_any_page_of_a_run_is_found()
    {
        var random = TestRun.Random();
        var pages = new FileInfo(FileOf(sample.Path, Run)).Length / PageChecksum.PageBytes;
        for (var page = 0L; page < pages; page++)
        {
            var at = (page * PageChecksum.PageBytes) + random.Next(PageChecksum.PageBytes);
            if (page == random.Next((int)pages)) await IsFoundAsync(Run, path => Flip(path, at));
            else await IsFoundInServiceAsync(Run, path => Flip(path, at));
        }
    }

    [Theory]
    [InlineData(Run)]
    [InlineData("shards/002/journal")]
    public async Task A_file_that_is_missing_or_cut_is_found(string file)
    {
        await IsFoundAsync(file, File.Delete);
        await IsFoundAsync(file, path =>
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
            stream.SetLength(stream.Length / 2);
        });
    }

    [Theory]
    [InlineData("shards/002/catalog.db", 5000)]
    [InlineData("shards/002/catalog.db", 20)]
    [InlineData("shards/002/journal", 6000)]
    [InlineData("shards/002/journal", 12)]
    public async Task A_flipped_bit_in_a_journal_or_the_catalog_is_found(string file, int at) => await IsFoundAsync(file, path => Flip(path, at));

    [Fact]
    public async Task Of_a_shard_that_a_start_left_out_of_service_the_damaged_files_are_named()
    {
        var data = Copy();
        var run = FileOf(data, Run);
        Flip(run, 50); // page 1: the run can't even be opened
        Flip(Path.Combine(data, "shards", "002", "catalog.db"), 8192);
        using var fixture = FourShards.Open(data);
        fixture.Store.AllShards[2].CanBeVerified.ShouldBeFalse();
        var report = await fixture.Store.Verification.RunAsync();
        report.Problems.ShouldAllBe(p => p.Shard == 2);
        report.Problems[0].File.ShouldBe("shards/002");
        report.Problems.Skip(1).Select(p => $"{p.File} {p.Where}").ShouldBe(["shards/002/catalog.db page 3", $"{Path.GetRelativePath(data, run)} page 1"]);
    }

    [Fact]
    public async Task A_mark_without_a_whole_record_is_found()
    {
        using var fixture = FourShards.Open(Copy(out var data));
        var mark = Path.Combine(data, "shards", "002", "mark");
        Flip(mark, 20);
        (await fixture.Store.Verification.RunAsync()).Problems.ShouldBeEmpty("the other record holds");
        Flip(mark, 4096 + 20);
        var report = await fixture.Store.Verification.RunAsync();
        report.Problems.ShouldHaveSingleItem().File.ShouldBe(Path.Combine("shards", "002", "mark"));
        fixture.Store.AllShards[2].Damage.ShouldNotBeNull();
    }

    [Fact]
    public void Positions_that_are_used_twice_are_found()
    {
        using (var builder = new RunBuilder(_directory.Path, 1, 7, new RunBases(1, 0)))
        {
            builder.AddName(1, default, "a/1"u8);
            builder.AddName(2, new NameTag(9, 9), "a/2"u8);
            Add(builder, 1, 1, 3);
            Add(builder, 2, 3, 1);
            Add(builder, 2, 5, 1, firstSeq: 2);
            builder.Finish(5, 1);
        }

        var problems = new List<string>();
        using var run = Warp.Http.Storage.Run.Open(_directory.Path, 1, _ => { });
        var check = new PieceCheck(run, new SeqTable(), isAgain: false, new Tombstones(), 7, (where, what) => problems.Add(what));
        while (!run.Read(check, static (reader, check) => check.Step(reader)))
        {
        }

        problems.ShouldBe(["Position 3 is used twice."]);
    }

    /// <summary>In service by a verification, and after the next start: the file is named, its shard is out of service, the others serve.</summary>
    private async Task IsFoundAsync(string file, Action<string> damage)
    {
        await IsFoundInServiceAsync(file, damage);
        var stopped = Copy();
        damage(FileOf(stopped, file));
        using var next = new StoreFixture(StoreFixture.Small(stopped, shards: 4));
        // A start looks at checksums and pieces of what is new; the rest is found by the verification behind it.
        if (next.Store.AllShards[2].Damage is null) (await next.Store.Verification.RunAsync()).Problems[0].File.ShouldStartWith("shards/002/run-");
        await OthersServeAsync(next, file.Split('/')[^1]);
    }

    private async Task IsFoundInServiceAsync(string file, Action<string> damage)
    {
        using var fixture = FourShards.Open(Copy(out var data));
        await WriteToJournalAsync(fixture);
        var path = FileOf(data, file);
        damage(path);
        var report = await fixture.Store.Verification.RunAsync();
        report.Status.ShouldBe(VerifyStatus.Damaged, file);
        report.Problems[0].Shard.ShouldBe(2);
        report.Problems[0].File.ShouldBe(Path.GetRelativePath(data, path));
        report.Problems.ShouldAllBe(p => p.Shard == 2);
        report.Shards.Select(s => s.Status).ShouldBe([VerifyStatus.Ok, VerifyStatus.Ok, VerifyStatus.Damaged, VerifyStatus.Ok]);
        await OthersServeAsync(fixture, Path.GetFileName(path));
    }

    private static void Execute(string path, string sql)
    {
        using var database = SqliteDatabase.OpenOrCreateChecked(path);
        database.Execute($"PRAGMA journal_mode=OFF; {sql}");
    }

    /// <summary>What recovery read is sealed at once; then the shard's journal gets rows of its own.</summary>
    private async Task WriteToJournalAsync(StoreFixture fixture)
    {
        await Eventually.BecomesTrueAsync("all is sealed", () => fixture.Store.AllShards.ToArray().All(s => s.Views.Current.Memtables.Length == 1));
        var entity = sample.Counts.Keys.First(e => fixture.Store.ShardOf(StoreFixture.Bytes(e)).Index == 2);
        for (var i = 0; i < 5; i++) (await fixture.AppendAsync(entity, new TestEvent("Moved"))).Status.ShouldBe(AppendStatus.Appended);
    }

    private async Task OthersServeAsync(StoreFixture fixture, string file)
    {
        var shards = fixture.Store.AllShards.ToArray();
        shards[2].Damage.ShouldNotBeNull($"{file} is damaged").ShouldContain("Shard 2 is out of service");
        fixture.Store.Troubles.ShouldHaveSingleItem();
        foreach (var (entity, count) in sample.Counts)
        {
            if (fixture.Store.ShardOf(StoreFixture.Bytes(entity)).Index == 2)
                await Should.ThrowAsync<ShardUnavailableException>(() => fixture.HistoryAsync(entity));
            else
                (await fixture.HistoryAsync(entity))!.Count.ShouldBe(count);
        }
    }

    private static void Add(RunBuilder builder, long entity, long position, int count, long firstSeq = 1)
    {
        var command = new TestAppend("a/1", [.. Enumerable.Range(0, count).Select(_ => new TestEvent("Moved"))]).ToCommand();
        builder.Add(entity, new EntitySlice
        {
            FirstSeq = firstSeq,
            Count = count,
            FirstPosition = position,
            CommittedMs = 1,
            IndexInAppend = 0,
            Key = default,
            Events = command.Events.Bytes,
        });
        command.Return();
    }

    private static void Flip(string path, long at)
    {
        using var stream = new FileStream(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        stream.Position = at;
        var old = stream.ReadByte();
        stream.Position = at;
        stream.WriteByte((byte)(old ^ 0x10));
    }

    /// <summary>The first run, or the write-ahead log of the journal that has rows.</summary>
    private static string FileOf(string data, string file)
    {
        var path = Path.Combine(data, file);
        if (File.Exists(path)) return path;
        var candidates = Directory.EnumerateFiles(Path.GetDirectoryName(path)!, Path.GetFileName(path) + "-*");
        return file == Run ? candidates.Order(StringComparer.Ordinal).First() : candidates.Where(c => c.EndsWith("-wal", StringComparison.Ordinal)).MaxBy(c => new FileInfo(c).Length)!;
    }

    private string Copy() => Copy(out _);

    private string Copy(out string data) => data = sample.CopyTo(_directory.File($"copy-{_copies++}"));
}
