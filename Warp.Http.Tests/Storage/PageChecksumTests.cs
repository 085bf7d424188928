using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>Runs and the catalog are SQLite files whose pages have checksums: no bit of them can change unnoticed.</summary>
public sealed class PageChecksumTests : IDisposable
{
    private readonly TempDirectory _directory = new("pages");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Every_page_that_is_written_has_its_checksum_and_room_for_it()
    {
        var path = Create(rows: 3_000);
        var bytes = File.ReadAllBytes(path);
        bytes[20].ShouldBe((byte)PageChecksum.ReservedBytes, "SQLite's own record of the reserved bytes");
        (bytes.Length % PageChecksum.PageBytes).ShouldBe(0);
        var pages = bytes.Length / PageChecksum.PageBytes;
        pages.ShouldBeGreaterThan(20);
        for (var i = 0; i < pages; i++) PageChecksum.IsIntact(Page(bytes, i), i + 1).ShouldBeTrue($"page {i + 1}");
        PageChecksum.IsIntact(Page(bytes, 2), 4).ShouldBeFalse("a page in another's place");
    }

    [Fact]
    public void A_flipped_bit_anywhere_in_a_file_is_noticed_when_its_page_is_read()
    {
        var path = Create(rows: 500);
        var intact = File.ReadAllBytes(path);
        var random = TestRun.Random();
        var pages = intact.Length / PageChecksum.PageBytes;
        for (var page = 0; page < pages; page++)
        {
            // Each part of each page: its header, its cells, its free room, the checksum itself.
            for (var part = 0; part < 8; part++)
            {
                var bytes = (byte[])intact.Clone();
                var at = (page * PageChecksum.PageBytes) + (part == 7 ? PageChecksum.PageBytes - 1 : (part * 512) + random.Next(512));
                bytes[at] ^= (byte)(1 << random.Next(8));
                File.WriteAllBytes(path, bytes);
                Should.Throw<DamagedDataException>(() => ReadAll(path), $"byte {at}");
            }
        }

        File.WriteAllBytes(path, intact);
        ReadAll(path).ShouldBe(500);
    }

    [Fact]
    public void A_flipped_bit_in_the_header_is_noticed_at_every_byte()
    {
        var path = Create(rows: 10);
        var intact = File.ReadAllBytes(path);
        for (var at = 0; at < 100; at++)
        {
            var bytes = (byte[])intact.Clone();
            bytes[at] ^= 1;
            File.WriteAllBytes(path, bytes);
            Should.Throw<DamagedDataException>(() => ReadAll(path), $"byte {at}");
        }
    }

    [Fact]
    public void A_page_that_was_cut_or_put_in_anothers_place_is_noticed()
    {
        var path = Create(rows: 500);
        var intact = File.ReadAllBytes(path);
        File.WriteAllBytes(path, intact[..^100]);
        Should.Throw<DamagedDataException>(() => ReadAll(path), "the last page is cut");

        var bytes = (byte[])intact.Clone();
        intact.AsSpan(3 * PageChecksum.PageBytes, PageChecksum.PageBytes).CopyTo(bytes.AsSpan(4 * PageChecksum.PageBytes));
        File.WriteAllBytes(path, bytes);
        Should.Throw<DamagedDataException>(() => ReadAll(path), "page 5 is page 4");
    }

    [Fact]
    public void Large_values_are_read_through_the_checksum_too()
    {
        var path = _directory.File("large.db");
        using (var database = SqliteDatabase.OpenOrCreateChecked(path))
        {
            database.Execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)");
            using var insert = database.PrepareOnce("INSERT INTO t VALUES(1, ?)");
            insert.Bind(1, new byte[100_000]).Run();
        }

        var read = PageVfs.PagesRead;
        ReadAll(path).ShouldBe(1);
        (PageVfs.PagesRead - read).ShouldBeGreaterThan(100_000 / PageChecksum.PageBytes);
        var bytes = File.ReadAllBytes(path);
        bytes[50_000] ^= 4;
        File.WriteAllBytes(path, bytes);
        Should.Throw<DamagedDataException>(() => ReadAll(path));
    }

    [Fact]
    public void A_transaction_that_was_cut_off_is_rolled_back_with_its_checksums()
    {
        var path = Create(rows: 200);
        var copy = _directory.File("crashed.db");
        using (var database = SqliteDatabase.OpenOrCreateChecked(path))
        {
            // A cache of a few pages spills into the file before the commit: what stands there then is what a crash leaves.
            database.Execute("PRAGMA cache_size=5; BEGIN; UPDATE t SET v = zeroblob(900)");
            File.Copy(path, copy);
            File.Copy(path + "-journal", copy + "-journal");
        }

        using (var database = SqliteDatabase.OpenOrCreateChecked(copy)) database.Execute("SELECT count(*) FROM t");
        ReadAll(copy).ShouldBe(200);
    }

    private static ReadOnlySpan<byte> Page(byte[] bytes, int index) => bytes.AsSpan(index * PageChecksum.PageBytes, PageChecksum.PageBytes);

    private string Create(int rows)
    {
        var path = _directory.File("t.db");
        using var database = SqliteDatabase.OpenOrCreateChecked(path);
        database.Execute("CREATE TABLE t(id INTEGER PRIMARY KEY, v BLOB)");
        using var insert = database.PrepareOnce("INSERT INTO t VALUES(?, ?)");
        database.InTransaction(() =>
        {
            for (var i = 1; i <= rows; i++) insert.Bind(1, i).Bind(2, new byte[20 + (i % 150)]).Run();
        });
        return path;
    }

    private static int ReadAll(string path)
    {
        using var database = SqliteDatabase.OpenImmutable(path);
        using var read = database.PrepareOnce("SELECT id, v FROM t ORDER BY id");
        var rows = 0;
        while (read.Step())
        {
            rows++;
            read.Blob(1).Length.ShouldBeGreaterThan(0);
        }

        return rows;
    }
}
