using System.Globalization;
using System.Text.Json;

namespace Warp.Http.Tests.Endpoints;

public sealed class QueryTests(QueryApp app) : IClassFixture<QueryApp>
{
    private readonly string _kind = "k" + Guid.NewGuid().ToString("N")[..12];

    private string Table => "t_" + _kind;

    [Fact]
    public async Task Rows_come_as_JSON_with_columns_asOf_and_truncated()
    {
        var cursor = await FillAsync(3);

        var answer = (await QueryAsync($"SELECT id, n, n * 1.5 AS more, NULL AS nil FROM {Table} WHERE n > ? ORDER BY n", "[1]", cursor)).ShouldBe(200);

        answer["columns"].GetRawText().ShouldBe("""["id","n","more","nil"]""");
        answer["rows"].GetRawText().ShouldBe("""[{"id":"e2","n":2,"more":3.0,"nil":null},{"id":"e3","n":3,"more":4.5,"nil":null}]""");
        answer["truncated"].GetBoolean().ShouldBeFalse();
        answer.Header("Warp-As-Of").ShouldBe(answer["asOf"].GetString());
        answer.Header("Warp-Truncated").ShouldBe("false");
        answer.Header("Cache-Control").ShouldBe("no-store");
    }

    [Fact]
    public async Task Rows_come_as_lines_and_as_records()
    {
        var cursor = await FillAsync(1);
        var sql = $"""SELECT id, n, 'a,"b"' || char(13, 10) || 'c' AS text, '' AS empty, NULL AS nil, 9e999 AS endless, 0.5 AS "a,b" FROM {Table}""";

        var lines = (await QueryAsync(sql, "[]", cursor, "application/x-ndjson")).ShouldBe(200);
        var records = (await QueryAsync(sql, "[]", cursor, "text/csv")).ShouldBe(200);

        lines.Body.ShouldBe("""{"id":"e1","n":1,"text":"a,\"b\"\r\nc","empty":"","nil":null,"endless":null,"a,b":0.5}""" + "\n");
        records.Body.ShouldBe("id,n,text,empty,nil,endless,\"a,b\"\r\ne1,1,\"a,\"\"b\"\"\r\nc\",\"\",,,0.5\r\n");
        records.Header("Content-Type").ShouldBe("text/csv; charset=utf-8; header=present");
        (lines.Header("Warp-As-Of"), lines.Header("Warp-Truncated")).ShouldBe((records.Header("Warp-As-Of"), "false"));
        (await QueryAsync(sql, "[]", cursor, "image/png")).ShouldBeProblem(406, "not-acceptable");
    }

    [Fact]
    public async Task Parameters_go_by_place_or_by_name_and_keep_their_types()
    {
        const string sql = "SELECT typeof(?1) || ' ' || typeof(?2) || ' ' || typeof(?3) || ' ' || typeof(?4) || ' ' || typeof(?5) AS t, ?1 AS i, ?2 AS r, ?3 AS s, ?5 AS b";
        (await QueryAsync(sql, """[9223372036854775807,0.1,"x'41' ß",null,true]"""))["rows"].GetRawText()
            .ShouldBe("""[{"t":"integer real text null integer","i":9223372036854775807,"r":0.1,"s":"x'41' ß","b":1}]""");
        (await QueryAsync("SELECT :a + @b + $c AS sum, :a AS again", """{"a":1,"b":2,"c":3}"""))["rows"].GetRawText().ShouldBe("""[{"sum":6,"again":1}]""");
        (await QueryAsync("SELECT 1e20 AS big, 5.0 AS whole, 9223372036854775808 AS beyond, 9e999 AS endless"))["rows"].GetRawText()
            .ShouldBe("""[{"big":1E+20,"whole":5.0,"beyond":9.223372036854776E+18,"endless":null}]""");

        foreach (var (wrong, given) in new[] { ("SELECT ?, ? AS b", "[1]"), ("SELECT 1", "[1]"), ("SELECT :a", "{}"), ("SELECT :a", """{"a":1,"b":2}"""), ("SELECT ?", """{"a":1}""") })
            (await QueryAsync(wrong, given)).ShouldBeProblem(400, "invalid-request")["errors"].TryGetProperty("$.params", out _).ShouldBeTrue(wrong);
        foreach (var wrong in new[] { "[[1]]", "[{}]", "[1e999]", "1", """{"a":[]}""" })
            (await QueryAsync("SELECT ?", wrong)).ShouldBeProblem(400, "invalid-request");
    }

