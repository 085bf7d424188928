using System.Globalization;
using System.Text.Json;

namespace Warp.Http.Tests.Endpoints;

public sealed class HistoryTests(WarpApp app) : IClassFixture<WarpApp>
{
    private readonly string _path = $"/v1/entities/user/{Guid.NewGuid():N}";

    private string Events => _path + "/events";

    [Fact]
    public async Task An_event_comes_out_as_it_went_in()
    {
        await app.PostAsync(Events, """
            {"type":"A \"quoted\" é","aggregate":"Account","schemaVersion":3,"id":"own","payload":{"n":1.10, "big":123456789012345678901234567890},
             "metadata":{"by":"x"},"occurredAt":"2026-01-31T12:00:00.5+01:00"}
            """);

        var e = (await app.GetAsync(Events)).ShouldBe(200)["events"][0];

        e.GetProperty("type").GetString().ShouldBe("A \"quoted\" é");
        e.GetProperty("payload").GetRawText().ShouldBe("""{"n":1.10, "big":123456789012345678901234567890}""");
        e.GetProperty("metadata").GetRawText().ShouldBe("""{"by":"x"}""");
        e.GetProperty("occurredAt").GetString().ShouldBe("2026-01-31T12:00:00.5+01:00");
        (e.GetProperty("id").GetString(), e.GetProperty("seq").GetInt64(), e.GetProperty("schemaVersion").GetInt32(), e.GetProperty("aggregate").GetString())
            .ShouldBe(("own", 1, 3, "Account"));
    }

    [Theory]
    [InlineData("?type=")]
    [InlineData("?type=A%00")]
    [InlineData("?since=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z")]
    public async Task What_nothing_can_match_is_refused(string query)
    {
        await app.PostAsync(Events, """{"type":"A"}""");
        (await app.GetAsync(Events + query)).ShouldBeProblem(400, "invalid-request");
    }

    [Theory]
    [InlineData("", "1,2,3,4,5,6,7,8,9,10")]
    [InlineData("?from=3&to=5", "3,4,5")]
    [InlineData("?from=9&to=99", "9,10")]
    [InlineData("?from=11", "")]
    [InlineData("?order=desc&limit=3", "10,9,8")]
    [InlineData("?order=desc&to=4&from=2", "4,3,2")]
    [InlineData("?type=T3&type=T1", "1,3,5,7,9")]
    [InlineData("?type=T0&order=desc", "10,8,6,4,2")]
    [InlineData("?aggregate=Even", "2,4,6,8,10")]
    [InlineData("?aggregate=Default", "1,3,5,7,9")]
    [InlineData("?aggregate=None", "")]
    [InlineData("?since=2001-01-01T00:00:00Z", "1,2,3,4,5,6,7,8,9,10")]
    [InlineData("?since=2901-01-01T00:00:00+00:00", "")]
    [InlineData("?until=2001-01-01T00:00:00Z", "")]
    public async Task Filters_choose(string query, string seqs)
    {
        await AppendTenAsync();

        Seqs((await app.GetAsync(Events + query)).ShouldBe(200)).ShouldBe(seqs);
    }

    [Theory]
    [InlineData("?limit=3")]
    [InlineData("?limit=3&order=desc")]
    [InlineData("?limit=2&type=T0&type=T1")]
    [InlineData("?limit=1&aggregate=Even&order=desc&since=2001-01-01T00:00:00%2B01:00")]
    [InlineData("?limit=4&from=2&to=9")]
    public async Task Pages_follow_each_other_without_gap_or_repetition(string query)
    {
        await AppendTenAsync();
        var whole = Seqs(await app.GetAsync(Events + query.Replace("limit=", "limit=100", StringComparison.Ordinal)));

        List<string> pages = [];
        for (var next = Events + query; next is not null;)
        {
            var page = (await app.GetAsync(next)).ShouldBe(200);
            if (Seqs(page) is { Length: > 0 } seqs) pages.Add(seqs);
            next = page["next"].GetString();
            page.Header("Link").ShouldBe(next is null ? null : $"<{next}>; rel=\"next\"");
            pages.Count.ShouldBeLessThan(12);
        }

        string.Join(',', pages).ShouldBe(whole);
    }

