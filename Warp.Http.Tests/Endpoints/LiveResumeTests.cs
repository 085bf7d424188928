using Microsoft.Extensions.DependencyInjection;
using Warp.Http.Subscriptions;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

/// <summary>The page <c>/live</c> whose connection breaks: whatever happened meanwhile, it shows what it would have shown.</summary>
public sealed class LiveResumeTests(SharedBrowser shared) : LivePage(shared)
{
    private const string IsReconnecting = "document.getElementById('status-text').textContent.startsWith('Reconnecting')";

    [Fact]
    public async Task After_a_broken_connection_the_page_says_so_comes_back_and_misses_and_doubles_nothing()
    {
        using var relay = new Relay(App.Address);
        await OpenAsync(relay.Address, "");
        await Browser.BecomesTrueAsync(IsLive);
        for (var i = 1; i <= 2; i++)
        {
            await AppendAsync("user/alice", "T", "1");
            await RowsBecomeAsync((2 * i) - 1);
            relay.Down();
            await Browser.BecomesTrueAsync(IsReconnecting);
            await LookAsync("reconnecting");
            await AppendAsync("user/alice", "T", "1");
            relay.Up();
            await RowsBecomeAsync(2 * i);
        }

        (await TextsAsync(".entity")).ShouldBe(Enumerable.Range(1, 4).Reverse().Select(seq => $"user/alice #{seq}"));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(8)]
    public async Task An_entity_that_began_a_new_life_meanwhile_is_shown_anew_from_its_first_event(int events)
    {
        using var relay = new Relay(App.Address);
        for (var i = 1; i <= 5; i++) await AppendAsync("user/alice", $"Old{i}", "1");
        await OpenAsync(relay.Address, "?entity=user%2Falice&start=beginning");
        await RowsBecomeAsync(5);
        relay.Down();
        await Browser.BecomesTrueAsync(IsReconnecting);

        (await App.DeleteAsync("/v1/entities/user/alice")).ShouldBe(200);
        (await App.PostAsync("/v1/entities/user/alice/events?recreate=true", """{"type":"New1"}""")).ShouldBe(201);
        for (var i = 2; i <= events; i++) await AppendAsync("user/alice", $"New{i}", "1");
        relay.Up();

        await Browser.BecomesTrueAsync($"{IsLive} && document.querySelector('#events .type')?.textContent === 'New{events}'");
        (await TextsAsync(".type")).ShouldBe(Enumerable.Range(1, events).Reverse().Select(i => $"New{i}"));
        (await Browser.EvaluateAsync("document.getElementById('note').textContent")).GetString()!.ShouldContain("created again");
        await LookAsync("recreated");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_was_erased_is_on_no_screen_any_more_whether_the_page_was_there_or_not(bool wasAway)
    {
        using var relay = new Relay(App.Address);
        await AppendAsync("user/alice", "T", "\"secret\"");
        await OpenAsync(relay.Address, "?entity=user%2Falice&start=beginning");
        await Browser.BecomesTrueAsync($"{IsLive} && document.querySelectorAll('#events li').length === 1");
        if (wasAway)
        {
            relay.Down();
            await Browser.BecomesTrueAsync(IsReconnecting);
        }

        (await App.DeleteAsync("/v1/entities/user/alice")).ShouldBe(200);
        relay.Up();

        await Browser.BecomesTrueAsync("document.getElementById('status').dataset.state === 'ended' && document.querySelectorAll('#events li').length === 0");
        (await Browser.EvaluateAsync("document.getElementById('status-text').textContent")).GetString()!.ShouldContain("erased");
        (await Browser.EvaluateAsync("document.body.innerText")).GetString()!.ShouldNotContain("secret");
        await LookAsync("erased");
    }

    /// <summary>As after a computer's sleep, or behind a router that forgot the connection: nothing comes, and nothing says so.</summary>
    [Fact]
    public async Task A_connection_that_went_dead_without_a_word_is_replaced()
    {
        using var relay = new Relay(App.Address);
        await OpenAsync(relay.Address, "");
        await Browser.BecomesTrueAsync(IsLive);
        await AppendAsync("user/alice", "T", "1");
        await RowsBecomeAsync(1);
        relay.Swallow();
        await AppendAsync("user/alice", "T", "1");

        // Others that brought the page's files lie idle, and lead nowhere either: each would be tried and found dead in its turn.
        await Browser.EvaluateAsync("Promise.allSettled([1, 2, 3, 4, 5].map(i => fetch(`/live?${i}`, { cache: 'no-store', signal: AbortSignal.timeout(500) }))).then(() => 0)");
        await Browser.EvaluateAsync("const now = Date.now; Date.now = () => now() + 46000; 0");

        await RowsBecomeAsync(2);
        await Browser.BecomesTrueAsync(IsLive);
    }

    /// <summary>A browser keeps pages that were left, with their connections, and opens at most six connections to a service.</summary>
    [Fact]
    public async Task A_page_that_was_left_holds_no_stream_and_goes_on_when_one_comes_back_to_it()
    {
        await AppendAsync("user/alice", "T", "1");
        await OpenAsync(App.Address, "?start=beginning");
        await Browser.BecomesTrueAsync($"{IsLive} && document.querySelectorAll('#events li').length === 1");

        await Browser.NavigateAsync(new Uri(App.Address, "/health/ready"));

        var hub = App.Services.GetRequiredService<SubscriptionHub>();
        await Eventually.BecomesTrueAsync("no stream is open", () => hub.Open == 0, TimeSpan.FromSeconds(60));
        await AppendAsync("user/alice", "T", "1");
        await Browser.EvaluateAsync("history.back()");
        await Browser.BecomesTrueAsync($"location.pathname === '/live' && {IsLive}");
        await AppendAsync("user/alice", "T", "1");
        await RowsBecomeAsync(3);
        (await TextsAsync(".entity")).ShouldBe(["user/alice #3", "user/alice #2", "user/alice #1"]);
    }

    /// <summary>While a filter lets nothing through, such ids alone say how far the stream is.</summary>
    [Fact]
    public async Task An_id_without_data_moves_the_place_on_and_one_that_was_cut_off_does_not()
    {
        await OpenAsync(App.Address, "");

        var ids = await Browser.EvaluateAsync("""
            import('/live/sse.js').then(({ open }) => new Promise(resolve => {
              const ids = [];
              window.fetch = (_, { headers }) => {
                ids.push(headers['Last-Event-ID'] ?? '');
                if (ids.length === 2) resolve(ids);
                return Promise.resolve(new Response('id: 7\n\nid: 8\n', { headers: { 'Content-Type': 'text/event-stream' } }));
              };
              open({ url: '/', key: '', onMessage() {}, onState() {} });
            }))
            """);

        ids.EnumerateArray().Select(id => id.GetString()).ShouldBe(["", "7"]);
    }

    [Fact]
    public async Task A_service_that_is_full_is_left_alone_for_as_long_as_it_says()
    {
        await OpenAsync(App.Address, "");

        var waits = await Browser.EvaluateAsync("""
            import('/live/sse.js').then(({ open }) => new Promise(resolve => {
              const waits = [];
              window.setTimeout = (again, ms) => { waits.push(ms); if (waits.length === 3) resolve(waits); else queueMicrotask(again); };
              window.fetch = () => Promise.resolve(new Response('{}', { status: 503, headers: waits.length === 1 ? { 'Retry-After': '5' } : {} }));
              open({ url: '/', key: '', onMessage() {}, onState() {} });
            }))
            """);

        waits.EnumerateArray().Select(wait => wait.GetInt32()).ShouldBe([1000, 5000, 10000]);
    }
}