    [Fact]
    public async Task A_body_that_is_not_right_is_refused_by_name()
    {
        foreach (var (body, path) in new[]
        {
            ("[]", "$"), ("{}", "$.sql"), ("""{"sql":1}""", "$.sql"), ("""{"sql":"SELECT 1","more":1}""", "$.more"), ("""{"sql":"SELECT 1","sql":"SELECT 2"}""", "$.sql"),
            ("""{"sql":"SELECT 1","wait":"5"}""", "$.wait"), ("""{"sql":"SELECT 1","wait":"2m"}""", "$.wait"), ("""{"sql":"SELECT 1","onTimeout":"wait"}""", "$.onTimeout"),
            ("""{"sql":"SELECT 1","minCursor":7}""", "$.minCursor"), ("""{"sql":"SELECT 1","level":"Weak"}""", "$.level"), ("""{"sql":"SELECT 1","level":1}""", "$.level"),
        })
            (await app.PostAsync("/v1/query", body)).ShouldBeProblem(400, "invalid-request")["errors"].EnumerateObject().Single().Name.ShouldBe(path, body);
        (await app.PostAsync("/v1/query", """{"sql":"SELECT 1","minCursor":"nonsense"}""")).ShouldBeProblem(400, "invalid-cursor");
        (await app.PostAsync("/v1/query", "{")).ShouldBeProblem(400, "invalid-json");
        (await app.SendAsync(HttpMethod.Post, "/v1/query", "SELECT 1", "text/plain")).ShouldBeProblem(415, "unsupported-media-type");
        var tooLong = (await QueryAsync("SELECT 1 --" + new string('x', 16_384))).ShouldBeProblem(413, "payload-too-large");
        (tooLong["limit"].GetInt32(), tooLong["actual"].GetInt32()).ShouldBe((16_384, 16_395));
    }

    [Fact]
    public async Task Answers_are_cut_at_rows_and_at_bytes_and_say_so()
    {
        const string numbers = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c LIMIT {0}) SELECT n{1} FROM c";

        var whole = await QueryAsync(string.Format(CultureInfo.InvariantCulture, numbers, QueryApp.Rows, ""));
        var more = await QueryAsync(string.Format(CultureInfo.InvariantCulture, numbers, QueryApp.Rows + 1, ""));
        var large = await QueryAsync(string.Format(CultureInfo.InvariantCulture, numbers, 100, ", printf('%.2000c', char(1)) AS text"));
        var csv = await QueryAsync(string.Format(CultureInfo.InvariantCulture, numbers, 100, ", printf('%.2000c', 'x') AS text"), accept: "text/csv");

