using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;
using Warp.Http.Tests.Recovery;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

/// <summary>The page <c>/live</c> in a real browser.</summary>
public sealed class LivePageTests(SharedBrowser shared) : LivePage(shared)
{
    private const string Hostile = """{"html":"<img src=x onerror=\"window.harmed=1\"><script>window.harmed=1</script>","quote":"\"'`</li>"}""";

    [Fact]
    public async Task Events_are_shown_as_they_come()
    {
        await AppendAsync("user/alice", "<b>Opened</b>", Hostile);
        await OpenAsync(App.Address, "?start=beginning");
        await Browser.BecomesTrueAsync($"{IsLive} && document.querySelectorAll('#events li').length === 1");

        await AppendAsync("user/bob", "Credited", """{"amount":12345678901234567890}""");
        await AppendAsync("user/alice", "Credited", "\"zwölf €, 🎉\"");

        await RowsBecomeAsync(3);
        (await TextsAsync(".entity")).ShouldBe(["user/alice #2", "user/bob #1", "user/alice #1"]);
        (await TextsAsync(".type"))[2].ShouldBe("<b>Opened</b>");
        var payloads = await TextsAsync(".payload");
        payloads[0].ShouldBe("\"zwölf €, 🎉\"");
        payloads[1].ShouldBe("""{"amount":12345678901234567890}""", "the page shows the digits that were sent");
        payloads[2].ShouldBe(Hostile);
        (await Browser.EvaluateAsync("window.harmed === undefined && document.querySelectorAll('#events img, #events script, #events b').length")).GetInt32().ShouldBe(0);
        Browser.Errors.ShouldBeEmpty();
        await LookAsync("events");
    }

    [Fact]
    public async Task A_click_on_an_entity_narrows_the_stream_and_filters_stand_in_the_address()
    {
        foreach (var entity in new[] { "user/alice", "order/1", "user/alice" }) await AppendAsync(entity, "A", "1");
        await OpenAsync(App.Address, "?start=beginning&kind=user");
        await RowsBecomeAsync(2);

        await Browser.EvaluateAsync("document.querySelector('#events .entity').click()");

        await Browser.BecomesTrueAsync($"{IsLive} && document.querySelectorAll('#events li').length === 2");
        await AppendAsync("user/carol", "A", "1");
        await AppendAsync("user/alice", "B", "1");
        await RowsBecomeAsync(3);
        (await TextsAsync(".entity")).ShouldBe(["user/alice #3", "user/alice #2", "user/alice #1"]);
        (await Browser.EvaluateAsync("location.search")).GetString().ShouldBe("?kind=user&entity=user%2Falice&start=beginning");
    }

    [Fact]
    public async Task A_paused_page_holds_back_and_the_list_is_bounded()
    {
        await OpenAsync(App.Address, "");
        await Browser.BecomesTrueAsync(IsLive);
        await Browser.EvaluateAsync("document.getElementById('pause').click()");

        var lines = string.Concat(Enumerable.Range(1, 1_700).Select(i => $"{{\"entity\":\"user/many\",\"type\":\"T\",\"payload\":{i}}}\n"));
        (await App.SendAsync(HttpMethod.Post, "/v1/events", lines, "application/x-ndjson")).ShouldBe(200);
        await Browser.BecomesTrueAsync("document.getElementById('held').textContent.replace(/\\D/g, '') === '1700'");
        (await TextsAsync(".entity")).ShouldBeEmpty();
        await Browser.EvaluateAsync("document.getElementById('pause').click()");

        await RowsBecomeAsync(500);
        (await TextsAsync(".payload"))[0].ShouldBe("1700");
        await LookAsync("busy");
    }

    [Fact]
    public async Task A_key_is_sent_as_a_header_and_stands_in_no_address()
    {
        await OpenAsync(App.Address, "");
        await Browser.EvaluateAsync("""
            const real = window.fetch;
            window.fetch = (url, options) => { window.asked = { url, headers: options.headers }; return real(url, options); };
            document.forms[0].elements.key.value = 'some-key';
            document.forms[0].requestSubmit()
            """);

        await Browser.BecomesTrueAsync($"window.asked?.headers.Authorization === 'Bearer some-key' && {IsLive}");
        (await Browser.EvaluateAsync("window.asked.url + location.href")).GetString()!.ShouldNotContain("some-key");
    }

