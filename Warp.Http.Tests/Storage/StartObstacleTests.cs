using System.Security.Cryptography;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>
/// What keeps a start from its files and passes, such as too many open files, ends the start and nothing else: no shard is taken for damaged,
/// and the next start finds what this one found.
/// </summary>
public sealed class StartObstacleTests(FourShards sample) : IClassFixture<FourShards>, IDisposable
{
    private const int InputOutputError = 5;
    private const int OutOfMemory = 12;
    private const int TooManyOpenFiles = 24;
    private const int NoSpaceLeft = 28;

    private readonly TempDirectory _directory = new("start-obstacle");

    public void Dispose() => _directory.Dispose();

    /// <summary>A look is before each file: catalog, mark, the directory, each run, each journal's WAL and each journal.</summary>
    [Fact]
    public void At_each_look_at_a_file_it_ends_the_start_in_a_line_and_leaves_every_file_as_it_was()
    {
        var data = sample.CopyTo(_directory.File("data"));
        var before = Contents(data);
        Exception[] obstacles =
        [
            .. new[] { TooManyOpenFiles, NoSpaceLeft, OutOfMemory }.Select(error => new IOException("The test says no.", error)),
            new StorageException("The test\n  says no."), new UnauthorizedAccessException("The test says no."), new OutOfMemoryException("The test says no."),
            new FileNotFoundException("The test says no.", "System.IO.Hashing, Version=10.0.0.0, Culture=neutral"),
        ];
        var look = 1;
        for (; FailsToStart(data, StoreStep.Recovering, look, obstacles[look % obstacles.Length]) is { } said; look++)
        {
            said.ShouldContain("The test says no.", Case.Sensitive, $"look {look}");
            said.ShouldContain(Path.Combine(data, "shards"));
            said.ShouldNotContain('\n');
            Contents(data).ShouldBe(before, $"look {look}");
        }

        look.ShouldBeGreaterThan(4 * 7, "four shards, each with a catalog, a mark, a directory, two runs and a journal");
        HasEverything(data);
    }

    [Theory]
    [InlineData(StoreStep.Settling)]
    [InlineData(StoreStep.MakingJournal)]
    internal void When_the_first_change_is_made_it_ends_the_start_and_what_counts_stays(StoreStep step)
    {
        var data = sample.CopyTo(_directory.File("data"));
        var before = Contents(data).Where(file => !IsOfCatalog(file.Key)).ToDictionary(file => file.Key, file => file.Value, StringComparer.Ordinal);
        FailsToStart(data, step, 3, new IOException("The test says no.", NoSpaceLeft)).ShouldNotBeNull().ShouldContain("Make room on the disk.");
        var after = Contents(data);
        // What the catalog did not name goes, as at every start; here that is nothing, and empty journals may have come.
        foreach (var (file, content) in before) after.GetValueOrDefault(file).ShouldBe(content, file);
        HasEverything(data);
    }

    /// <summary>A supervisor starts again and again what does not start.</summary>
    [Fact]
    public void Starts_that_fail_leave_no_more_files_the_more_there_are()
    {
        var data = sample.CopyTo(_directory.File("data"));
        var files = new List<int>();
        for (var start = 0; start < 8; start++)
        {
            FailsToStart(data, StoreStep.MakingJournal, 2, new IOException("The test says no.", NoSpaceLeft)).ShouldNotBeNull();
            files.Add(Contents(data).Count);
        }

        files[4..].Max().ShouldBeLessThanOrEqualTo(files[..4].Max());
        HasEverything(data);
    }

