namespace Warp.Http.Tests.Endpoints;

public sealed class StreamTests(WarpApp app) : IClassFixture<WarpApp>
{
    private readonly string _id = Guid.NewGuid().ToString("N");

    [Fact]
    public async Task Each_line_has_its_reply_in_order()
    {
        var answer = await StreamAsync($$$"""
            {"entity":"user/{{{_id}}}","type":"A"}

            {"entity":"user/{{{_id}}}","typ":"A"}
            not json
            {"entity":"user/{{{_id}}}","events":[{"type":"B"},{"type":"C"}],"expect":{"seq":1}}
            {"entity":"user/{{{_id}}}","type":"D","id":"x"}
            {"entity":"user/{{{_id}}}","type":"D","id":"x"}
            {"entity":"warp.x/y","type":"D"}
            {"entity":"user/{{{_id}}}","events":[{"type":"B"}],"expect":{"seq":1}}
            {"entity":"user/{{{_id}}}","events":[{"type":"B"}],"expect":{"when":"false"}}
            """);

        var lines = answer.ShouldBe(200).Lines;
        lines.Select(l => l.GetProperty("line").GetInt32()).ShouldBe([1, 3, 4, 5, 6, 7, 8, 9, 10]);
        lines.Select(l => l.TryGetProperty("problem", out var p) ? p.GetProperty("type").GetString()!["/problems/".Length..] : $"{l.GetProperty("firstSeq")}-{l.GetProperty("lastSeq")}")
            .ShouldBe(["1-1", "invalid-request", "invalid-json", "2-3", "4-4", "4-4", "reserved-kind", "seq-mismatch", "condition-false"]);
        lines[5].GetProperty("replayed").GetBoolean().ShouldBeTrue();
        lines[0].GetProperty("entity").GetString().ShouldBe($"user/{_id}");
        lines[2].TryGetProperty("entity", out _).ShouldBeFalse("the line could not be read so far");
    }

    [Fact]
    public async Task Thousands_of_lines_of_one_entity_keep_their_order()
    {
        var lines = string.Join('\n', Enumerable.Range(1, 5_000).Select(i => $$"""{"entity":"user/{{_id}}","type":"T","payload":{{i}}}"""));

        var replies = (await StreamAsync(lines)).ShouldBe(200).Lines;

        replies.Select(r => r.GetProperty("firstSeq").GetInt64()).ShouldBe(Enumerable.Range(1, 5_000).Select(i => (long)i));
        var history = (await app.GetAsync($"/v1/entities/user/{_id}/events?limit=10000"))["events"].EnumerateArray();
        history.Select(e => e.GetProperty("payload").GetInt32()).ShouldBe(Enumerable.Range(1, 5_000));
    }

    [Theory]
    [InlineData("Idempotency-Key", "k")]
    [InlineData("If-Match", "\"1\"")]
    [InlineData("If-None-Match", "*")]
    public async Task A_header_that_holds_for_one_append_is_refused_not_ignored(string name, string value) =>
        (await app.SendAsync(HttpMethod.Post, "/v1/events", "", "application/x-ndjson", (name, value))).ShouldBeProblem(400, "invalid-request")["errors"].TryGetProperty(name, out _).ShouldBeTrue();

    [Fact]
    public async Task A_line_that_is_too_long_has_its_problem_and_the_next_is_read()
    {
        var long1 = $$"""{"entity":"user/{{_id}}","type":"A","payload":"{{new string('x', 9_000_000)}}"}""";
        var answer = await StreamAsync($"{{\"entity\":\"user/{_id}\",\"type\":\"A\"}}\n{long1}\n{{\"entity\":\"user/{_id}\",\"type\":\"B\"}}\n{long1}");

        var lines = answer.ShouldBe(200).Lines;

        var problem = lines[1].GetProperty("problem");
        problem.GetProperty("type").GetString().ShouldBe("/problems/payload-too-large");
        (problem.GetProperty("limit").GetInt64(), problem.GetProperty("actual").GetInt64()).ShouldBe((8_388_608, long1.Length));
        lines[2].GetProperty("lastSeq").GetInt64().ShouldBe(2);
        lines[3].GetProperty("problem").GetProperty("actual").GetInt64().ShouldBe(long1.Length);
    }

