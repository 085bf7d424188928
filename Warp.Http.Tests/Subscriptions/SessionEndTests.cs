using Microsoft.Extensions.Time.Testing;
using Warp.Http.Subscriptions;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Subscriptions;

/// <summary>How streams end that wait: for a client that takes nothing, or for an entity that does not exist.</summary>
public sealed class SessionEndTests : IAsyncDisposable
{
    private readonly TempDirectory _directory = new("session-end");
    private readonly FakeTimeProvider _time = new();
    private readonly HubFixture _fixture;

    public SessionEndTests() =>
        _fixture = new HubFixture(StoreFixture.Small(_directory.Path), new SubscriptionOptions { SendTimeout = TimeSpan.FromSeconds(30) }, _time);

    public async ValueTask DisposeAsync()
    {
        await _fixture.DisposeAsync();
        _directory.Dispose();
    }

    /// <summary>The tick works on a copy of the sessions: one of them may have left, and its request be another one's, when its turn comes.</summary>
    [Fact]
    public async Task A_session_that_has_left_is_aborted_no_more()
    {
        await using var dead = await FollowWithoutReadingAsync();

        dead.Session.Leave();
        _time.Advance(TimeSpan.FromSeconds(32));
        dead.Session.Stop(SubscriptionEnd.Stopping);

        dead.Session.Subscriber.End.ShouldBe(SubscriptionEnd.NotReading);
        dead.WasAborted.ShouldBeFalse();
    }

    [Fact]
    public async Task A_session_that_fails_keeps_the_tick_from_no_other()
    {
        await using var first = await FollowWithoutReadingAsync();
        await using var failing = await FollowWithoutReadingAsync();
        await using var last = await FollowWithoutReadingAsync();
        failing.AbortFails = true;

        _time.Advance(TimeSpan.FromSeconds(32)); // a tick that throws would throw here

        (first.WasAborted, failing.WasAborted, last.WasAborted).ShouldBe((true, false, true));
        failing.AbortFails = false;
        _time.Advance(TimeSpan.FromSeconds(1));
        failing.WasAborted.ShouldBeTrue();
    }

    /// <summary>A name that only sagas or projections know is erased with a fence, though its life had no record.</summary>
    [Fact]
    public async Task A_stream_that_waits_for_an_entity_ends_when_its_name_is_erased()
    {
        await using var waiting = await _fixture.FollowAsync("user/unknown", "0");
        await using var other = await _fixture.FollowAsync("user/other", "0");
        (await waiting.ReadAsync())!.Event.ShouldBe("caught-up");
        (await other.ReadAsync())!.Event.ShouldBe("caught-up");
        var receipt = Guid.NewGuid();

        await _fixture.Store.Registry.EraseAsync(StoreFixture.Bytes("user/unknown"), receipt, isNamedElsewhere: true, TestContext.Current.CancellationToken);

        var erased = (await waiting.ReadAsync())!;
        erased.Event.ShouldBe("erased");
        erased.Data.ShouldContain(receipt.ToString("N"));
        (await waiting.ReadAsync()).ShouldBeNull();
        await _fixture.Store.AppendAsync("user/other", new TestEvent("Born"));
        (await other.ReadAsync())!.Id.ShouldBe("1");
    }

    private async Task<PipeClient> FollowWithoutReadingAsync()
    {
        for (var i = 1; i <= 20; i++) await _fixture.Store.AppendAsync("user/1", new TestEvent("Moved", $"\"{new string('x', 2_000)}\""));
        var client = await _fixture.FollowAsync("user/1", "0");
        await Eventually.BecomesTrueAsync("the stream waits for its client", () => client.Session.Pages.IsResting);
        return client;
    }
}
