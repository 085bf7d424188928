using Microsoft.Data.Sqlite;
using SQLitePCL;
using Warp.Http.Projections;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Projections;

/// <summary>Each wall between strangers' statements and the tables, by itself; all of them from outside are <c>HostileQueryTests</c>.</summary>
public sealed class QueryConnectionTests : IDisposable
{
    /// <summary>Takes a second or so; nobody needs its result.</summary>
    private const string Slow = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 5000000) SELECT max(n) AS n FROM c";

    private readonly TempDirectory _directory = new("query");

    private string Path => _directory.File("projections.db");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void What_no_projection_shows_is_not_read()
    {
        MakeTables();
        foreach (var sql in (string[])["SELECT * FROM sqlite_schema", "SELECT * FROM pragma_table_list", "SELECT sqlite_version()", "PRAGMA table_info(users)", "ATTACH ':memory:' AS m", "DROP VIEW users"])
            Run(sql).Status.ShouldBe(QueryStatus.Invalid, sql);
        Run("SELECT n FROM users").Rows.ShouldHaveSingleItem()[0].ShouldBe(SqlValue.Of(7));
    }

    [Fact]
    public void A_reserved_name_is_refused_even_where_a_WITH_makes_it_look_like_a_projection_s()
    {
        MakeTables();
        Run("WITH users AS (SELECT n FROM warp_users_1) SELECT * FROM users").Status.ShouldBe(QueryStatus.Invalid);
        Run("WITH users AS (SELECT warp_entity AS n FROM users) SELECT * FROM users").Status.ShouldBe(QueryStatus.Invalid);
    }

    [Fact]
    public void A_statement_is_one_and_is_run_and_not_explained()
    {
        MakeTables();
        Run("SELECT n FROM users; SELECT 1").Status.ShouldBe(QueryStatus.Invalid);
        Run("EXPLAIN SELECT n FROM users").Status.ShouldBe(QueryStatus.Invalid);
        Run("EXPLAIN QUERY PLAN SELECT n FROM users").Status.ShouldBe(QueryStatus.Invalid);
    }

    [Fact]
    public void A_statement_is_cut_at_its_time()
    {
        MakeTables();
        Run(Slow, TimeSpan.FromMilliseconds(20)).Status.ShouldBe(QueryStatus.TimedOut);
        Run("SELECT 1 AS one").Status.ShouldBe(QueryStatus.Answered, "and the next one is not");
    }

    [Fact]
    public void A_file_is_as_it_was_even_after_the_last_that_had_it_open()
    {
        MakeTables();
        using (var writer = SqliteFile.Open(Path, SqliteOpenMode.ReadWrite))
        {
            SqliteFile.Select(writer, "PRAGMA journal_mode = WAL");
            SqliteFile.Select(writer, "INSERT INTO warp_users_1 VALUES(2, 1, 8)");
            foreach (var end in (string[])["", "-wal"]) File.Copy(Path + end, _directory.File("copy.db" + end));
        }

        var before = File.ReadAllBytes(_directory.File("copy.db"));
        using (var connection = QueryConnection.Open(_directory.File("copy.db"), 100_000, TimeProvider.System))
            Run(connection, "SELECT count(*) AS n FROM users").Rows.ShouldHaveSingleItem()[0].ShouldBe(SqlValue.Of(2));
        File.ReadAllBytes(_directory.File("copy.db")).AsSpan().SequenceEqual(before).ShouldBeTrue("who may write puts the WAL's pages into the file when it leaves");
    }

    [Fact]
    public void A_row_is_not_longer_than_an_answer()
    {
        MakeTables();
        Run("SELECT printf('%.99999c', 'x') || printf('%.99999c', 'x') AS text").Status.ShouldBe(QueryStatus.Invalid);
    }

    private static QueryOutcome Run(QueryConnection connection, string sql, TimeSpan? time = null) =>
        connection.Run(new SqlQuery(sql), new QueryCaps(1000, 100_000, time ?? TimeSpan.FromSeconds(30)), CancellationToken.None);

    private QueryOutcome Run(string sql, TimeSpan? time = null)
    {
        using var connection = QueryConnection.Open(Path, 100_000, TimeProvider.System);
        return Run(connection, sql, time);
    }

    private void MakeTables()
    {
        Batteries_V2.Init();
        using var file = SqliteFile.Open(Path, SqliteOpenMode.ReadWriteCreate);
        foreach (var sql in (IEnumerable<string>)[
            .. ProjectionSql.Schema,
            "CREATE TABLE warp_users_1(warp_entity INTEGER PRIMARY KEY, warp_seq INTEGER, n INTEGER)",
            "INSERT INTO warp_users_1 VALUES(1, 1, 7)",
            "CREATE VIEW users AS SELECT n FROM warp_users_1",
            "INSERT INTO warp_checkpoint VALUES('warp_users_1', 'p', 'users', 1, 'p0', '{}')",
        ])
            SqliteFile.Select(file, sql);
    }
}
