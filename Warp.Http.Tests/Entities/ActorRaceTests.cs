using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Entities;

/// <summary>An actor between passivation, rotation, erasure and the end of the store.</summary>
public sealed class ActorRaceTests : IDisposable
{
    private static readonly TimeSpan Hang = TimeSpan.FromSeconds(30);
    private readonly TempDirectory _directory = new("actors");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_rule_is_judged_again_after_appends_that_it_does_not_concern()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path));
        fixture.Definitions.Put(
            "Account",
                """{"initial":{"n":0},"on":{"Added":{"n":"state.n + payload.n"}},"invariants":[{"rule":"state.n < 3","message":"full"}]}"""u8)
            .Status.ShouldBe(PutStatus.Created);
        var added = new TestEvent("Added", """{"n":1}""", Aggregate: "Account");

        (await fixture.AppendAsync("box/1", added).WaitAsync(Hang)).LastSeq.ShouldBe(1);
        (await fixture.AppendAsync("box/1", new TestEvent("Other", Aggregate: "Other")).WaitAsync(Hang)).LastSeq.ShouldBe(2);
        (await fixture.AppendAsync("box/1", added).WaitAsync(Hang)).LastSeq.ShouldBe(3);
        (await fixture.AppendAsync("box/1", added).WaitAsync(Hang)).Status.ShouldBe(AppendStatus.InvariantViolated);
        await fixture.EraseAsync("box/1").WaitAsync(Hang);
        (await fixture.AppendAsync(new TestAppend("box/1", [added], Recreate: true)).WaitAsync(Hang)).LastSeq.ShouldBe(1);
        (await fixture.AppendAsync("box/1", new TestEvent("Other", Aggregate: "Other")).WaitAsync(Hang)).LastSeq.ShouldBe(2);
        (await fixture.AppendAsync("box/1", added, added).WaitAsync(Hang)).Status.ShouldBe(AppendStatus.InvariantViolated);
    }

    [Fact]
    public async Task A_replay_is_recognised_while_every_commit_begins_a_new_journal()
    {
        // The mark of a page: 1 byte, so that each commit is followed by a rotation as soon as there is a journal to go on with.
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path, sealBytes: 1));
        var until = Environment.TickCount64 + 3000;
        var clients = Enumerable.Range(0, 8).Select(client => Task.Run(async () =>
        {
            for (var i = 0; Environment.TickCount64 < until; i++)
            {
                var append = new TestAppend($"user/{client % 4}", [new TestEvent("Changed", $$"""{"i":{{i}}}""", Id: $"{client}-{i}")]);
                var sent = await Task.WhenAll(fixture.AppendAsync(append), fixture.AppendAsync(append), fixture.AppendAsync(append))
                    .WaitAsync(Hang);
                sent.Count(outcome => outcome.Status == AppendStatus.Appended).ShouldBe(1);
                sent.Count(outcome => outcome.Status == AppendStatus.Replayed).ShouldBe(2);
                sent.Select(outcome => outcome.FirstSeq).Distinct().Count().ShouldBe(1);
            }
        })).ToArray();
        await Task.WhenAll(clients);
        fixture.Store.Troubles.ShouldBeEmpty();
    }

    [Fact]
    public async Task Passivation_loses_no_append_and_hides_no_entity()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path), memoryBytes: 0);
        const int entities = 40;
        var acknowledged = new int[entities];
        using var stop = new CancellationTokenSource();
        var sweeper = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested) fixture.Passivation.Sweep();
        });
        var until = Environment.TickCount64 + 4000;
        var clients = Enumerable.Range(0, 4).Select(client => Task.Run(async () =>
        {
            var random = new Random(client);
            for (var i = 0; Environment.TickCount64 < until; i++)
            {
                var entity = (random.Next(entities / 4) * 4) + client;
                var outcome = await fixture.AppendAsync(
                    new TestAppend($"user/{entity}", [new TestEvent("Changed")], new ExpectedSeq(acknowledged[entity]), Key: $"{i}"))
                    .WaitAsync(Hang);
                (outcome.Status, outcome.LastSeq).ShouldBe((AppendStatus.Appended, acknowledged[entity] + 1));
                acknowledged[entity]++;
                (await fixture.HistoryAsync($"user/{entity}").WaitAsync(Hang)).ShouldNotBeNull("an entity with events was not found")
                    .Count.ShouldBe(acknowledged[entity]);
                if (i % 50 == 0 && client == 0) await fixture.SealAsync();
            }
        })).ToArray();
        await Task.WhenAll(clients);
        await stop.CancelAsync();
        await sweeper;
        acknowledged.Sum().ShouldBeGreaterThan(100);
        for (var i = 0; i < entities; i++)
            if (acknowledged[i] > 0) (await fixture.HistoryAsync($"user/{i}"))!.Select(e => e.Seq)
                .ShouldBe(Enumerable.Range(1, acknowledged[i]).Select(seq => (long)seq));
    }

    [Fact]
    public async Task An_actor_that_was_passivated_shows_nothing_of_an_entity_that_was_erased_since()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path), memoryBytes: 0);
        await fixture.AppendAsync("user/1", new TestEvent("Created", """{"secret":1}"""));
        var held = await fixture.ActorAsync("user/1");
        fixture.Passivation.Sweep();
        fixture.Registry.TryGetLive("user/1"u8, out _).ShouldBeFalse();
        await fixture.EraseAsync("user/1").WaitAsync(Hang);

        using var page = await held.ReadAsync(1, long.MaxValue, descending: false, 10, 1 << 20, CancellationToken.None);
        page.Count.ShouldBe(0);
        (await held.GetStateAsync("Default", CancellationToken.None)).Status.ShouldBe(StateStatus.Erased);
        (await held.GetStateAtAsync("Default", 1, null, CancellationToken.None)).Status.ShouldBe(StateStatus.Erased);
        (await held.DescribeAsync(CancellationToken.None)).ShouldBe(default);
    }

    [Fact]
    public async Task Reads_and_appends_beside_erasures_get_an_answer_and_nothing_comes_back()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path, sealAfter: TimeSpan.FromMilliseconds(1)));
        var rounds = TestRun.Rounds("WARP_TEST_ERASE_RACES", 200);
        for (var round = 0; round < rounds; round++)
        {
            var entity = $"user/{round}";
            var canary = $$"""{"canary":"{{round}}"}""";
            for (var i = 0; i < 3; i++) await fixture.AppendAsync(entity, new TestEvent("Created", canary));
            using var stop = new CancellationTokenSource();
            var reader = Task.Run(async () =>
            {
                while (!stop.IsCancellationRequested)
                {
                    var found = await fixture.FindAsync(entity);
                    if (found.Actor is not { } actor) continue;
                    using var page = await actor.ReadAsync(
                        1, long.MaxValue, descending: round % 2 == 0, 100, 1 << 20, CancellationToken.None);
                    var description = await actor.DescribeAsync(CancellationToken.None);
                    (description is null || description.Value.CreatedAtMs < long.MaxValue).ShouldBeTrue();
                    (await actor.GetStateAsync("Default", CancellationToken.None)).Status.ShouldBeOneOf(
                        StateStatus.Found, StateStatus.Erased);
                    await fixture.ListAsync();
                }
            });
            var appender = Task.Run(async () =>
            {
                while (true)
                {
                    var outcome = await fixture.AppendAsync(entity, new TestEvent("Changed", canary));
                    if (outcome.Status == AppendStatus.Erased) return;
                    outcome.Status.ShouldBe(AppendStatus.Appended);
                }
            });
            var receipt = await fixture.EraseAsync(entity).WaitAsync(Hang);
            receipt!.Complete.ShouldBeTrue();
            await appender.WaitAsync(Hang);
            (await fixture.FindAsync(entity)).Presence.ShouldBe(EntityPresence.Erased);
            await stop.CancelAsync();
            await reader.WaitAsync(Hang);
        }

        (await fixture.ListAsync()).ShouldBeEmpty();
        fixture.Store.Troubles.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_store_that_is_closed_under_load_ends_everything_that_waits()
    {
        for (var round = 0; round < 20; round++)
        {
            var fixture = new StoreFixture(StoreFixture.Small(Path.Combine(_directory.Path, $"{round}"), sealBytes: 4096));
            for (var i = 0; i < 10; i++) await fixture.AppendAsync($"user/{i}", new TestEvent("Created"));
            await fixture.SealAsync();
            using var stop = new CancellationTokenSource();
            var clients = Enumerable.Range(0, 8).Select(client => Task.Run(async () =>
            {
                for (var i = 0; !stop.IsCancellationRequested; i++)
                {
                    var append = new TestAppend($"user/{i % 10}", [new TestEvent("Changed")], Key: $"{client % 4}-{i}", Recreate: true);
                    (await fixture.AppendAsync(append)).Status.ShouldBeOneOf(
                        AppendStatus.Appended, AppendStatus.Replayed, AppendStatus.Unavailable);
                    try
                    {
                        await fixture.HistoryAsync($"user/{(i + 5) % 10}");
                        if (client == 0) await fixture.Registry.EraseAsync(
                            StoreFixture.Bytes($"user/{(i + 7) % 10}"), Guid.CreateVersion7(), isNamedElsewhere: false, CancellationToken.None);
                    }
                    catch (ShardUnavailableException)
                    {
                        // The store was closed: an answer.
                    }
                }
            })).ToArray();
            var started = Environment.TickCount64;
            while (Environment.TickCount64 - started < 30 + (round * 5)) await Task.Yield();
            await Task.Run(fixture.Dispose).WaitAsync(Hang);
            await stop.CancelAsync();
            await Task.WhenAll(clients).WaitAsync(Hang);
        }
    }
}
