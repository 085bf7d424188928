namespace Warp.Http.Tests.Support;

/// <summary>What a trace says of the disk is what the disk was: seen, and after a power cut.</summary>
public sealed class DiskImageTests : IDisposable
{
    private readonly TempDirectory _directory = new("image");

    public DiskImageTests() => PowerLossDisk.SkipWhereImpossible();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("write a 0 xy", "fsync a", "fsync .", "write a 2 z", "write a 0 w")]
    [InlineData("mkdir d", "fsync .", "write d/a 0 x", "fsync d/a", "write d/b 0 y", "fsync d/b", "fsync d", "write d/c 0 z", "fsync d/c")]
    [InlineData("write a 0 x", "fsync .")]
    [InlineData("mkdir d", "write d/a 0 x", "fsync d/a", "fsync d", "mkdir e", "fsync e")]
    [InlineData("write a 0 x", "fsync a", "write t 0 z", "fsync t", "fsync .", "rename t a")]
    [InlineData("write a 0 x", "fsync a", "write t 0 z", "fsync t", "fsync .", "rename t a", "fsync .")]
    [InlineData("write a 0 x", "fsync a", "mkdir d", "fsync .", "unlink a", "rmdir d", "write b 0 y")]
    [InlineData("write a 0 x", "fsync a", "fsync .", "unlink a", "write a 0 yy", "fsync a", "fsync .")]
    [InlineData("write a 0 xyz", "fsync a", "fsync .", "truncate a 1")]
    [InlineData("write a 0 xyz", "fsync a", "fsync .", "truncate a 1", "truncate a 3", "fdatasync a")]
    [InlineData("write a 0 x", "dsync b", "write b 0 y", "fsync .")]
    public void An_image_is_what_was_seen_and_what_a_power_cut_left(params string[] operations) => IsTheDisk(faults: null, operations);

    [Fact]
    public void What_a_failed_fsync_dropped_is_in_no_image_after_a_power_cut() =>
        IsTheDisk("fail-fsync=a:2", "write a 0 x", "fsync a", "fsync .", "write a 1 yz", "fsync a", "write a 3 v", "fsync a");

    /// <summary>The cut is dropped like any write; the file's size is what is seen once a later sync succeeds.</summary>
    [Theory]
    [InlineData("write a 0 xyz", "fsync a", "fsync .", "truncate a 0", "fsync a", "write b 0 v")]
    [InlineData("write a 0 xyz", "fsync a", "fsync .", "truncate a 0", "fsync a", "write a 0 v", "fsync a")]
    [InlineData("write a 0 xyz", "fsync a", "fsync .", "truncate a 1", "fsync a", "fsync a")]
    public void A_cut_whose_fsync_failed_is_undone_by_a_power_cut_until_the_next_one(params string[] operations) => IsTheDisk("fail-fsync=a:2", operations);

    [Fact]
    public void By_chance_each_sector_and_each_name_is_kept_or_lost()
    {
        using var disk = new PowerLossDisk { Trace = _directory.File("trace") };
        disk.Run(PowerLossDisk.FsOps, ["write a 0 x", "fsync a", "fsync .", "write a 0 y", "write b 0 z"]);
        var image = Replay();
        var random = new Random(1);
        var kept = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < 50; i++)
        {
            var target = _directory.File($"some-{i}");
            image.WriteTo(target, DiskLoss.SomeUnsynced, random);
            kept.Add(Content(target)["a"]);
            kept.Add(Content(target).GetValueOrDefault("b", "no b"));
        }

        kept.Contains("no b").ShouldBeTrue();
        kept.ShouldContain(content => content.Contains('x', StringComparison.Ordinal) && content.Contains('y', StringComparison.Ordinal), "a page torn between sectors");
        kept.ShouldContain(content => content.Contains('z', StringComparison.Ordinal));
    }

    private void IsTheDisk(string? faults, params string[] operations)
    {
        using var disk = new PowerLossDisk { Trace = _directory.File("trace"), RewriteRestores = true };
        disk.Run(PowerLossDisk.FsOps, operations, faults).Lines.Count.ShouldBe(operations.Length);
        var image = Replay();
        image.WriteTo(_directory.File("seen"), DiskLoss.None, new Random(0));
        image.WriteTo(_directory.File("cut"), DiskLoss.Unsynced, new Random(0));

        Content(_directory.File("seen")).ShouldBe(Content(disk.Root));
        using var after = disk.CutPower();
        Content(_directory.File("cut")).ShouldBe(Content(after.Root));
    }

    private DiskImage Replay()
    {
        var image = new DiskImage();
        foreach (var call in DiskCall.ReadAll(_directory.File("trace"))) image.Apply(call);
        return image;
    }

    private static SortedDictionary<string, string> Content(string directory)
    {
        var content = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var child in Directory.EnumerateDirectories(directory, "*", SearchOption.AllDirectories))
            content.Add(Path.GetRelativePath(directory, child), "a directory");
        foreach (var file in Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories))
            content.Add(Path.GetRelativePath(directory, file), File.ReadAllText(file));
        return content;
    }
}