    [Theory]
    [InlineData("catalog.db")]
    [InlineData("journal")]
    public void A_file_that_another_process_holds_ends_the_start_which_names_it(string kind)
    {
        var data = sample.CopyTo(_directory.File("data"));
        var shard = Path.Combine(data, "shards", "002");
        var path = Directory.EnumerateFiles(shard, kind + "*").Where(file => file.EndsWith(".db", StringComparison.Ordinal)).Order(StringComparer.Ordinal).Last();
        var before = Contents(data);
        using (var other = kind == "journal" ? SqliteDatabase.OpenOrCreate(path) : SqliteDatabase.OpenOrCreateChecked(path))
        {
            other.DisableCheckpointOnClose();
            other.Execute("PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE");
            var said = Should.Throw<DataDirectoryException>(() => FourShards.Open(data)).Message;
            said.ShouldContain(Path.GetFileName(path));
            said.ShouldContain("locked");
            said.ShouldContain("End whatever else has it open.");
        }

        Contents(data).ShouldBe(before);
        HasEverything(data);
    }

    [Fact]
    public void What_the_disk_no_longer_gives_takes_its_shard_out_of_service_and_the_others_serve()
    {
        var data = sample.CopyTo(_directory.File("data"));
        using var fixture = FourShards.Open(data, Failing(StoreStep.Recovering, 10, new IOException("The test's disk is broken.", InputOutputError)));
        fixture.Store.Troubles.ShouldHaveSingleItem().ShouldContain("The test's disk is broken.");
        fixture.Store.IsServing.ShouldBeTrue();
    }

    [Theory]
    [InlineData(TooManyOpenFiles, "ulimit -Hn")]
    [InlineData(23, "fs.file-max")]
    [InlineData(NoSpaceLeft, "Make room")]
    [InlineData(OutOfMemory, "more memory")]
    [InlineData(13, "the user")]
    [InlineData(30, "the user")]
    [InlineData(11, "has it open")]
    public void It_says_what_to_do(int error, string advice)
    {
        SystemErrors.AdviceFor(new IOException("No.", error)).ShouldNotBeNull().ShouldContain(advice);
        SystemErrors.AdviceFor(new StorageException("No.") { SystemError = error }).ShouldNotBeNull().ShouldContain(advice);
    }

    [Fact]
    public void An_assembly_that_cannot_be_loaded_is_no_missing_file()
    {
        ReadFailure.IsDamage(new FileNotFoundException("No.", "ZstdSharp, Version=0.8.5.0, Culture=neutral")).ShouldBeFalse();
        ReadFailure.IsDamage(new FileNotFoundException("No.")).ShouldBeFalse();
        ReadFailure.IsDamage(new FileNotFoundException("No.", _directory.File("run-1.db"))).ShouldBeTrue();
        Should.Throw<Exception>(() => new FileInfo(_directory.File("run-1.db")).Length).ShouldSatisfyAllConditions(e => ReadFailure.IsDamage(e).ShouldBeTrue());
    }

    /// <returns>What it says; null if it starts.</returns>
    private static string? FailsToStart(string data, StoreStep step, int at, Exception obstacle)
    {
        try
        {
            using var fixture = FourShards.Open(data, Failing(step, at, obstacle));
            fixture.Store.AllShards.ToArray().ShouldAllBe(shard => shard.Damage == null);
            return null;
        }
        catch (DataDirectoryException e)
        {
            return e.Message;
        }
    }

    private static Action<StoreStep> Failing(StoreStep step, int at, Exception obstacle)
    {
        var count = 0;
        return taken =>
        {
            if (taken == step && ++count == at) throw obstacle;
        };
    }

    private void HasEverything(string data)
    {
        using var fixture = FourShards.Open(data);
        fixture.Store.Troubles.ShouldBeEmpty();
        fixture.Store.AllShards.ToArray().Sum(shard => shard.DurablePosition).ShouldBe(sample.Events);
    }

    private static bool IsOfCatalog(string file) => Path.GetFileName(file).StartsWith("catalog.db", StringComparison.Ordinal);

    private static Dictionary<string, string> Contents(string data) => Directory.EnumerateFiles(data, "*", SearchOption.AllDirectories)
        .Where(file => Path.GetFileName(file) != "lock").ToDictionary(file => Path.GetRelativePath(data, file), HashOf, StringComparer.Ordinal);

    private static string HashOf(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        return Convert.ToHexString(SHA256.HashData(stream));
    }
}
