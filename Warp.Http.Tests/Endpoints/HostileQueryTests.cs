using System.Security.Cryptography;

namespace Warp.Http.Tests.Endpoints;

/// <summary>What strangers may send: none of it writes, each is refused, and what would never end is cut.</summary>
public sealed class HostileQueryTests(QueryApp app) : IClassFixture<QueryApp>
{
    private static readonly string[] s_writes =
    [
        "INSERT INTO t VALUES('x', 1)", "INSERT INTO t SELECT * FROM t", "INSERT OR REPLACE INTO t(id) VALUES('x')", "REPLACE INTO t VALUES('x', 1)", "UPDATE t SET n = 0",
        "UPDATE t SET n = 0 WHERE id = 'e1' RETURNING *", "DELETE FROM t", "DELETE FROM t WHERE n > 0 RETURNING id", "WITH x AS (SELECT 1) DELETE FROM t", "WITH x AS (SELECT 1) UPDATE t SET n = 1",
        "WITH x AS (SELECT 1) INSERT INTO t SELECT 'x', 1", "WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x", "CREATE TABLE mine(x)", "CREATE TABLE mine AS SELECT * FROM t", "CREATE TEMP TABLE mine(x)",
        "CREATE TEMP TABLE mine AS SELECT 1", "CREATE VIEW mine AS SELECT 1", "CREATE TEMP VIEW mine AS SELECT 1", "CREATE INDEX mine ON t(n)", "CREATE UNIQUE INDEX mine ON t(n)",
        "CREATE TRIGGER mine INSTEAD OF INSERT ON t BEGIN SELECT 1; END", "CREATE TEMP TRIGGER mine INSTEAD OF INSERT ON t BEGIN SELECT 1; END", "CREATE VIRTUAL TABLE mine USING fts5(x)",
        "CREATE VIRTUAL TABLE mine USING rtree(a, b, c)", "CREATE VIRTUAL TABLE temp.mine USING fts5vocab('t', 'row')", "CREATE VIRTUAL TABLE mine USING dbstat", "DROP TABLE t", "DROP VIEW t", "DROP VIEW IF EXISTS t",
        "DROP INDEX IF EXISTS mine", "DROP TRIGGER IF EXISTS mine", "ALTER TABLE t RENAME TO u", "ALTER TABLE t ADD COLUMN x", "ALTER TABLE t DROP COLUMN n", "ALTER TABLE t RENAME COLUMN n TO m", "VACUUM",
        "VACUUM INTO '/tmp/stolen.db'", "VACUUM main INTO 'stolen.db'", "REINDEX", "REINDEX t", "ANALYZE", "ANALYZE t", "ANALYZE sqlite_schema",
        "INSERT INTO sqlite_master VALUES('table','x','x',1,'')", "UPDATE sqlite_schema SET sql = ''", "DELETE FROM sqlite_sequence", "DELETE FROM sqlite_stat1",
        "INSERT INTO pragma_table_info VALUES(1)", "INSERT INTO json_each VALUES(1)", "INSERT INTO t DEFAULT VALUES ON CONFLICT DO NOTHING", "EXPLAIN DELETE FROM t", "EXPLAIN QUERY PLAN UPDATE t SET n = 1",
    ];

    private static readonly string[] s_controls =
    [
        "BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE", "COMMIT", "END", "ROLLBACK", "ROLLBACK TO x", "SAVEPOINT x", "RELEASE x", "RELEASE SAVEPOINT x",
        "ATTACH '/etc/passwd' AS p", "ATTACH DATABASE ':memory:' AS m", "ATTACH 'file:/tmp/x?mode=rwc' AS x", "ATTACH ? AS x", "DETACH main", "DETACH DATABASE temp",
        "PRAGMA query_only = OFF", "PRAGMA query_only", "PRAGMA writable_schema = ON", "PRAGMA journal_mode = DELETE", "PRAGMA journal_mode", "PRAGMA table_info(t)", "PRAGMA table_list", "PRAGMA database_list",
        "PRAGMA user_version = 7", "PRAGMA schema_version", "PRAGMA temp_store_directory = '/'", "PRAGMA data_store_directory = '/'", "PRAGMA cache_size = 100000000", "PRAGMA mmap_size = 1", "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA secure_delete = OFF", "PRAGMA trusted_schema = ON", "PRAGMA hard_heap_limit = 1", "PRAGMA threads = 100", "PRAGMA optimize", "PRAGMA integrity_check", "PRAGMA quick_check", "PRAGMA function_list",
        "PRAGMA module_list", "PRAGMA compile_options", "PRAGMA locking_mode = EXCLUSIVE", "PRAGMA busy_timeout = 1000000", "PRAGMA main.user_version", "PRAGMA incremental_vacuum", "PRAGMA shrink_memory",
        "PRAGMA legacy_alter_table = ON", "PRAGMA encoding", "PRAGMA key = 'x'", "PRAGMA no_such_pragma",
    ];

