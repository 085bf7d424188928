using System.Text;
using Microsoft.Data.Sqlite;
using Warp.Http.Projections;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Projections;

public sealed class SqliteProjectionStoreTests : ProjectionStoreTests
{
    private readonly TempDirectory _directory = new("projections");

    private string Path => _directory.File("projections.db");

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _directory.Dispose();
    }

    private protected override Task<IProjectionStore> OpenAsync() => Task.FromResult<IProjectionStore>(new SqliteProjectionStore(Path));

    private protected override Task<List<string>> SelectAsync(string sql) => Task.FromResult(SqliteFile.Select(Path, sql));

    private protected override Task ExecuteAsync(string sql)
    {
        SqliteFile.Execute(Path, sql);
        return Task.CompletedTask;
    }

    [Fact]
    public async Task What_was_removed_is_in_no_file_after_a_purge()
    {
        const string secret = "a-secret-that-must-go";
        var table = Table(1);
        await Store.CreateAsync(table, "p0", default);
        await Store.ApplyAsync(Batch(table, "p0", "p1", [.. Enumerable.Range(1, 500).Select(i => (256L * i, 1L, i % 7 == 0 ? secret : "other", (long?)i))]), default);
        (await Store.PurgeAsync(default)).ShouldBeTrue();
        FilesHold(secret).ShouldBeTrue();
        var erasing = new ProjectionBatch(table, "p1") { Next = "p2" };
        erasing.Removed.AddRange(Enumerable.Range(1, 500).Where(i => i % 7 == 0).Select(i => new RowKey(256L * i, long.MaxValue)));

        await Store.ApplyAsync(erasing, default);
        (await Store.PurgeAsync(default)).ShouldBeTrue();

        FilesHold(secret).ShouldBeFalse();
        FilesHold("other").ShouldBeTrue("it would be found");
    }

    [Fact]
    public async Task A_purge_waits_for_readers_and_says_so()
    {
        var table = Table(1);
        await Store.CreateAsync(table, "p0", default);
        await using var reader = SqliteFile.Open(Path, SqliteOpenMode.ReadOnly);
        await using (var transaction = await reader.BeginTransactionAsync())
        {
            SqliteFile.Select(reader, $"SELECT count(*) FROM {table.Name}").ShouldBe(["0"]);
            await Store.ApplyAsync(Batch(table, "p0", "p1", (256, 1, "a", 1)), default);

            (await Store.PurgeAsync(default)).ShouldBeFalse();
        }

        (await Store.PurgeAsync(default)).ShouldBeTrue();
    }

    [Fact]
    public async Task A_file_that_is_no_database_stops_every_call_and_is_left_alone()
    {
        await Store.DisposeAsync();
        await File.WriteAllTextAsync(Path, new string('x', 8192), TestContext.Current.CancellationToken);
        await using var store = new SqliteProjectionStore(Path);

        (await Should.ThrowAsync<ProjectionStoreException>(async () => await store.ReadTablesAsync(default))).IsTransient.ShouldBeFalse();

        (await File.ReadAllTextAsync(Path, TestContext.Current.CancellationToken)).ShouldBe(new string('x', 8192));
        File.Delete(Path);
        (await store.ReadTablesAsync(default)).ShouldBeEmpty("it goes on by itself");
    }

    private bool FilesHold(string text) =>
        Directory.GetFiles(_directory.Path).Any(file => ReadShared(file).AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0);

    private static byte[] ReadShared(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }
}
