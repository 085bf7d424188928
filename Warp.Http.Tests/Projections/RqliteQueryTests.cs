using Microsoft.Extensions.Time.Testing;
using Warp.Http.Projections;
using Warp.Http.Tests.Support.Rqlite;

namespace Warp.Http.Tests.Projections;

/// <summary>Queries of a cluster without the service around them: how sure they are, and how much of an answer is taken.</summary>
public sealed class RqliteQueryTests : IAsyncLifetime
{
    private const int Rows = 80;

    private static readonly QueryCaps s_caps = new(1000, 32 * 1024, TimeSpan.FromSeconds(30));

    private readonly SocketsHttpHandler _sockets = new();
    private FakeRqlite? _fake;
    private RqliteProjectionStore? _store;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private FakeRqlite Fake => _fake!;

    private RqliteProjectionStore Store => _store!;

    public async ValueTask InitializeAsync()
    {
        _fake = await FakeRqlite.StartAsync();
        _store = NewStore(ReadLevel.Weak);
        var table = new ProjectionTable
        {
            Name = ProjectionTable.NameOf("texts", 1),
            Projection = "p",
            View = "texts",
            Source = ProjectionSource.State,
            Columns = [new ProjectionColumn("n", "INTEGER"), new ProjectionColumn("text", "TEXT")],
            Indexes = [],
            Spec = "{}",
        };
        await Store.CreateAsync(table, "p0", Cancel);
        var batch = new ProjectionBatch(table, "p0") { Next = "p1" };
        for (var i = 1; i <= Rows; i++)
        {
            batch.Keys.Add(new RowKey(256 * i, 1));
            batch.Values.AddRange(SqlValue.Of(i), SqlValue.Of(new string('<', 4096))); // a character that rqlite escapes
        }

        (await Store.ApplyAsync(batch, Cancel)).ShouldBeTrue();
        await Store.PublishAsync(table, [], Cancel);
        Fake.Levels.Clear();
    }

    public async ValueTask DisposeAsync()
    {
        _sockets.Dispose();
        await Fake.DisposeAsync();
    }

    [Fact]
    public async Task An_answer_is_taken_up_to_a_number_of_bytes_and_says_that_there_is_more()
    {
        var few = await QueryAsync("SELECT n, text FROM texts ORDER BY n LIMIT 5");
        (few.Rows.Count, few.IsTruncated).ShouldBe((5, false));

        // Some 2 MB as they come, of which half is read, and 32 KiB of values are given.
        var many = await QueryAsync("SELECT n, text FROM texts ORDER BY n");
        many.IsTruncated.ShouldBeTrue();
        many.Rows.Select(row => row[0].Integer).ShouldBe(Enumerable.Range(1, many.Rows.Count).Select(i => (long)i));
        many.Rows.Count.ShouldBe(8);
        many.Rows[^1][1].Text.Length.ShouldBe(4096);

        var huge = await QueryAsync("SELECT n, text FROM texts WHERE n = 1 UNION ALL SELECT 2, group_concat(text, '') FROM texts");
        (huge.Rows.Count, huge.IsTruncated).ShouldBe((1, true), "the second is larger than an answer");
    }

    [Fact]
    public async Task A_query_is_as_sure_as_it_asks_to_be_or_as_the_store_is_set()
    {
        foreach (var level in Enum.GetValues<ReadLevel>())
        {
            await QueryAsync("SELECT count(*) AS n FROM texts", level);
            (await NewStore(level).QueryAsync(new SqlQuery("SELECT count(*) AS n FROM texts"), s_caps, Cancel)).Status.ShouldBe(QueryStatus.Answered);
            Fake.Levels.Distinct(StringComparer.Ordinal).ShouldHaveSingleItem().ShouldBe(level.ToString().ToLowerInvariant());
            Fake.Levels.Clear();
        }
    }

    [Fact]
    public async Task A_node_is_asked_for_what_it_has_without_a_leader_also_by_a_service_that_was_just_started()
    {
        Fake.Fault = _ => RqliteFault.NoLeader;
        var query = new SqlQuery("SELECT count(*) AS n FROM texts") { Level = ReadLevel.None };

        (await NewStore(ReadLevel.Weak).QueryAsync(query, s_caps, Cancel)).Rows.ShouldHaveSingleItem()[0].ShouldBe(SqlValue.Of(Rows));

        await Should.ThrowAsync<ProjectionStoreException>(async () => await NewStore(ReadLevel.Weak, TimeProvider.System).QueryAsync(query with { Level = ReadLevel.Linearizable }, s_caps, Cancel));
    }

    /// <param name="time">Null: time stands still, so that no call is given up on a slow machine.</param>
    private RqliteProjectionStore NewStore(ReadLevel level, TimeProvider? time = null) =>
        new(new RqliteClient(new HttpClient(_sockets, disposeHandler: false), [Fake.Address], null, null, time ?? new FakeTimeProvider()), level);

    private async Task<QueryOutcome> QueryAsync(string sql, ReadLevel? level = null)
    {
        var outcome = await Store.QueryAsync(new SqlQuery(sql) { Level = level }, s_caps, Cancel);
        outcome.Status.ShouldBe(QueryStatus.Answered, outcome.Detail);
        return outcome;
    }
}