    private static readonly string[] s_reads =
    [
        "SELECT * FROM sqlite_master", "SELECT sql FROM sqlite_schema", "SELECT * FROM main.sqlite_schema", "SELECT * FROM temp.sqlite_schema", "SELECT * FROM sqlite_temp_master", "SELECT count(*) FROM sqlite_master",
        "SELECT 1 FROM sqlite_schema", "SELECT * FROM sqlite_stat1", "SELECT * FROM sqlite_sequence", "SELECT * FROM warp_checkpoint", "SELECT * FROM \"warp_checkpoint\"", "SELECT * FROM [warp_failed]", "SELECT * FROM `WARP_FAILED`",
        "SELECT count(*) FROM warp_failed", "SELECT warp_entity FROM t", "SELECT warp_seq FROM t", "WITH t AS (SELECT * FROM warp_checkpoint) SELECT * FROM t",
        "WITH x AS (SELECT 1) SELECT * FROM x, warp_failed", "SELECT (SELECT pos FROM warp_checkpoint)", "SELECT * FROM t WHERE EXISTS (SELECT 1 FROM warp_failed)", "SELECT * FROM t JOIN sqlite_schema",
        "SELECT * FROM pragma_table_info('t')", "SELECT count(*) FROM pragma_table_list", "SELECT * FROM pragma_table_list", "SELECT * FROM pragma_database_list", "SELECT * FROM pragma_function_list",
        "SELECT * FROM pragma_compile_options", "SELECT * FROM pragma_query_only", "SELECT * FROM pragma_wal_checkpoint", "SELECT * FROM pragma_user_version", "SELECT * FROM dbstat", "SELECT count(*) FROM dbstat",
        "SELECT * FROM sqlite_dbpage", "SELECT * FROM sqlite_dbdata", "SELECT * FROM sqlite_stmt", "SELECT * FROM bytecode('SELECT 1')", "SELECT * FROM tables_used('SELECT 1')", "SELECT * FROM fts5vocab",
        "SELECT * FROM generate_series(1, 10)", "SELECT * FROM csv('/etc/passwd')", "SELECT * FROM fsdir('/')", "SELECT * FROM completion('x')", "SELECT * FROM nowhere.t", "SELECT * FROM other", "SELECT rowid FROM t",
        "SELECT oid FROM t", "SELECT _rowid_ FROM t", "EXPLAIN SELECT * FROM t", "EXPLAIN QUERY PLAN SELECT * FROM t", "SELECT * FROM t INDEXED BY mine", "SELECT \"no such column\" FROM t",
    ];

    private static readonly string[] s_functions =
    [
        "SELECT load_extension('/tmp/x.so')", "SELECT load_extension('x', 'y')", "SELECT readfile('/etc/passwd')", "SELECT writefile('/tmp/x', 'y')", "SELECT edit('x')", "SELECT fts3_tokenizer('x')",
        "SELECT sqlite_version()", "SELECT sqlite_source_id()", "SELECT sqlite_compileoption_get(0)", "SELECT sqlite_compileoption_used('X')", "SELECT sqlite_log(1, 'x')", "SELECT last_insert_rowid()", "SELECT changes()",
        "SELECT total_changes()", "SELECT randomblob(1000000000)", "SELECT zeroblob(1000000000)", "SELECT hex(zeroblob(100000))", "SELECT sqlite_offset(n) FROM t", "SELECT sqlite_rename_table(1,2,3,4,5,6,7)",
        "SELECT sqlite_drop_column(1, 'x', 1)", "SELECT no_such_function()", "SELECT shell_add_schema('x')", "SELECT regexp('a', 'b')", "SELECT 'a' REGEXP 'b'", "SELECT 'a' MATCH 'b'", "SELECT jsonb('{}')", "SELECT unistr('x')",
        "SELECT subtype('x')", "SELECT eval('DELETE FROM t')", "SELECT soundex('x')", "SELECT rtreecheck('t')", "SELECT fts5_source_id()", "SELECT bm25(t) FROM t", "SELECT highlight(t, 1, 'a', 'b') FROM t",
    ];

    private static readonly string[] s_shapes =
    [
        "", " ", ";", "-- only a comment", "/* only a comment", "/* a comment */ ;", "SELECT 1; SELECT 2", "SELECT 1; DELETE FROM t", "SELECT 1; -- x\n DROP VIEW t", "SELECT 1;;; PRAGMA query_only = OFF", "SELECT 1; garbage",
        "SELECT", "SELEC 1", "SELECT 1 FROM", "SELECT 'unended", "SELECT \"unended", "SELECT 1)", "(SELECT 1)", "SELECT 1 LIMIT", "nonsense", "SELECT \0 1", "SELECT * FROM t; ATTACH 'x' AS y", "SELECT 1 AS a, 2 AS a", "SELECT x'00'",
        "SELECT * FROM t WHERE n = 'unended", "SELECT CASE", "SELECT * FROM t ORDER BY 99", "SELECT sum(sum(n)) FROM t", "SELECT n FROM t UNION SELECT 1, 2", "SELECT abs(-9223372036854775808)", "SELECT printf('%.99999999c', 'x')",
        "SELECT json('not json')", "SELECT '{' -> '$.a'", "SELECT json_extract('{}', 'bad path')",
    ];

