namespace Warp.Http.Tests.Support;

/// <summary>The disk is itself proved: a simulation that forgets too little would let every mutant live.</summary>
public sealed class PowerLossDiskTests
{
    private const int Block = 4096;

    public PowerLossDiskTests() => PowerLossDisk.SkipWhereImpossible();

    [Fact]
    public void What_was_not_fsynced_is_lost()
    {
        using var disk = new PowerLossDisk();
        Do(disk, "write a 0 xy", "fsync a", "fsync .", "write a 2 z", "write a 0 w");

        Content(disk, "a").ShouldBe("wyz");
        using var after = disk.CutPower();
        Content(after, "a").ShouldBe("xy");
    }

    [Theory]
    [InlineData("fsync a")]
    [InlineData("fdatasync a")]
    [InlineData("dl-fsync a")]
    public void Each_way_to_sync_is_seen(string sync)
    {
        using var disk = new PowerLossDisk();
        Do(disk, "write a 0 xy", sync, "write a 1 z", sync, "fsync .");

        using var after = disk.CutPower();
        Content(after, "a").ShouldBe("xz");
    }

    [Fact]
    public void A_file_opened_for_synchronous_writes_needs_no_fsync()
    {
        using var disk = new PowerLossDisk();
        Do(disk, "dsync a", "write a 0 xy", "fsync .");

        using var after = disk.CutPower();
        Content(after, "a").ShouldBe("xy");
    }

    [Fact]
    public void A_new_file_vanishes_unless_its_directory_is_fsynced()
    {
        using var disk = new PowerLossDisk();
        Do(disk, "mkdir d", "fsync .", "write d/a 0 x", "fsync d/a", "write d/b 0 y", "fsync d/b", "fsync d", "write d/c 0 z", "fsync d/c");

        using var after = disk.CutPower();
        Names(after, "d").ShouldBe(["a", "b"]);
    }

    [Fact]
    public void With_the_manners_of_ext4_fsync_of_a_new_file_keeps_its_name()
    {
        using var disk = new PowerLossDisk { FsyncLinks = true };
        Do(disk, "write a 0 x", "fsync a", "write b 0 y");

        using var after = disk.CutPower();
        Names(after).ShouldBe(["a"]);
    }

    [Fact]
    public void A_file_whose_name_alone_is_durable_is_empty()
    {
        using var disk = new PowerLossDisk();
        Do(disk, "write a 0 x", "fsync .");

        using var after = disk.CutPower();
        Content(after, "a").ShouldBe("");
    }

    [Fact]
    public void A_new_directory_vanishes_with_all_in_it_unless_its_parent_is_fsynced()
    {
        using var disk = new PowerLossDisk();
        Do(disk, "mkdir d", "write d/a 0 x", "fsync d/a", "fsync d", "mkdir e", "write e/a 0 x", "fsync e/a", "fsync e");
        using (var early = disk.CutPower()) Names(early).ShouldBeEmpty();

        Do(disk, "fsync .");
        using var after = disk.CutPower();
        Names(after, "d").ShouldBe(["a"]);
    }

    [Fact]
    public void Rename_and_unlink_are_undone_unless_the_directory_is_fsynced()
    {
        using var disk = new PowerLossDisk();
        Do(disk, "write a 0 x", "fsync a", "write b 0 y", "fsync b", "write t 0 z", "fsync t", "fsync .", "rename t a", "unlink b");

        using (var undone = disk.CutPower())
        {
            Names(undone).ShouldBe(["a", "b", "t"]);
            Content(undone, "a").ShouldBe("x");
        }

        Do(disk, "fsync .");
        using var after = disk.CutPower();
        Names(after).ShouldBe(["a"]);
        Content(after, "a").ShouldBe("z");
    }

    [Fact]
    public void An_unlinked_file_that_comes_back_is_not_mixed_up_with_one_created_since()
    {
        using var disk = new PowerLossDisk();
        Do(disk, "write a 0 x", "fsync a", "mkdir d", "write d/a 0 o", "fsync d/a", "fsync d", "fsync .");
        Do(disk, "unlink a", "write b 0 y", "fsync b", "unlink d/a", "rmdir d", "mkdir e", "write e/a 0 n", "fsync e/a", "fsync e");

        using var after = disk.CutPower();
        Names(after).ShouldBe(["a", "d"]);
        Content(after, "a").ShouldBe("x");
        Names(after, "d").ShouldBe(["a"]);
        Content(after, "d/a").ShouldBe("o");
    }

    [Fact]
    public void Truncation_is_durable_with_the_next_fsync_and_what_was_cut_stays_zero()
    {
        using var disk = new PowerLossDisk();
        Do(disk, "write a 0 xyz", "fsync a", "fsync .", "truncate a 1");
        using (var early = disk.CutPower()) Content(early, "a").ShouldBe("xyz");

        Do(disk, "truncate a 3", "fsync a");
        using var after = disk.CutPower();
        Content(after, "a").ShouldBe("x\0\0");
    }