    [Fact]
    public async Task Times_choose_by_when_events_were_recorded()
    {
        for (var i = 0; i < 5; i++)
        {
            await app.PostAsync(Events, """{"type":"A"}""");
            await Task.Delay(3, TestContext.Current.CancellationToken);
        }

        var times = (await app.GetAsync(Events))["events"].EnumerateArray().Select(e => e.GetProperty("recordedAt").GetString()!).ToList();

        Seqs(await app.GetAsync($"{Events}?since={times[2]}")).ShouldBe("3,4,5");
        Seqs(await app.GetAsync($"{Events}?until={times[2]}")).ShouldBe("1,2,3");
        Seqs(await app.GetAsync($"{Events}?since={times[1]}&until={times[3]}&order=desc")).ShouldBe("4,3,2");
        var justAfter = times[2].Replace("Z", "0001Z", StringComparison.Ordinal);
        Seqs(await app.GetAsync($"{Events}?since={justAfter}")).ShouldBe("4,5");
        Seqs(await app.GetAsync($"{Events}?until={justAfter}")).ShouldBe("1,2,3");
    }

    [Fact]
    public async Task Ndjson_has_an_event_a_line_and_the_link_in_the_header()
    {
        await AppendTenAsync();

        var answer = (await app.GetAsync(Events + "?limit=2&type=T0", ("Accept", "application/x-ndjson"))).ShouldBe(200);

        answer.Lines.Select(l => l.GetProperty("seq").GetInt64()).ShouldBe([2, 4]);
        answer.Header("Content-Type").ShouldBe("application/x-ndjson");
        answer.Header("Link")!.ShouldContain("from=5");
    }

    [Fact]
    public async Task A_long_history_is_sent_in_pieces_and_whole()
    {
        var padding = new string('x', 100);
        await app.PostAsync(Events, "[" + string.Join(',', Enumerable.Range(1, 9_000).Select(i => $$"""{"type":"T","payload":[{{i}},"{{padding}}"]}""")) + "]");

        var answer = (await app.GetAsync(Events + "?limit=10000")).ShouldBe(200);

        answer["events"].EnumerateArray().Select(e => e.GetProperty("payload")[0].GetInt32()).ShouldBe(Enumerable.Range(1, 9_000));
        (await app.GetAsync(Events + "?limit=10000&order=desc", ("Accept", "application/x-ndjson"))).Lines.Count.ShouldBe(9_000);
    }

    [Theory]
    [InlineData("?from=0")]
    [InlineData("?from=x")]
    [InlineData("?from=5&to=4")]
    [InlineData("?limit=0")]
    [InlineData("?limit=10001")]
    [InlineData("?limit=")]
    [InlineData("?order=up")]
    [InlineData("?since=yesterday")]
    [InlineData("?until=2026-02-30T00:00:00Z")]
    [InlineData("?aggregate=1x")]
    [InlineData("?upcast=yes")]
    [InlineData("?form=3")]
    [InlineData("?from=1&from=2")]
    [InlineData("?FROM=1")]
    public async Task What_is_not_understood_gets_400_and_is_named(string query)
    {
        await app.PostAsync(Events, """{"type":"A"}""");

        var name = query.TrimStart('?').Split('=', '&')[0];
        var errors = (await app.GetAsync(Events + query)).ShouldBeProblem(400, "invalid-request")["errors"];

        errors.EnumerateObject().Single().Name.ShouldBe(query.Contains("to=4", StringComparison.Ordinal) ? "to" : name);
    }

    [Fact]
    public async Task What_can_not_be_given_gets_406()
    {
        await app.PostAsync(Events, """{"type":"A"}""");

        (await app.GetAsync(Events, ("Accept", "text/csv"))).ShouldBeProblem(406, "not-acceptable");
        (await app.GetAsync(Events, ("Accept", "application/json;q=0"))).ShouldBeProblem(406, "not-acceptable");
        (await app.GetAsync(Events, ("Accept", "text/html, */*;q=0.1"))).ShouldBe(200);
    }

    private static string Seqs(Answer answer) =>
        string.Join(',', answer["events"].EnumerateArray().Select(e => e.GetProperty("seq").GetInt64().ToString(CultureInfo.InvariantCulture)));

    private async Task AppendTenAsync()
    {
        var events = Enumerable.Range(1, 10).Select(i => i % 2 == 0 ? """{"type":"T0","aggregate":"Even"}""" : """{"type":"T1"}""");
        (await app.PostAsync(Events, $"[{string.Join(',', events)}]")).ShouldBe(201);
    }
}
