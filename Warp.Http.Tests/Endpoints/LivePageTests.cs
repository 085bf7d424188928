using System.Globalization;
using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;
using Warp.Http.Tests.Recovery;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

/// <summary>The page <c>/live</c> in a real browser.</summary>
public sealed class LivePageTests(LivePageTests.SharedBrowser shared) : IClassFixture<LivePageTests.SharedBrowser>, IAsyncDisposable
{
    private const string Hostile = """{"html":"<img src=x onerror=\"window.harmed=1\"><script>window.harmed=1</script>","quote":"\"'`</li>"}""";

    private readonly WarpApp _app = new();

    private Browser Browser => shared.Browser;

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Theory]
    [InlineData("")]
    [InlineData("some-key")]
    public async Task Events_are_shown_as_they_come_with_a_key_and_without(string key)
    {
        await AppendAsync("user/alice", "<b>Opened</b>", Hostile);
        await OpenAsync(_app.Address, "?start=beginning", key);
        await Browser.BecomesTrueAsync("document.querySelectorAll('#events li').length === 1 && document.getElementById('status').dataset.state === 'live'");

        await AppendAsync("user/bob", "Credited", """{"amount":12345678901234567890}""");
        await AppendAsync("user/alice", "Credited", "\"zwölf €, 🎉\"");

        await Browser.BecomesTrueAsync("document.querySelectorAll('#events li').length === 3");
        (await TextsAsync(".entity")).ShouldBe(["user/alice #2", "user/bob #1", "user/alice #1"]);
        (await TextsAsync(".type"))[2].ShouldBe("<b>Opened</b>");
        var payloads = await TextsAsync(".payload");
        payloads[0].ShouldBe("\"zwölf €, 🎉\"");
        payloads[1].ShouldBe("""{"amount":12345678901234567890}""", "the page shows the digits that were sent");
        payloads[2].ShouldBe(Hostile);
        (await Browser.EvaluateAsync("window.harmed === undefined && document.querySelectorAll('#events img, #events script, #events b').length")).GetInt32().ShouldBe(0);
        Browser.Errors.ShouldBeEmpty();
        if (key.Length == 0) await LookAsync();
    }

    [Fact]
    public async Task A_click_on_an_entity_narrows_the_stream_and_filters_stand_in_the_address()
    {
        foreach (var entity in new[] { "user/alice", "order/1", "user/alice" }) await AppendAsync(entity, "A", "1");
        await OpenAsync(_app.Address, "?start=beginning&kind=user", "");
        await Browser.BecomesTrueAsync("document.querySelectorAll('#events li').length === 2");

        await Browser.EvaluateAsync("document.querySelector('#events .entity').click()");

        await Browser.BecomesTrueAsync("document.getElementById('status').dataset.state === 'live' && document.querySelectorAll('#events li').length === 2");
        await AppendAsync("user/carol", "A", "1");
        await AppendAsync("user/alice", "B", "1");
        await Browser.BecomesTrueAsync("document.querySelectorAll('#events li').length === 3");
        (await TextsAsync(".entity")).ShouldBe(["user/alice #3", "user/alice #2", "user/alice #1"]);
        (await Browser.EvaluateAsync("location.search")).GetString().ShouldBe("?kind=user&entity=user%2Falice&start=beginning");
    }

    [Fact]
    public async Task A_paused_page_holds_back_and_the_list_is_bounded()
    {
        await OpenAsync(_app.Address, "", "");
        await Browser.BecomesTrueAsync("document.getElementById('status').dataset.state === 'live'");
        await Browser.EvaluateAsync("document.getElementById('pause').click()");

        var lines = string.Concat(Enumerable.Range(1, 1_700).Select(i => $"{{\"entity\":\"user/many\",\"type\":\"T\",\"payload\":{i}}}\n"));
        (await _app.SendAsync(HttpMethod.Post, "/v1/events", lines, "application/x-ndjson")).ShouldBe(200);
        await Browser.BecomesTrueAsync("document.getElementById('held').textContent.replace(/\\D/g, '') === '1700'");
        (await TextsAsync(".entity")).ShouldBeEmpty();
        await Browser.EvaluateAsync("document.getElementById('pause').click()");

        await Browser.BecomesTrueAsync("document.querySelectorAll('#events li').length === 500");
        (await TextsAsync(".payload"))[0].ShouldBe("1700");
    }

    [Theory]
    [InlineData("")]
    [InlineData("some-key")]
    public async Task After_a_broken_connection_the_page_says_so_comes_back_and_misses_and_doubles_nothing(string key)
    {
        using var relay = new Relay(_app.Address);
        await OpenAsync(relay.Address, "", key);
        await Browser.BecomesTrueAsync("document.getElementById('status').dataset.state === 'live'");
        for (var i = 1; i <= 2; i++)
        {
            await AppendAsync("user/alice", "T", "1");
            await Browser.BecomesTrueAsync($"document.querySelectorAll('#events li').length === {(2 * i) - 1}");
            relay.Down();
            await Browser.BecomesTrueAsync("document.getElementById('status-text').textContent.startsWith('Reconnecting')");
            await AppendAsync("user/alice", "T", "1");
            relay.Up();
            await Browser.BecomesTrueAsync($"document.querySelectorAll('#events li').length === {2 * i}");
        }

        (await TextsAsync(".entity")).ShouldBe(Enumerable.Range(1, 4).Reverse().Select(seq => $"user/alice #{seq}"));
    }

    [Fact]
    public async Task An_entity_that_was_erased_and_came_again_while_the_page_was_away_is_shown_from_its_first_event()
    {
        using var relay = new Relay(_app.Address);
        foreach (var payload in new[] { "1", "2", "3" }) await AppendAsync("user/alice", "Old", payload);
        await OpenAsync(relay.Address, "?entity=user%2Falice&start=beginning", "");
        await Browser.BecomesTrueAsync("document.querySelectorAll('#events li').length === 3 && document.getElementById('status').dataset.state === 'live'");
        relay.Down();
        await Browser.BecomesTrueAsync("document.getElementById('status-text').textContent.startsWith('Reconnecting')");
        (await _app.DeleteAsync("/v1/entities/user/alice")).ShouldBe(200);
        foreach (var payload in new[] { "4", "5" })
            (await _app.PostAsync("/v1/entities/user/alice/events?recreate=true", $$"""{"type":"New","payload":{{payload}}}""")).ShouldBe(201);

        relay.Up();

        await Browser.BecomesTrueAsync("document.querySelectorAll('#events li').length === 5");
        (await TextsAsync(".type")).ShouldBe(["New", "New", "Old", "Old", "Old"]);
        (await Browser.EvaluateAsync("document.getElementById('note').textContent")).GetString()!.ShouldContain("recreated");
    }

    [Theory]
    [InlineData("")]
    [InlineData("some-key")]
    public async Task A_stream_that_is_refused_says_why_and_does_not_wait_for_events(string key)
    {
        await AppendAsync("user/alice", "T", "1");
        (await _app.DeleteAsync("/v1/entities/user/alice")).ShouldBe(200);

        await OpenAsync(_app.Address, "?entity=user%2Falice", key);

        await Browser.BecomesTrueAsync("document.getElementById('status').dataset.state === 'ended'");
        (await Browser.EvaluateAsync("document.getElementById('status-text').textContent")).GetString()!.ShouldContain("erased");
        (await Browser.EvaluateAsync("getComputedStyle(document.getElementById('empty')).display")).GetString().ShouldBe("none");
    }

    /// <summary>Where a filter passes nothing over a long history, ids without data say how far it is.</summary>
    [Fact]
    public async Task The_pages_parser_passes_on_an_id_that_comes_without_data()
    {
        await OpenAsync(_app.Address, "", "");

        var seen = await Browser.EvaluateAsync("""
            import('/live/sse.js').then(({ parser }) => {
              const seen = [];
              const feed = parser(m => seen.push(`message ${m.id}`), id => seen.push(`id ${id}`));
              feed('id: 5\n\nid: 7\ndata: x\n\n:\n\n');
              return seen.join();
            })
            """);

        seen.GetString().ShouldBe("id 5,id 7,message 7,id 7");
    }

    /// <summary>What stands in for EventSource must read every stream as another reader does, however it comes in pieces.</summary>
    [Fact]
    public async Task The_pages_parser_reads_what_dotnets_reads()
    {
        await OpenAsync(_app.Address, "", "");
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

    private async Task OpenAsync(Uri address, string query, string key)
    {
        await Browser.NavigateAsync(new Uri(address, "/live" + query));
        if (key.Length == 0) return;
        await Browser.EvaluateAsync($"document.forms[0].elements.key.value = '{key}'; document.forms[0].requestSubmit()");
    }

    private async Task<List<string>> TextsAsync(string selector)
    {
        var texts = await Browser.EvaluateAsync($"[...document.querySelectorAll('#events {selector}')].map(e => e.textContent)");
        return [.. texts.EnumerateArray().Select(text => text.GetString()!)];
    }

    private async Task AppendAsync(string entity, string type, string payload) =>
        (await _app.PostAsync($"/v1/entities/{entity}/events", $$"""{"type":{{JsonSerializer.Serialize(type)}},"payload":{{payload}}}""")).ShouldBe(201);

    /// <summary>For who wants to see it: <c>WARP_TEST_SCREENSHOTS</c> names a directory.</summary>
    private async Task LookAsync()
    {
        if (Environment.GetEnvironmentVariable("WARP_TEST_SCREENSHOTS") is not { Length: > 0 } directory) return;
        foreach (var (width, height, isDark) in new[] { (1200, 800, false), (390, 844, false), (1200, 800, true) })
        {
            await Browser.SetSizeAsync(width, height, isDark);
            await Browser.ScreenshotAsync(Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"live-{width}-{(isDark ? "dark" : "light")}.png")));
        }
    }

    /// <summary>One for all tests: to start it takes longer than most of them. Each opens the page of a service of its own.</summary>
    public sealed class SharedBrowser : IAsyncLifetime
    {
        private Browser? _browser;

        internal Browser Browser
        {
            get
            {
                if (_browser is null) Assert.Skip("There is no Chromium on this machine.");
                return _browser;
            }
        }

        public async ValueTask InitializeAsync()
        {
            if (Support.Browser.Executable is not null) _browser = await Support.Browser.StartAsync();
        }

        public ValueTask DisposeAsync() => _browser?.DisposeAsync() ?? ValueTask.CompletedTask;
    }
}
