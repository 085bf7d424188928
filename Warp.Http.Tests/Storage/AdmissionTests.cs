using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>Each bound refuses what is beyond it, keeps what was taken, and opens again.</summary>
public sealed class AdmissionTests : IDisposable
{
    private readonly TempDirectory _directory = new("admission");
    private readonly WriterGate _gate = new();

    public void Dispose()
    {
        _gate.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task Beyond_the_bytes_that_may_wait_an_append_is_refused_as_overloaded()
    {
        using var fixture = new StoreFixture(Options(queuedBytesMax: 10_000));
        var taken = await HoldAsync(fixture, new TestEvent("Large", $$"""{"x":"{{new string('x', 9_000)}}"}"""));
        (await fixture.AppendAsync("user/2", new TestEvent("Large", $$"""{"x":"{{new string('x', 2_000)}}"}"""))).Status.ShouldBe(
            AppendStatus.Overloaded);
        _gate.Open();
        (await taken).Status.ShouldBe(AppendStatus.Appended);
        (await fixture.AppendAsync("user/2", new TestEvent("Large", $$"""{"x":"{{new string('x', 2_000)}}"}"""))).Status.ShouldBe(
            AppendStatus.Appended);
        fixture.Shard.QueuedBytes.ShouldBe(0);
    }

    [Fact]
    public async Task An_append_larger_than_the_bound_goes_through_alone()
    {
        using var fixture = new StoreFixture(Options(queuedBytesMax: 10_000));
        (await fixture.AppendAsync("user/1", new TestEvent("Huge", $$"""{"x":"{{new string('x', 50_000)}}"}"""))).Status.ShouldBe(
            AppendStatus.Appended);
        fixture.Shard.QueuedBytes.ShouldBe(0);
    }

    [Fact]
    public async Task Beyond_the_commands_that_an_entity_may_have_under_way_an_append_is_refused()
    {
        using var fixture = new StoreFixture(Options(), limits: new Limits { MailboxCommands = 10 });
        var first = await HoldAsync(fixture, new TestEvent("First"));
        var sent = Enumerable.Range(0, 30).Select(i => fixture.AppendAsync("user/1", new TestEvent($"E{i}"))).ToList();
        await Eventually.BecomesTrueAsync(
            "what is too much is refused without the writer", () => sent.Count(task => task.IsCompleted) >= 21);
        _gate.Open();
        var outcomes = await Task.WhenAll([first, .. sent]);
        outcomes.Count(outcome => outcome.Status == AppendStatus.Appended).ShouldBe(10);
        outcomes.Count(outcome => outcome.Status == AppendStatus.MailboxFull).ShouldBe(21);
        (await fixture.HistoryAsync("user/1"))!.Count.ShouldBe(10);
        fixture.Shard.QueuedBytes.ShouldBe(0);
    }

    [Fact]
    public async Task A_mailbox_whose_owner_waits_takes_no_more_than_its_bound()
    {
        using var fixture = new StoreFixture(Options(), limits: new Limits { MailboxCommands = 10 });
        var first = await HoldAsync(fixture, new TestEvent("First", Id: "id"));
        var replay = fixture.AppendAsync("user/1", new TestEvent("First", Id: "id")); // waits for the first and keeps the mailbox
        var sent = Enumerable.Range(0, 30).Select(i => fixture.AppendAsync("user/1", new TestEvent($"E{i}"))).ToList();
        sent.Count(task => task.IsCompleted).ShouldBeLessThanOrEqualTo(20);
        await Eventually.BecomesTrueAsync("what is too much is refused", () => sent.Count(task => task.IsCompleted) == 20);
        _gate.Open();
        (await first).Status.ShouldBe(AppendStatus.Appended);
        (await replay).Status.ShouldBe(AppendStatus.Replayed);
        var outcomes = await Task.WhenAll(sent);
        outcomes.Count(outcome => outcome.Status == AppendStatus.Appended)
            .ShouldBeInRange(9, 10, "the bound on what is in flight counts from the writer's side");
        (await fixture.HistoryAsync("user/1"))!.Count.ShouldBe(1 + outcomes.Count(outcome => outcome.Status == AppendStatus.Appended));
    }

    [Fact]
    public async Task Without_room_on_the_disk_appends_are_refused_and_reads_and_erasures_go_on()
    {
        using (var fixture = new StoreFixture(Options()))
            for (var i = 0; i < 3; i++) await fixture.AppendAsync($"user/{i}", new TestEvent("Created"));

        using var full = new StoreFixture(Options(freeBytesMin: long.MaxValue));
        await Eventually.BecomesTrueAsync("the room is looked at", () => full.Store.Troubles.Count > 0);
        full.Store.Troubles.ShouldHaveSingleItem().ShouldContain("disk");
        (await full.AppendAsync("user/1", new TestEvent("More"))).Status.ShouldBe(AppendStatus.StorageFull);
        (await full.HistoryAsync("user/1"))!.Count.ShouldBe(1);
        (await full.EraseAsync("user/2"))!.Complete.ShouldBeTrue();
    }

    [Fact]
    public async Task Stopping_commits_what_was_taken_and_answers_all()
    {
        using var fixture = new StoreFixture(Options());
        var taken = await HoldAsync(fixture, new TestEvent("First"));
        var more = Enumerable.Range(0, 300).Select(i => fixture.AppendAsync($"user/{i % 7}", new TestEvent($"E{i}"))).ToList();
        var closing = Task.Run(fixture.Dispose);
        _gate.Open();
        await closing.WaitAsync(TimeSpan.FromSeconds(30));
        var outcomes = await Task.WhenAll([taken, .. more]).WaitAsync(TimeSpan.FromSeconds(30));
        outcomes.ShouldAllBe(outcome => outcome.Status == AppendStatus.Appended || outcome.Status == AppendStatus.Unavailable);
        outcomes[0].Status.ShouldBe(AppendStatus.Appended);

        using var reopened = new StoreFixture(StoreFixture.Small(_directory.Path));
        var stored = 0;
        foreach (var name in await reopened.ListAsync()) stored += (await reopened.HistoryAsync(name))!.Count;
        stored.ShouldBe(outcomes.Count(outcome => outcome.Status == AppendStatus.Appended));
    }

    private async Task<Task<AppendOutcome>> HoldAsync(StoreFixture fixture, TestEvent e)
    {
        _gate.Close();
        var append = fixture.AppendAsync("user/1", e);
        await Eventually.BecomesTrueAsync("the writer is held", () => _gate.IsHolding);
        return append;
    }

    private StoreOptions Options(int queuedBytesMax = 1 << 26, long freeBytesMin = 0) => new()
    {
        DataDirectory = _directory.Path,
        Shards = 1,
        Durability = Durability.Os,
        QueuedBytesMax = queuedBytesMax,
        FreeBytesMin = freeBytesMin,
        AtStep = _gate.AtStep,
    };
}