    [Fact]
    public async Task A_reply_comes_while_the_request_is_still_open()
    {
        await using var stream = await OpenStream.StartAsync(app.Address);

        await stream.SendAsync($"{{\"entity\":\"user/{_id}\",\"type\":\"A\"}}\n{{\"entity\":\"user/");
        (await stream.ReadReplyAsync()).GetProperty("lastSeq").GetInt64().ShouldBe(1);
        await stream.SendAsync($"{_id}\",\"type\":\"B\"}}");
        await stream.EndAsync();
        (await stream.ReadReplyAsync()).GetProperty("lastSeq").GetInt64().ShouldBe(2);
    }

    [Fact]
    public async Task A_stream_that_falls_silent_is_ended_with_a_line_that_says_so()
    {
        await using var own = new WarpApp();
        own.Set("Warp:Stream:IdleTimeout", "00:00:01");
        await using var stream = await OpenStream.StartAsync(own.Address);

        await stream.SendAsync("{\"entity\":\"user/a\",\"type\":\"A\"}\n");
        (await stream.ReadReplyAsync()).GetProperty("line").GetInt32().ShouldBe(1);

        var last = await stream.ReadReplyAsync();
        (last.GetProperty("line").GetInt32(), last.GetProperty("problem").GetProperty("type").GetString()).ShouldBe((2, "/problems/request-timeout"));
    }

    [Fact]
    public async Task Broken_framing_after_replies_ends_the_stream_with_a_line_that_says_so()
    {
        await using var stream = await OpenStream.StartAsync(app.Address);
        await stream.SendAsync($"{{\"entity\":\"user/{_id}\",\"type\":\"A\"}}\n");
        (await stream.ReadReplyAsync()).GetProperty("line").GetInt32().ShouldBe(1);

        await stream.SendRawAsync("80000000\r\n{");

        var last = await stream.ReadReplyAsync();
        last.GetProperty("problem").GetProperty("status").GetInt32().ShouldBe(400);
    }

    [Fact]
    public async Task A_client_that_leaves_a_stream_loses_only_the_replies()
    {
        for (var i = 0; i < 20; i++)
        {
            await using var stream = await OpenStream.StartAsync(app.Address);
            await stream.SendAsync(string.Concat(Enumerable.Repeat($"{{\"entity\":\"user/{_id}\",\"type\":\"A\"}}\n", 100)));
            if (i % 2 == 0) await stream.ReadReplyAsync();
        }

        // What was posted before its client left may be stored or not, but whole and in order; and the service goes on.
        var answer = await StreamAsync($"{{\"entity\":\"user/{_id}\",\"type\":\"last\"}}");
        answer.ShouldBe(200).Lines.Single().GetProperty("lastSeq").GetInt64().ShouldBeGreaterThan(10);
    }

    [Theory]
    [InlineData("application/json")]
    [InlineData("application/x-www-form-urlencoded")]
    public async Task Another_media_type_gets_415(string type) =>
        (await app.SendAsync(HttpMethod.Post, "/v1/events", "{}", type)).ShouldBeProblem(415, "unsupported-media-type");

    [Fact]
    public async Task An_empty_body_has_no_reply_lines()
    {
        var answer = await StreamAsync("\n\n");
        (answer.Status, answer.Body).ShouldBe((200, ""));
        (await StreamAsync("")).ShouldBe(200);
    }

    [Fact]
    public async Task A_line_may_have_crlf_and_the_last_may_lack_its_end()
    {
        var answer = await StreamAsync($"{{\"entity\":\"user/{_id}\",\"type\":\"A\"}}\r\n{{\"entity\":\"user/{_id}\",\"type\":\"B\"}}");

        answer.ShouldBe(200).Lines.Select(l => l.GetProperty("lastSeq").GetInt64()).ShouldBe([1, 2]);
    }

    private Task<Answer> StreamAsync(string lines) => app.SendAsync(HttpMethod.Post, "/v1/events", lines, "application/x-ndjson");
}
