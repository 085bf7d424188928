using Microsoft.Extensions.Time.Testing;
using Warp.Http.Storage;
using Warp.Http.Subscriptions;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Subscriptions;

/// <summary>One stream and its clock: heartbeats, progress, slow clients, and the ways in which it ends.</summary>
public sealed class SessionTests : IDisposable
{
    private readonly TempDirectory _directory = new("session");
    private readonly FakeTimeProvider _time = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_silent_stream_gets_a_comment_and_one_that_was_filtered_its_progress()
    {
        await using var fixture = Open(new SubscriptionOptions());
        await using var silent = await fixture.FollowAsync("user/1", "0");
        await using var filtered = await fixture.FollowAsync("user/2", "0", fixture.Filter(types: "Wanted"));
        await using var ofAll = fixture.FollowAll("start", fixture.Filter(kind: "other"));
        (await silent.ReadAsync())!.Event.ShouldBe("caught-up");
        (await filtered.ReadAsync())!.Id.ShouldBe("0");
        var start = (await ofAll.ReadAsync())!.Id;
        await fixture.Store.AppendAsync("user/2", new TestEvent("Unwanted"), new TestEvent("Unwanted"));
        var tail = fixture.Hub.Tails[0];
        await Eventually.BecomesTrueAsync("the tail has seen them", () => tail.Position == fixture.Store.Shard.DurablePosition);

        _time.Advance(TimeSpan.FromSeconds(16));

        (await filtered.ReadAsync()).ShouldBe(new SseMessage("caught-up", "2", """{"seq":2}"""));
        var progress = (await ofAll.ReadAsync())!;
        (progress.Event, progress.Id == start).ShouldBe(("caught-up", false));
        await fixture.Store.AppendAsync("user/1", new TestEvent("Wanted"));
        (await silent.ReadAsync())!.Id.ShouldBe("1");
        silent.Reader.Comments.ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task A_reader_that_pauses_is_served_from_disk_and_misses_nothing()
    {
        const int Events = 500;
        await using var fixture = Open(new SubscriptionOptions { BufferEvents = 4 });
        await using var slow = await fixture.FollowAsync("user/1", "0");
        await using var quick = await fixture.FollowAsync("user/1", "0");
        (await slow.ReadAsync())!.Event.ShouldBe("caught-up");
        (await quick.ReadAsync())!.Event.ShouldBe("caught-up");
        for (var i = 1; i <= Events; i++)
        {
            await fixture.Store.AppendAsync("user/1", new TestEvent("Moved", FeedConsumer.PayloadOf("user/1", i)));
            if (i % 100 == 0) await fixture.Store.SealAsync();
            (await NextEventAsync(quick)).ShouldBe($"{i}");
        }

        for (var i = 1; i <= Events; i++) (await NextEventAsync(slow)).ShouldBe($"{i}");
    }

    [Fact]
    public async Task A_client_that_takes_nothing_is_cut_after_its_time_and_resumes()
    {
        const int Events = 200;
        await using var fixture = Open(new SubscriptionOptions { BufferEvents = 4, SendTimeout = TimeSpan.FromSeconds(30) });
        await using var dead = await fixture.FollowAsync("user/1", "0");
        (await dead.ReadAsync())!.Event.ShouldBe("caught-up");
        for (var i = 1; i <= Events; i++) await fixture.Store.AppendAsync("user/1", new TestEvent("Moved", FeedConsumer.PayloadOf("user/1", i)));

        for (var i = 0; i < 20; i++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            dead.WasAborted.ShouldBeFalse("it has 30 s");
        }

        await Eventually.BecomesTrueAsync("it is cut", () =>
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            return dead.WasAborted && dead.HasEnded;
        });
        fixture.Hub.Open.ShouldBe(0);
        await using var again = await fixture.FollowAsync("user/1", dead.Reader.LastEventId);
        for (var i = 1; i <= Events; i++) (await NextEventAsync(again)).ShouldBe($"{i}");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_reader_that_makes_its_stream_wait_holds_no_page_and_misses_nothing(bool ofAll)
    {
        const int Events = 3_000;
        await using var fixture = Open(new SubscriptionOptions());
        for (var i = 1; i <= Events; i += 100)
        {
            var first = i;
            await fixture.Store.AppendAsync(
                "user/1", [.. Enumerable.Range(0, 100).Select(n => new TestEvent("Moved", FeedConsumer.PayloadOf("user/1", first + n)))]);
            if (i == 1501) await fixture.Store.SealAsync();
        }

        await using var slow = ofAll ? fixture.FollowAll("start") : await fixture.FollowAsync("user/1", "0");
        var givenUp = 0;
        for (var seq = 1; seq <= Events; seq++)
        {
            // What the pipe took ahead is read in between; then the session waits again.
            if (seq % 500 == 1)
            {
                await Eventually.BecomesTrueAsync("the stream waits for its client", () => slow.Session.Pages.IsResting);
                _time.Advance(TimeSpan.FromSeconds(1));
                slow.Session.Pages.IsResting.ShouldBeFalse();
                givenUp++;
            }

            (await NextEventDataAsync(slow)).ShouldContain($"\"seq\":{seq},");
        }

        givenUp.ShouldBe(6);
    }

    [Fact]
    public async Task A_large_event_goes_out_in_slices_to_a_client_that_reads()
    {
        await using var fixture = Open(new SubscriptionOptions());
        await using var client = await fixture.FollowAsync("user/1", "0");
        var payload = $$"""{"a":"{{new string('x', 1_000_000)}}"}""";
        await fixture.Store.AppendAsync("user/1", new TestEvent("Large", payload));

        while (true)
        {
            var message = (await client.ReadAsync())!;
            if (!message.IsEvent) continue;
            message.Data.ShouldContain(payload);
            return;
        }
    }

    [Fact]
    public async Task Streams_end_when_their_shard_ends()
    {
        await using var fixture = Open(new SubscriptionOptions());
        await using var ofOne = await fixture.FollowAsync("user/1", "0");
        await using var ofAll = fixture.FollowAll(null);
        (await ofOne.ReadAsync())!.Event.ShouldBe("caught-up");
        (await ofAll.ReadAsync())!.Event.ShouldBe("caught-up");

        fixture.Store.Shard.Quarantine(new DamagedDataException("The test says so."));

        (await ofOne.ReadAsync()).ShouldBeNull();
        (await ofAll.ReadAsync()).ShouldBeNull();
    }

    [Fact]
    public async Task A_subscription_keeps_no_actor_in_memory()
    {
        await using var fixture = Open(new SubscriptionOptions());
        await fixture.Store.AppendAsync("user/1", new TestEvent("Moved"));
        await using var client = await fixture.FollowAsync("user/1", "0");
        (await NextEventAsync(client)).ShouldBe("1");

        fixture.Store.Registry.SweepTo(0);

        fixture.Store.Registry.Live.ShouldBe(0);
        await fixture.Store.AppendAsync("user/1", new TestEvent("Moved"));
        (await NextEventAsync(client)).ShouldBe("2");
    }

    [Fact]
    public async Task Entities_that_come_while_they_are_awaited_are_followed_from_their_first_event()
    {
        await using var fixture = Open(new SubscriptionOptions());
        for (var round = 0; round < 50; round++)
        {
            var entity = $"born/{round}";
            var append = Task.Run(async () =>
            {
                for (var i = 0; i < 5; i++) await fixture.Store.AppendAsync(entity, new TestEvent("Born"));
            });
            await using var client = await fixture.FollowAsync(entity, "0");
            for (var i = 1; i <= 5; i++) (await NextEventAsync(client)).ShouldBe($"{i}");
            await append;
        }
    }

    private static async Task<string> NextEventAsync(PipeClient client)
    {
        while (true)
        {
            var message = (await client.ReadAsync()).ShouldNotBeNull("the stream ended");
            if (message.IsEvent) return message.Id;
        }
    }

    private static async Task<string> NextEventDataAsync(PipeClient client)
    {
        while (true)
        {
            var message = (await client.ReadAsync()).ShouldNotBeNull("the stream ended");
            if (message.IsEvent) return message.Data;
        }
    }

    private HubFixture Open(SubscriptionOptions options) => new(StoreFixture.Small(_directory.Path, mergeFanOut: 2), options, _time);
}