        (whole["rows"].GetArrayLength(), whole["truncated"].GetBoolean()).ShouldBe((QueryApp.Rows, false));
        (more["rows"].GetArrayLength(), more["truncated"].GetBoolean()).ShouldBe((QueryApp.Rows, true));
        large["truncated"].GetBoolean().ShouldBeTrue();
        large["rows"].GetArrayLength().ShouldBe(5, "2,000 characters of 6 bytes each, five times in 64 KiB");
        csv.Header("Warp-Truncated").ShouldBe("true");
        csv.Body.Length.ShouldBeInRange(60_000, 65_536);
    }

    [Fact]
    public async Task An_endless_statement_is_cut_at_its_time_out()
    {
        (await QueryAsync("WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT max(n) FROM c")).ShouldBeProblem(504, "query-timeout");
        (await QueryAsync("SELECT 1 AS one")).ShouldBe(200);
    }

    [Fact]
    public async Task A_query_that_waits_for_what_does_not_come_fails_or_answers_as_it_is_told()
    {
        await FillAsync(1);
        var ahead = (await app.PostAsync($"/v1/entities/other{_kind}/1/events", """{"type":"Set"}""")).Header("Warp-Cursor")!;
        (await QueryAsync($"SELECT count(*) AS n FROM {Table}", cursor: ahead)).ShouldBe(200); // an event that is none of its business brings it forward, too

        var future = Ahead(ahead);
        var body = $$"""{"sql":"SELECT count(*) AS n FROM {{Table}}","minCursor":"{{future}}","wait":"50ms"}""";
        var stale = (await app.PostAsync("/v1/query", body)).ShouldBeProblem(504, "projection-stale");
        (stale["required"].GetString(), stale["retryable"].GetBoolean()).ShouldBe((future, true));
        stale["reached"].GetString().ShouldNotBeNullOrEmpty();
        var answered = (await app.PostAsync("/v1/query", body.Replace("\"wait\"", "\"onTimeout\":\"stale\",\"wait\"", StringComparison.Ordinal))).ShouldBe(200);
        answered["rows"].GetRawText().ShouldBe("""[{"n":1}]""");
        (answered["asOf"].GetString() == future).ShouldBeFalse();
    }

    [Fact]
    public async Task A_level_changes_nothing_where_tables_stand_in_a_file()
    {
        var cursor = await FillAsync(1);
        foreach (var level in (string[])["weak", "strong", "linearizable", "none"])
        {
            var read = await app.PostAsync("/v1/query", $$"""{"sql":"SELECT n FROM {{Table}}","level":"{{level}}","minCursor":"{{cursor}}"}""");
            read.ShouldBe(200)["rows"].GetRawText().ShouldBe("""[{"n":1}]""");
        }
    }

    [Fact]
    public async Task A_writer_sees_what_it_wrote()
    {
        await FillAsync(1);
        var pairs = int.TryParse(Environment.GetEnvironmentVariable("WARP_TEST_QUERIES"), CultureInfo.InvariantCulture, out var asked) ? asked : 100;
        for (var i = 2; i <= pairs + 1; i++)
        {
            var cursor = (await app.PostAsync($"/v1/entities/{_kind}/e{i % 7}/events", $$$"""{"type":"Set","payload":{"n":{{{i}}}}}""")).Header("Warp-Cursor");

            var read = (await QueryAsync($"SELECT n FROM {Table} WHERE id = :id", $$"""{"id":"e{{i % 7}}"}""", cursor)).ShouldBe(200);

            read["rows"].GetRawText().ShouldBe($$"""[{"n":{{i}}}]""");
        }
    }

    [Fact]
    public async Task What_is_not_of_projections_is_not_read()
    {
        var cursor = await FillAsync(1);
        (await QueryAsync($"SELECT rowid FROM {Table}")).ShouldBeProblem(422, "invalid-sql");
        (await app.PostAsync("/v1/query", """{"sql":"SELECT 1 AS n","params":null}""")).ShouldBe(200)["rows"].GetArrayLength().ShouldBe(1);
        (await QueryAsync($"SELECT id, id FROM {Table}")).ShouldBeProblem(422, "invalid-sql")["detail"].GetString()!.ShouldContain("Two columns");
        (await QueryAsync("SELECT x'41' AS b")).ShouldBeProblem(422, "invalid-sql")["detail"].GetString()!.ShouldContain("hex()");
        (await QueryAsync("SELECT nil FROM nowhere")).ShouldBeProblem(422, "invalid-sql")["detail"].GetString().ShouldBe("no such table: nowhere");
        (await QueryAsync("SELECT hex(x'41') AS b; -- no more")).ShouldBe(200);
        (await QueryAsync($"WITH x AS (SELECT id FROM {Table}), unused AS (SELECT 1) SELECT count(*) AS n FROM x, unused JOIN json_each('[1,2]')", "[]", cursor))["rows"].GetRawText().ShouldBe("""[{"n":2}]""");
        (await QueryAsync("SELECT instr('añb', 'b') AS i, replace('aXbX', 'X', 'yy') AS r, instr(NULL, 'a') AS n"))["rows"].GetRawText().ShouldBe("""[{"i":3,"r":"ayybyy","n":null}]""");
    }

    private static string Ahead(string cursor)
    {
        var bytes = System.Buffers.Text.Base64Url.DecodeFromChars(cursor);
        var places = new Warp.Http.Events.FeedPlace[1];
        var store = System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(1));
        Warp.Http.Events.Cursor.TryParse(cursor, store, places).ShouldBeTrue();
        return Warp.Http.Events.Cursor.Format(store, [Warp.Http.Events.FeedPlace.At(places[0].Position + 1_000_000)]);
    }

    private async Task<string> FillAsync(int rows)
    {
        (await app.PutAsync("/v1/projections/" + _kind, $$$"""{"kind":"{{{_kind}}}","table":"{{{Table}}}","columns":{"id":"entity.id","n":"state.n"},"types":{"n":"INTEGER"},"indexes":[["n"]]}""")).ShouldBe(201);
        var cursor = "";
        for (var i = 1; i <= rows; i++)
            cursor = (await app.PostAsync($"/v1/entities/{_kind}/e{i}/events", $$$"""{"type":"Set","payload":{"n":{{{i}}}}}""")).ShouldBe(201).Header("Warp-Cursor")!;
        return cursor;
    }

    private Task<Answer> QueryAsync(string sql, string parameters = "[]", string? cursor = null, string accept = "application/json") => app.QueryAsync(sql, parameters, cursor, accept);
}

/// <summary>A service whose answers are cut early.</summary>
public sealed class QueryApp : WarpApp
{
    public const int Rows = 500;

    public QueryApp()
    {
        Set("Warp:Shards", "1");
        Set("Warp:Limits:QueryRows", Rows.ToString(CultureInfo.InvariantCulture));
        Set("Warp:Limits:QueryBytes", "65536");
    }

    internal Task<Answer> QueryAsync(string sql, string parameters = "[]", string? cursor = null, string accept = "application/json")
    {
        var body = $$"""{"sql":{{JsonSerializer.Serialize(sql)}},"params":{{parameters}}""" + (cursor is null ? "}" : $$""","minCursor":"{{cursor}}","wait":"60s"}""");
        return this.PostAsync("/v1/query", body, ("Accept", accept));
    }
}