    [Theory]
    [InlineData("?kind=User", "kind", "must match")]
    [InlineData("?aggregate=1x", "aggregate", "aggregate's name")]
    [InlineData("?entity=User%2Falice", "entity", "must match")]
    [InlineData("?entity=alice", "entity", "kind/id")]
    [InlineData("?entity=user%2F..", "entity", "kind/id")]
    public async Task A_filter_that_is_refused_is_marked_and_says_what_to_do(string query, string field, string why)
    {
        await OpenAsync(App.Address, query);

        await Browser.BecomesTrueAsync("document.getElementById('status').dataset.state === 'ended'");
        (await Browser.EvaluateAsync("[...document.querySelectorAll('[aria-invalid]')].map(e => e.name).join()")).GetString().ShouldBe(field);
        var note = (await Browser.EvaluateAsync("document.getElementById('note').textContent")).GetString()!;
        note.ShouldContain(why);
        note.ShouldContain("apply again");
        await LookAsync("refused");
        (await Browser.EvaluateAsync("getComputedStyle(document.getElementById('empty')).display")).GetString().ShouldBe("none");

        await Browser.EvaluateAsync($"document.forms[0].elements.{field}.value = ''; document.forms[0].requestSubmit()");
        await Browser.BecomesTrueAsync($"{IsLive} && !document.querySelector('[aria-invalid]')");
    }

    [Fact]
    public async Task What_is_typed_counts_once_it_is_applied_and_counts_begin_anew_with_the_list()
    {
        await AppendAsync("user/alice", "T", "1");
        await OpenAsync(App.Address, "?entity=user%2Falice&start=beginning");
        await Browser.BecomesTrueAsync($"{IsLive} && document.querySelectorAll('#events li').length === 1");
        await Browser.EvaluateAsync("document.forms[0].elements.entity.value = 'user/bob'");
        await AppendAsync("user/alice", "T", "1");
        await Browser.BecomesTrueAsync("document.querySelectorAll('#events li').length === 2 && document.getElementById('received').textContent === '2'");
        (await TextsAsync(".entity")).ShouldBe(["user/alice #2", "user/alice #1"]);

        await Browser.EvaluateAsync("document.getElementById('clear').click()");

        await Browser.BecomesTrueAsync("document.querySelectorAll('#events li').length === 0 && document.getElementById('received').textContent === '0'");
        await LookAsync("empty");
    }

    /// <summary>What stands in for EventSource must read every stream as another reader does, however it comes in pieces.</summary>
    [Fact]
    public async Task The_pages_parser_reads_what_dotnets_reads()
    {
        await OpenAsync(App.Address, "");
        var random = new Random(RecoveryTests.Seed());

        // A type always comes with data: of one that is empty, or has none, .NET's reader makes more than the specification does.
        string[] pieces = ["data", "id", "retry", ":", ": ", " ", "\n", "\n", "\n\n", "\r", "\r\n", "x", "ö", "🎉", "7", "\ufeff", "data: ", "data:y\n", "id: 1\n", "event: e\ndata: z\n"];
        for (var round = 0; round < 40; round++)
        {
            var streams = Enumerable.Range(0, 25).Select(_ => string.Concat(Enumerable.Range(0, random.Next(60)).Select(_ => pieces[random.Next(pieces.Length)]))).ToList();
            var due = streams.Select(Parsed).ToList();

            var seen = await Browser.EvaluateAsync($$"""
                import('/live/sse.js').then(({ parser }) => {{JsonSerializer.Serialize(streams)}}.map(text => {
                  const messages = [];
                  const feed = parser(m => messages.push(`${m.event}|${m.data}|${m.id}`));
                  for (let at = 0; at < text.length;) { const n = 1 + Math.floor(Math.random() * 4); feed(text.slice(at, at + n)); at += n; }
                  return messages;
                }))
                """);

            for (var i = 0; i < streams.Count; i++)
                seen[i].EnumerateArray().Select(m => m.GetString()).ShouldBe(due[i], JsonSerializer.Serialize(streams[i]));
        }
    }

    private static List<string> Parsed(string text)
    {
        using var bytes = new MemoryStream(Encoding.UTF8.GetBytes(text));
        var parser = SseParser.Create(bytes);
        var messages = new List<string>();
        foreach (var item in parser.Enumerate())
        {
            messages.Add($"{item.EventType}|{item.Data}|{parser.LastEventId}");
        }

        return messages;
    }
}
