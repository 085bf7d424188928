using Warp.Http.Projections;

namespace Warp.Http.Tests.Projections;

/// <summary>What the projector relies on, whatever the store is.</summary>
public abstract class ProjectionStoreTests : IAsyncLifetime
{
    private IProjectionStore? _store;

    private static readonly string[] s_columns = ["id", "n", "real", "any"];

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    internal IProjectionStore Store => _store!;

    public async ValueTask InitializeAsync() => _store = await OpenAsync();

    public virtual async ValueTask DisposeAsync()
    {
        await Store.DisposeAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>A store over what earlier calls of the same test left; empty at first.</summary>
    private protected abstract Task<IProjectionStore> OpenAsync();

    /// <summary>Rows of a query as text, values separated by bars, NULL as <c>NULL</c>.</summary>
    private protected abstract Task<List<string>> SelectAsync(string sql);

    /// <summary>Runs a statement behind the store's back.</summary>
    private protected abstract Task ExecuteAsync(string sql);

    [Fact]
    public async Task An_empty_store_has_no_tables_and_knows_no_name()
    {
        (await Store.ReadTablesAsync(Cancel)).ShouldBeEmpty();
        (await Store.FindNameAsync("accounts", Cancel)).ShouldBe(new NameOwner(false, null));
        (await Store.ReadPositionAsync("warp_accounts_1", Cancel)).ShouldBeNull();
        (await Store.ReadFailedAsync("warp_accounts_1", 10, Cancel)).Count.ShouldBe(0);
        (await Store.PurgeAsync(Cancel)).ShouldBeTrue();
    }

    [Fact]
    public async Task A_table_is_made_filled_and_shown_and_stands_after_the_store_was_opened_anew()
    {
        var table = Table(1);
        await Store.CreateAsync(table, "p0", Cancel);
        await Store.CreateAsync(table, "p9", Cancel);
        (await Store.ReadPositionAsync(table.Name, Cancel)).ShouldBe("p0", "made once");
        (await Store.FindNameAsync("accounts", Cancel)).ShouldBe(default);

        (await Store.ApplyAsync(Batch(table, "p0", "p1", (256, 3, "alice", 7), (512, 1, "bob", null)), Cancel)).ShouldBeTrue();
        await Store.CreateIndexesAsync(table, Cancel);
        await Store.CreateIndexesAsync(table, Cancel);
        await Store.PublishAsync(table, [], Cancel);
        await Store.PublishAsync(table, [], Cancel);
        await ReopenAsync();

        (await Store.ReadTablesAsync(Cancel)).ShouldBe([new StoredTable(table.Name, "p", "accounts", true, "p1", table.Spec)]);
        (await Store.FindNameAsync("ACCOUNTS", Cancel)).ShouldBe(new NameOwner(true, "p"));
        (await SelectAsync("SELECT * FROM accounts ORDER BY id")).ShouldBe(["alice|7|1.5|NULL", "bob|NULL|1.5|NULL"]);
        (await SelectAsync($"SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = '{table.Name}'")).ShouldBe([table.Name + "_i0"]);
    }

    [Fact]
    public async Task Values_keep_their_types()
    {
        var table = Table(1);
        await Store.CreateAsync(table, "p0", Cancel);
        SqlValue[] any = [SqlValue.Null, SqlValue.Of(long.MaxValue), SqlValue.Of(long.MinValue), SqlValue.Of(0.1), SqlValue.Of(1e300), SqlValue.Of(-0.5), SqlValue.Of(""), SqlValue.Of("x'41'"), SqlValue.Of("\"quoted\" 'ß' \u2028 😀\n\\"), SqlValue.Of("12")];
        var batch = new ProjectionBatch(table, "p0") { Next = "p1" };
        for (var i = 0; i < any.Length; i++)
        {
            batch.Keys.Add(new RowKey(256 * (i + 1), 1));
            batch.Values.AddRange(SqlValue.Of($"e{i}"), SqlValue.Of(i), SqlValue.Of((double)i), any[i]);
        }

        (await Store.ApplyAsync(batch, Cancel)).ShouldBeTrue();

        for (var i = 0; i < any.Length; i++)
        {
            var row = (await Store.ReadRowsAsync(table, 256 * (i + 1), 0, 10, Cancel)).ShouldHaveSingleItem();
            row.Values.ShouldBe([SqlValue.Of($"e{i}"), SqlValue.Of(i), SqlValue.Of((double)i), any[i]]);
        }
    }

    [Fact]
    public async Task A_batch_that_expects_another_checkpoint_changes_nothing()
    {
        var table = Table(1);
        await Store.CreateAsync(table, "p0", Cancel);
        var batch = Batch(table, "p0", "p1", (256, 1, "alice", 1));
        (await Store.ApplyAsync(batch, Cancel)).ShouldBeTrue();
        var late = Batch(table, "p0", "p2", (256, 9, "late", 9));
        late.Removed.Add(new RowKey(256, 9));
        late.Failed.Add(new FailedRow(512, 1, "user/x", "no"));

        (await Store.ApplyAsync(late, Cancel)).ShouldBeFalse();
        (await Store.ApplyAsync(batch, Cancel)).ShouldBeFalse("it was written already");

        (await Store.ReadPositionAsync(table.Name, Cancel)).ShouldBe("p1");
        (await RowsAsync(table, 256)).ShouldBe(["1: alice|1|1.5|NULL"]);
        (await Store.ReadFailedAsync(table.Name, 10, Cancel)).Count.ShouldBe(0);
    }

    [Fact]
    public async Task A_batch_that_fails_on_the_way_changes_nothing()
    {
        var table = Table(1);
        await Store.CreateAsync(table, "p0", Cancel);
        await Store.ApplyAsync(Batch(table, "p0", "p1", (256, 1, "alice", 1)), Cancel);
        await ExecuteAsync($"CREATE TRIGGER refuses BEFORE INSERT ON {table.Name} WHEN new.n = 7 BEGIN SELECT RAISE(ABORT, 'refused'); END");
        var batch = Batch(table, "p1", "p2", (512, 1, "bob", 2), (768, 1, "carol", 7));
        batch.Removed.Add(new RowKey(256, long.MaxValue));
        batch.Failed.Add(new FailedRow(1024, 1, "user/dave", "no"));

        await Should.ThrowAsync<ProjectionStoreException>(async () => await Store.ApplyAsync(batch, Cancel));

        (await Store.ReadPositionAsync(table.Name, Cancel)).ShouldBe("p1");
        (await RowsAsync(table, 256)).ShouldBe(["1: alice|1|1.5|NULL"]);
        (await RowsAsync(table, 512)).ShouldBeEmpty();
        (await Store.ReadFailedAsync(table.Name, 10, Cancel)).Count.ShouldBe(0);
        (await Store.ApplyAsync(Batch(table, "p1", "p2", (512, 1, "bob", 2)), Cancel)).ShouldBeTrue("it goes on");
    }

    [Fact]
    public async Task A_row_of_a_state_is_replaced_only_by_a_higher_seq()
    {
        var table = Table(1);
        await Store.CreateAsync(table, "p0", Cancel);
        await Store.ApplyAsync(Batch(table, "p0", "p1", (256, 5, "five", 5)), Cancel);
        await Store.ApplyAsync(Batch(table, "p1", "p2", (256, 4, "four", 4)), Cancel);
        (await RowsAsync(table, 256)).ShouldBe(["5: five|5|1.5|NULL"]);
        await Store.ApplyAsync(Batch(table, "p2", "p3", (256, 5, "again", 5)), Cancel);
        (await RowsAsync(table, 256)).ShouldBe(["5: five|5|1.5|NULL"]);
        await Store.ApplyAsync(Batch(table, "p3", "p4", (256, 6, "six", 6)), Cancel);
        (await RowsAsync(table, 256)).ShouldBe(["6: six|6|1.5|NULL"]);
        var forced = Batch(table, "p4", "p4", (256, 6, "forced", 6));
        forced.Removed.Add(new RowKey(256, 6));
        (await Store.ApplyAsync(forced, Cancel)).ShouldBeTrue("a batch may leave the checkpoint where it is");
        (await RowsAsync(table, 256)).ShouldBe(["6: forced|6|1.5|NULL"]);
    }

    [Fact]
    public async Task Rows_of_events_are_one_an_event_and_go_with_their_entity()
    {
        var table = Table(1, ProjectionSource.Event);
        await Store.CreateAsync(table, "p0", Cancel);
        await Store.ApplyAsync(Batch(table, "p0", "p1", (256, 1, "a1", 1), (256, 2, "a2", 2), (512, 1, "b1", 3)), Cancel);
        await Store.ApplyAsync(Batch(table, "p1", "p2", (256, 2, "twice", 2), (256, 3, "a3", 3)), Cancel);
        (await RowsAsync(table, 256)).ShouldBe(["1: a1|1|1.5|NULL", "2: a2|2|1.5|NULL", "3: a3|3|1.5|NULL"]);
        (await Store.ReadRowsAsync(table, 256, 1, 1, Cancel)).ShouldHaveSingleItem().Seq.ShouldBe(2);

        var erasing = new ProjectionBatch(table, "p2") { Next = "p3" };
        erasing.Removed.Add(new RowKey(256, long.MaxValue));
        await Store.ApplyAsync(erasing, Cancel);

        (await RowsAsync(table, 256)).ShouldBeEmpty();
        (await RowsAsync(table, 512)).ShouldBe(["1: b1|3|1.5|NULL"]);
    }

    [Fact]
    public async Task Failed_rows_are_listed_counted_healed_and_erased()
    {
        var table = Table(1);
        await Store.CreateAsync(table, "p0", Cancel);
        var failing = new ProjectionBatch(table, "p0") { Next = "p1" };
        failing.Failed.AddRange([new(768, 2, "user/c", "third"), new(256, 4, "user/a", "first"), new(512, 1, "user/b", new string('x', 2000))]);
        await Store.ApplyAsync(failing, Cancel);

        var failed = await Store.ReadFailedAsync(table.Name, 2, Cancel);
        failed.Count.ShouldBe(3);
        failed.First.Select(row => (row.Entity, row.Seq, row.Name)).ShouldBe([(256, 4, "user/a"), (512, 1, "user/b")]);
        failed.First[1].Error.Length.ShouldBeLessThan(600);

        var healing = Batch(table, "p1", "p2", (256, 5, "a", 1));
        healing.Healed.Add(new RowKey(256, 5));
        healing.Failed.Add(new FailedRow(768, 2, "user/c", "still"));
        healing.Removed.Add(new RowKey(512, long.MaxValue));
        await Store.ApplyAsync(healing, Cancel);
        await ReopenAsync();

        (await Store.ReadFailedAsync(table.Name, 10, Cancel)).First.ShouldBe([new FailedRow(768, 2, "user/c", "still")]);
    }

    [Fact]
    public async Task Thousands_of_failed_rows_are_healed_by_thousands_of_others_in_one_call()
    {
        const int failed = 3_000, healed = 7_000;
        var table = Table(1);
        await Store.CreateAsync(table, "p0", Cancel);
        var failing = new ProjectionBatch(table, "p0") { Next = "p1" };
        for (var i = 1; i <= failed; i++) failing.Failed.Add(new FailedRow(256L * i, 2, "user/a", "no"));
        (await Store.ApplyAsync(failing, Cancel)).ShouldBeTrue();
        var healing = new ProjectionBatch(table, "p1") { Next = "p2" };
        for (var i = 1; i <= healed; i++) healing.Healed.Add(new RowKey(512L * i, i % 10 == 0 ? 1 : 2));

        (await Store.ApplyAsync(healing, Cancel)).ShouldBeTrue();

        (await Store.ReadFailedAsync(table.Name, 1, Cancel)).Count.ShouldBe(failed - (failed / 2) + (failed / 2 / 10), "those that stand later than they are healed up to stay");
    }

    [Fact]
    public async Task A_table_takes_the_place_of_another_in_one_step()
    {
        var old = Table(1);
        await Store.CreateAsync(old, "p0", Cancel);
        await Store.ApplyAsync(Batch(old, "p0", "p1", (256, 1, "old", 1)), Cancel);
        await Store.PublishAsync(old, [], Cancel);
        var table = Table(2);
        await Store.CreateAsync(table, "p0", Cancel);
        await Store.CreateIndexesAsync(table, Cancel);
        await Store.ApplyAsync(Batch(table, "p0", "p7", (256, 1, "new", 1)), Cancel);
        (await SelectAsync("SELECT id FROM accounts")).ShouldBe(["old"]);

        var replaced = (await Store.ReadTablesAsync(Cancel)).Where(t => t.Name == old.Name).ToList();
        await Store.PublishAsync(table, replaced, Cancel);

        (await SelectAsync("SELECT id FROM accounts")).ShouldBe(["new"]);
        (await Store.ReadTablesAsync(Cancel)).ShouldBe([new StoredTable(table.Name, "p", "accounts", true, "p7", table.Spec)]);
        (await SelectAsync("SELECT count(*) FROM sqlite_master WHERE name LIKE 'warp_accounts_%1%'")).ShouldBe(["0"]);
        (await Store.ApplyAsync(Batch(old, "p1", "p2", (256, 2, "late", 2)), Cancel).AsTask().ContinueWith(t => t.IsCompletedSuccessfully && t.Result, TaskScheduler.Default))
            .ShouldBeFalse("a late batch finds no table");
    }

    [Fact]
    public async Task A_table_that_no_projection_made_is_found_and_never_dropped()
    {
        await Store.ReadTablesAsync(Cancel);
        await ExecuteAsync("CREATE TABLE accounts(mine TEXT)");
        await ExecuteAsync("INSERT INTO accounts VALUES('kept')");
        (await Store.FindNameAsync("accounts", Cancel)).ShouldBe(new NameOwner(true, null));
        var table = Table(1);
        await Store.CreateAsync(table, "p0", Cancel);

        await Should.ThrowAsync<ProjectionStoreException>(async () => await Store.PublishAsync(table, [], Cancel));
        var stored = (await Store.ReadTablesAsync(Cancel)).ShouldHaveSingleItem();
        stored.IsPublished.ShouldBeFalse();
        await Store.DropAsync(stored, Cancel);
        await Store.DropAsync(stored, Cancel);

        (await Store.ReadTablesAsync(Cancel)).ShouldBeEmpty();
        (await SelectAsync("SELECT mine FROM accounts")).ShouldBe(["kept"]);
    }

    [Fact]
    public async Task A_dropped_table_takes_its_view_and_its_failed_rows_along()
    {
        var table = Table(1);
        await Store.CreateAsync(table, "p0", Cancel);
        var failing = new ProjectionBatch(table, "p0") { Next = "p1" };
        failing.Failed.Add(new FailedRow(256, 1, "user/a", "no"));
        await Store.ApplyAsync(failing, Cancel);
        await Store.PublishAsync(table, [], Cancel);

        await Store.DropAsync((await Store.ReadTablesAsync(Cancel))[0], Cancel);

        (await Store.FindNameAsync("accounts", Cancel)).IsTaken.ShouldBeFalse();
        (await Store.ReadFailedAsync(table.Name, 10, Cancel)).Count.ShouldBe(0);
        (await SelectAsync("SELECT count(*) FROM sqlite_master WHERE name LIKE '%accounts%'")).ShouldBe(["0"]);
    }

    [Fact]
    public async Task A_large_batch_is_written_as_a_whole()
    {
        const int rows = 20_000;
        var table = Table(1);
        await Store.CreateAsync(table, "p0", Cancel);
        var batch = new ProjectionBatch(table, "p0") { Next = "p1" };
        for (var i = 1; i <= rows; i++)
        {
            batch.Keys.Add(new RowKey(256L * i, 1));
            batch.Values.AddRange(SqlValue.Of($"entity {i} {new string('x', i % 90)}"), SqlValue.Of(i), SqlValue.Null, SqlValue.Null);
        }

        (await Store.ApplyAsync(batch, Cancel)).ShouldBeTrue();

        await Store.PublishAsync(table, [], Cancel);
        (await SelectAsync("SELECT count(*), sum(n) FROM accounts")).ShouldBe([$"{rows}|{(long)rows * (rows + 1) / 2}"]);
    }

    private protected static ProjectionTable Table(long generation, ProjectionSource source = ProjectionSource.State) => new()
    {
        Name = ProjectionTable.NameOf("accounts", generation),
        Projection = "p",
        View = "accounts",
        Source = source,
        Columns = [.. s_columns.Zip(["TEXT", "INTEGER", "REAL", ""], (name, type) => new ProjectionColumn(name, type))],
        Indexes = [["n", "id"]],
        Spec = $$"""{"of":{{generation}}}""",
    };

    private protected static ProjectionBatch Batch(ProjectionTable table, string expected, string next, params (long Entity, long Seq, string Id, long? N)[] rows)
    {
        var batch = new ProjectionBatch(table, expected) { Next = next };
        foreach (var (entity, seq, id, n) in rows)
        {
            batch.Keys.Add(new RowKey(entity, seq));
            batch.Values.AddRange(SqlValue.Of(id), n is { } number ? SqlValue.Of(number) : SqlValue.Null, SqlValue.Of(1.5), SqlValue.Null);
        }

        return batch;
    }

    private protected async Task<List<string>> RowsAsync(ProjectionTable table, long entity) =>
        [.. (await Store.ReadRowsAsync(table, entity, 0, 1000, Cancel)).Select(row => $"{row.Seq}: {string.Join('|', row.Values)}")];

    private protected async Task ReopenAsync()
    {
        await Store.DisposeAsync();
        _store = await OpenAsync();
    }
}