    public static TheoryData<string> Groups => ["writes", "controls", "reads", "functions", "shapes", "sizes"];

    [Theory]
    [MemberData(nameof(Groups))]
    public async Task Each_is_refused_with_a_clear_4xx_and_nothing_is_written(string group)
    {
        await PrepareAsync();
        var before = await DigestAsync();
        var statements = Of(group);
        foreach (var statement in statements)
        {
            var answer = await app.QueryAsync(statement, statement.Contains('?', StringComparison.Ordinal) ? "[1]" : "[]");

            answer.ShouldBeProblem(422, "invalid-sql");
            var detail = answer["detail"].GetString()!;
            detail.ShouldNotBeNullOrWhiteSpace(statement);
            detail.ShouldNotContain("/app", Case.Insensitive, "no path of the host");
        }

        (await DigestAsync()).ShouldBe(before, "nothing was written");
        (await app.QueryAsync("SELECT n FROM t"))["rows"].GetRawText().ShouldBe("""[{"n":7}]""", "and the next is answered");
    }

    [Fact]
    public void There_are_200_of_them() => Groups.Sum(group => Of(group.Data).Length).ShouldBeGreaterThanOrEqualTo(200);

    [Theory]
    [InlineData("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c")]
    [InlineData("WITH RECURSIVE c(n) AS (SELECT 1 UNION SELECT n + 1 FROM c) SELECT count(*) FROM c")]
    [InlineData("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 100000) SELECT count(*) FROM c a, c b, c d")]
    [InlineData("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT 100000000) SELECT n FROM c ORDER BY n DESC LIMIT 1")]
    [InlineData("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT n FROM c WHERE n < 0")]
    public async Task What_would_not_end_is_cut(string statement)
    {
        var answer = await app.QueryAsync(statement);
        (answer.Status is 504 or 422).ShouldBeTrue(answer.Body);
    }

    private static string[] Of(string group) => group switch
    {
        "writes" => s_writes,
        "controls" => s_controls,
        "reads" => s_reads,
        "functions" => s_functions,
        "shapes" => s_shapes,
        _ => Sizes(),
    };

    private static string[] Sizes() =>
    [
        "SELECT " + string.Concat(Enumerable.Repeat("abs(", 1000)) + "1" + new string(')', 1000),
        "SELECT " + string.Concat(Enumerable.Repeat("(SELECT ", 500)) + "1" + new string(')', 500),
        "SELECT " + string.Join('+', Enumerable.Repeat("1", 1000)),
        "SELECT " + string.Concat(Enumerable.Repeat("- ", 1000)) + "1",
        string.Join(" UNION ALL ", Enumerable.Repeat("SELECT 1", 200)),
        "SELECT coalesce(" + string.Join(',', Enumerable.Repeat("1", 300)) + ")",
        "SELECT 'a' LIKE '" + new string('%', 5000) + "'",
        "SELECT ?9999",
        "SELECT " + string.Join(',', Enumerable.Range(0, 2500).Select(i => $"{i}")),
        "SELECT count(*) FROM " + string.Join(',', Enumerable.Range(0, 70).Select(i => $"t t{i}")),
        "SELECT instr(printf('%.60000c','a'), printf('%.2000c','a'))",
        "SELECT replace('a', printf('%.2000c','a'), 'b')",
        "SELECT replace(printf('%.60000c','a'), 'a', 'bb')",
        "SELECT printf('%.60000c','a') || printf('%.60000c','a')",
    ];

    private async Task PrepareAsync()
    {
        await app.PutAsync("/v1/projections/hostile", """{"kind":"hostile","table":"t","columns":{"id":"entity.id","n":"state.n"},"types":{"n":"INTEGER"}}""");
        var appended = await app.PostAsync("/v1/entities/hostile/e1/events", """{"id":"once","type":"Set","payload":{"n":7}}""");
        var read = await app.QueryAsync("SELECT count(*) AS n FROM t", "[]", appended.Header("Warp-Cursor"));
        read["rows"].GetRawText().ShouldBe("""[{"n":1}]""");
    }

    /// <summary>Everything that the file holds, without the checkpoints, which go on.</summary>
    private async Task<string> DigestAsync()
    {
        await using var file = Projections.SqliteFile.Open(app.File("projections/projections.db"), Microsoft.Data.Sqlite.SqliteOpenMode.ReadOnly);
        var lines = Projections.SqliteFile.Select(file, "SELECT type, name, sql FROM sqlite_schema ORDER BY name");
        lines.AddRange(Projections.SqliteFile.Select(file, "SELECT * FROM t"));
        lines.AddRange(Projections.SqliteFile.Select(file, "SELECT name, view, published, spec FROM warp_checkpoint"));
        lines.AddRange(Projections.SqliteFile.Select(file, "SELECT * FROM warp_failed"));
        return Convert.ToHexString(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(string.Join('\n', lines))));
    }
}
