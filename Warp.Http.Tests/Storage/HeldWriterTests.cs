using System.Reflection;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>
/// Between an append's judgement and its durability nobody may see it, and every answer that stands on it waits for it, and fails with it.
/// </summary>
public sealed class HeldWriterTests : IDisposable
{
    private const string Entity = "account/held";
    private static readonly TestEvent Open = new("Opened", """{"balance":10}""", Id: "open-1", Aggregate: "Account");

    private readonly TempDirectory _directory = new("held");
    private readonly WriterGate _gate = new();
    private readonly StoreFixture _fixture;

    public HeldWriterTests()
    {
        _fixture = new StoreFixture(StoreFixture.Small(_directory.Path, _gate.AtStep));
        _fixture.Definitions.Put(
            "Account",
            """{"initial":{"balance":0},"otherwise":"merge","invariants":[{"rule":"state.balance >= 0","message":"overdrawn"}]}"""u8)
            .Status.ShouldBe(PutStatus.Created);
    }

    public void Dispose()
    {
        _gate.Open();
        _fixture.Dispose();
        _gate.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task Nothing_reflects_an_append_before_it_is_durable_and_everything_does_after()
    {
        var judged = await HoldAnAppendAndAskEverything();
        judged.AddRange(AskForReplays());

        await NothingIsShown();
        judged.All(asked => !asked.Task.IsCompleted)
            .ShouldBeTrue(string.Join(", ", judged.Where(asked => asked.Task.IsCompleted).Select(asked => asked.What)));
        _gate.Open();

        foreach (var (what, task, expected) in judged) (await task).Status.ShouldBe(expected, what);
        (await _fixture.HistoryAsync(Entity))!.Select(e => e.Type).ShouldBe(["Opened", "Follows"]);
        (await _fixture.StateAsync(Entity, "Account")).ShouldBe("""{"balance":10}""");
        (await _fixture.ListAsync()).ShouldBe([Entity]);
        var description = await (await _fixture.ActorAsync(Entity)).DescribeAsync(CancellationToken.None);
        description!.Value.Seq.ShouldBe(2);
    }

    /// <summary>
    /// The mutants: an actor that publishes, or that answers, without waiting for the disk. If these checks missed them they would prove
    /// nothing.
    /// </summary>
    [Theory]
    [InlineData("publishes early")]
    [InlineData("answers early")]
    public async Task An_actor_that_is_ahead_of_the_disk_is_caught(string mutant)
    {
        _gate.Close();
        var first = _fixture.AppendAsync(Entity, Open);
        await Eventually.BecomesTrueAsync("the writer is held", () => _gate.IsHolding);
        var actor = _fixture.Registry.Actors.Single();
        if (mutant == "publishes early")
        {
            var life = (EntityLife)Field("_life").GetValue(actor)!;
            life.DurableSeq = 1;
            Field("_published").SetValue(actor, life);
            await Assert.ThrowsAnyAsync<ShouldAssertException>(() => NothingIsShown());
        }
        else
        {
            Field("_inFlight").SetValue(actor, 0);
            var judged = _fixture.AppendAsync(new TestAppend(Entity, [new TestEvent("X")], new ExpectedSeq(0)));
            await Eventually.BecomesTrueAsync("the answer is there before the disk", () => judged.IsCompleted);
            Field("_inFlight").SetValue(actor, 1);
        }

        _gate.Open();
        (await first).Status.ShouldBe(AppendStatus.Appended);

        static FieldInfo Field(string name) => typeof(EntityActor).GetField(name, BindingFlags.Instance | BindingFlags.NonPublic)!;
    }

    [Theory]
    [InlineData(nameof(StoreStep.BeforeRow))]
    [InlineData(nameof(StoreStep.AfterRow))]
    public async Task What_stands_on_a_commit_that_fails_fails_with_it_and_its_seq_holds_other_content_afterwards(string step)
    {
        (await _fixture.AppendAsync("other/before", new TestEvent("Before"))).Status.ShouldBe(AppendStatus.Appended);
        var judged = await HoldAnAppendAndAskEverything();
        _gate.Refuse(Enum.Parse<StoreStep>(step));
        _gate.Open();

        foreach (var (what, task, _) in judged) (await task).Status.ShouldBeOneOf([AppendStatus.InDoubt, AppendStatus.Unavailable], what);
        await Eventually.BecomesTrueAsync("the shard takes appends again", () => _fixture.Store.Troubles.Count == 0);
        await NothingIsShown(others: ["other/before"]);
        var other = await _fixture.AppendAsync(
            new TestAppend(Entity, [new TestEvent("Another", Aggregate: "Account")], new ExpectedSeq(0)));
        (other.Status, other.FirstSeq).ShouldBe((AppendStatus.Appended, 1));
        other.Life.Number.ShouldBe(2, "the number that the failed commit gave is given again");
        (await _fixture.AppendAsync(Entity, new TestEvent("Third"))).LastSeq.ShouldBe(2);
        await ReopenedShows(["other/before", Entity], ["Another", "Third"]);
    }

    [Fact]
    public async Task A_replay_that_waited_for_a_commit_that_fails_is_judged_anew_and_stored()
    {
        _gate.Close();
        var first = _fixture.AppendAsync(Entity, Open);
        await Eventually.BecomesTrueAsync("the writer is held", () => _gate.IsHolding);
        var replay = _fixture.AppendAsync(Entity, Open);
        _gate.Refuse(StoreStep.AfterRow);
        _gate.Open();

        (await first).Status.ShouldBe(AppendStatus.InDoubt);
        var again = await replay;
        (again.Status, again.FirstSeq).ShouldBe((AppendStatus.Appended, 1));
        await ReopenedShows([Entity], ["Opened"]);
    }

    [Fact]
    public async Task A_row_whose_commit_failed_after_it_reached_the_disk_does_not_come_back_even_if_nothing_followed_it()
    {
        _gate.Refuse(StoreStep.AfterRow);
        (await _fixture.AppendAsync(Entity, Open)).Status.ShouldBe(AppendStatus.InDoubt);
        await Eventually.BecomesTrueAsync("the shard takes appends again", () => _fixture.Store.Troubles.Count == 0);

        await NothingIsShown();
        await ReopenedShows([], null);
    }

    [Fact]
    public async Task While_no_new_journal_can_be_made_appends_are_refused_and_afterwards_no_seq_is_missing()
    {
        (await _fixture.AppendAsync(Entity, Open)).LastSeq.ShouldBe(1);
        _gate.Refuse(StoreStep.MakingJournal, int.MaxValue);
        await _fixture.RotateAsync(); // takes the journal that was made ahead
        _gate.Close();
        var held = _fixture.AppendAsync(Entity, new TestEvent("Held", """{"balance":1}""", Id: "held"));
        await Eventually.BecomesTrueAsync("the writer is held", () => _gate.IsHolding);

        // These wait in the mailbox behind one that waits for the held one's durability: they are judged anew when that has failed,
        // while the writer has no journal. What is refused then must not leave a hole that a later append is written behind.
        var replay = _fixture.AppendAsync(Entity, new TestEvent("Held", """{"balance":1}""", Id: "held"));
        var behind = Enumerable.Range(0, 20).Select(i => _fixture.AppendAsync(Entity, new TestEvent($"Behind{i}"))).ToArray();
        _gate.Refuse(StoreStep.BeforeRow);
        _gate.Open();
        (await held).Status.ShouldBe(AppendStatus.InDoubt);
        (await replay).Status.ShouldBe(AppendStatus.Unavailable);
        foreach (var append in behind) (await append).Status.ShouldBe(AppendStatus.Unavailable);
        (await _fixture.AppendAsync(Entity, new TestEvent("Refused"))).Status.ShouldBe(AppendStatus.Unavailable);
        _gate.Refuse(StoreStep.MakingJournal, 0);
        await Eventually.BecomesTrueAsync("the shard takes appends again", () => _fixture.Store.Troubles.Count == 0);
        (await _fixture.AppendAsync(Entity, new TestEvent("After"))).LastSeq.ShouldBe(2);
        await ReopenedShows([Entity], ["Opened", "After"]);
    }

    [Fact]
    public async Task A_first_commit_that_fails_leaves_nothing_that_sealing_stumbles_over()
    {
        _gate.Refuse(StoreStep.BeforeRow);
        (await _fixture.AppendAsync(Entity, Open)).Status.ShouldBe(AppendStatus.InDoubt);
        await Eventually.BecomesTrueAsync("the shard takes appends again", () => _fixture.Store.Troubles.Count == 0);

        for (var i = 1; i <= 3; i++)
        {
            (await _fixture.AppendAsync(Entity, new TestEvent($"E{i}"))).LastSeq.ShouldBe(i);
            await _fixture.SealAsync();
        }

        _fixture.Store.Troubles.ShouldBeEmpty();
        await ReopenedShows([Entity], ["E1", "E2", "E3"]);
    }

    private async Task<List<(string What, Task<AppendOutcome> Task, AppendStatus Expected)>> HoldAnAppendAndAskEverything()
    {
        _gate.Close();
        var first = _fixture.AppendAsync(new TestAppend(Entity, [Open]));
        await Eventually.BecomesTrueAsync("the writer is held", () => _gate.IsHolding);
        Condition.TryCompile("state.balance > 100", 4096, out var rich, out _).ShouldBeTrue();
        var condition = new AppendCondition(rich!, "Account");
        var overdraft = new TestEvent("Overdrawn", """{"balance":-1}""", Aggregate: "Account");
        return
        [
            ("the append", first, AppendStatus.Appended),
            ("a conflicting expectation", _fixture.AppendAsync(new TestAppend(Entity, [new TestEvent("X")], new ExpectedSeq(0))),
                AppendStatus.SeqMismatch),
            ("a condition", _fixture.AppendAsync(new TestAppend(Entity, [new TestEvent("X")], When: condition)),
                AppendStatus.ConditionFalse),
            ("an invariant", _fixture.AppendAsync(Entity, overdraft), AppendStatus.InvariantViolated),
            ("one that follows", _fixture.AppendAsync(new TestAppend(Entity, [new TestEvent("Follows")], new ExpectedSeq(1), Key: "key-1")),
                AppendStatus.Appended),
            ("a conflicting expectation behind it all",
                _fixture.AppendAsync(new TestAppend(Entity, [new TestEvent("X")], new ExpectedSeq(1))), AppendStatus.SeqMismatch),
        ];
    }

    private List<(string What, Task<AppendOutcome> Task, AppendStatus Expected)> AskForReplays() =>
        [
            ("a replay by key", _fixture.AppendAsync(new TestAppend(Entity, [new TestEvent("Follows")], Key: "key-1")),
                AppendStatus.Replayed),
            ("a replay", _fixture.AppendAsync(new TestAppend(Entity, [Open])), AppendStatus.Replayed),
            ("an id with other content", _fixture.AppendAsync(new TestAppend(Entity, [Open with { Type = "Closed" }])),
                AppendStatus.EventIdConflict),
        ];

    private async Task NothingIsShown(params string[] others)
    {
        (await _fixture.ListAsync()).ShouldBe(others);
        _fixture.Registry.TryGetLive(StoreFixture.Bytes(Entity), out _).ShouldBeFalse();
        (await _fixture.FindAsync(Entity)).Presence.ShouldBe(EntityPresence.Unknown);
        (await _fixture.HistoryAsync(Entity)).ShouldBeNull();
    }

    private async Task ReopenedShows(string[] entities, string[]? types)
    {
        _fixture.Dispose();
        using var reopened = new StoreFixture(StoreFixture.Small(_directory.Path));
        reopened.Store.Troubles.ShouldBeEmpty();
        (await reopened.ListAsync()).ShouldBe(entities);
        (await reopened.HistoryAsync(Entity))?.Select(e => e.Type).ShouldBe(types!);
    }
}