    [Fact]
    public void A_failed_fsync_drops_its_pages_for_ever_while_reads_still_see_them()
    {
        using var disk = new PowerLossDisk();
        Do(disk, "write a 0 x", "fsync a", "fsync .");

        Lines(disk, "fail-fsync=a:1", "write a 1 yz", "fsync a", "write a 2 w", "write a 3 v", "fsync a")
            .ShouldBe(["ok", "EIO", "ok", "ok", "ok"]);

        Content(disk, "a").ShouldBe("xywv");
        using (var after = disk.CutPower()) Content(after, "a").ShouldBe("x\0\0v");
        // The next process's fsync must not bring them back either: what is lost is kept with the disk.
        Do(disk, "fsync a", "write a 4 u", "fsync a");
        using var later = disk.CutPower();
        Content(later, "a").ShouldBe("x\0\0vu");
    }

    [Fact]
    public void With_the_manners_of_Linux_a_dropped_page_that_is_written_again_is_durable_again()
    {
        using var disk = new PowerLossDisk { RewriteRestores = true };
        Do(disk, "write a 0 x", "fsync a", "fsync .");

        Lines(disk, "fail-fsync=a:1", "write a 1 yz", "fsync a", "write a 2 w", "fsync a").ShouldBe(["ok", "EIO", "ok", "ok"]);

        using var after = disk.CutPower();
        Content(after, "a").ShouldBe("x\0w");
    }

    [Fact]
    public void A_kill_before_the_fsync_leaves_the_page_cache_and_the_next_process_can_make_it_durable()
    {
        using var disk = new PowerLossDisk();
        Do(disk, "write a 0 x", "fsync a", "fsync .");

        var (lines, exit) = disk.Run(PowerLossDisk.FsOps, ["write a 1 y", "fsync a", "write a 2 z"], "kill-before-fsync=a:1");
        exit.ShouldBe(137);
        lines.ShouldBe(["ok"]);

        Content(disk, "a").ShouldBe("xy");
        using (var cut = disk.CutPower()) Content(cut, "a").ShouldBe("x");
        Do(disk, "fsync a");
        using var after = disk.CutPower();
        Content(after, "a").ShouldBe("xy");
    }

    [Fact]
    public void A_write_can_find_the_disk_full_once_or_from_then_on()
    {
        using var disk = new PowerLossDisk();

        Lines(disk, "fail-write=a:2", "write a 0 x", "write a 1 y", "write a 1 z").ShouldBe(["ok", "ENOSPC", "ok"]);
        Lines(disk, "fail-write=b:2+:EIO", "write b 0 x", "write b 1 y", "write b 1 z", "write c 0 x").ShouldBe(["ok", "EIO", "EIO", "ok"]);
    }

    [Fact]
    public void Faults_are_matched_by_pattern_and_armed_through_the_control_file()
    {
        using var disk = new PowerLossDisk();
        disk.Arm("fail-fsync=journal-*.db-wal:1");

        Lines(disk, null, "write journal-1.db 0 x", "fsync journal-1.db",
                "write journal-1.db-wal 0 x", "fsync journal-1.db-wal", "fsync journal-1.db-wal")
            .ShouldBe(["ok", "ok", "ok", "EIO", "ok"]);
        disk.IsArmed.ShouldBeTrue();
    }

    [Fact]
    public void What_lies_there_already_can_be_declared_durable()
    {
        using var disk = new PowerLossDisk();
        Directory.CreateDirectory(Path.Combine(disk.Root, "d"));
        File.WriteAllText(Path.Combine(disk.Root, "d", "a"), "x");
        disk.Settle();

        using var after = disk.CutPower();
        Content(after, "d/a").ShouldBe("x");
        using var again = after.CutPower();
        Content(again, "d/a").ShouldBe("x");
    }

    private static void Do(PowerLossDisk disk, params string[] operations) =>
        Lines(disk, null, operations).ShouldBe(Enumerable.Repeat("ok", operations.Length));

    private static IReadOnlyList<string> Lines(PowerLossDisk disk, string? faults, params string[] operations) =>
        disk.Run(PowerLossDisk.FsOps, operations, faults).Lines;

    private static IEnumerable<string> Names(PowerLossDisk disk, string directory = "") =>
        new DirectoryInfo(Path.Combine(disk.Root, directory)).EnumerateFileSystemInfos()
            .Select(entry => entry.Name).Order(StringComparer.Ordinal);

    /// <summary>One letter a block: the one that fills it.</summary>
    private static string Content(PowerLossDisk disk, string name) =>
        string.Concat(File.ReadAllText(Path.Combine(disk.Root, name)).Chunk(Block).Select(block => block.Distinct().Single()));
}
