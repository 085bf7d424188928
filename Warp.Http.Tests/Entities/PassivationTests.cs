using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Entities;

/// <summary>What the live actors take stays under the budget at any rate of use, and what is used stays.</summary>
public sealed class PassivationTests : IDisposable
{
    private const long Budget = 2 << 20;
    private static readonly TimeSpan Hang = TimeSpan.FromSeconds(30);
    private readonly TempDirectory _directory = new("passivation");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task The_budget_holds_while_entities_are_touched_at_full_speed_and_nobody_sweeps()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path, sealBytes: 1 << 20), memoryBytes: Budget);
        long highest = 0;
        var clients = Enumerable.Range(0, 4).Select(client => Task.Run(async () =>
        {
            for (var i = 0; i < 500; i++)
            {
                var appends = Enumerable.Range(0, 32).Select(j => fixture.AppendAsync($"wide/{client}-{(i * 32) + j}", new TestEvent("Touched")));
                foreach (var outcome in await Task.WhenAll(appends).WaitAsync(Hang)) outcome.Status.ShouldBe(AppendStatus.Appended);
                highest = Math.Max(highest, fixture.Registry.Bytes);
                await fixture.AppendAsync("hot/1", new TestEvent("Used"));
            }
        })).ToList();
        await Task.WhenAll(clients);

        highest.ShouldBeLessThan(Budget * 11 / 10);
        fixture.Registry.Live.ShouldBeInRange(2000, (int)(Budget / 256));
        fixture.Registry.TryGetLive("hot/1"u8, out _).ShouldBeTrue("what is used again and again stays");
        foreach (var i in (int[])[0, 1, 9_999, 15_999])
            (await fixture.HistoryAsync($"wide/2-{i}").WaitAsync(Hang))!.Count.ShouldBe(1);
    }

    [Fact]
    public async Task States_count_and_their_actors_leave_for_others()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path), memoryBytes: Budget);
        var payload = $$"""{"x":"{{new string('x', 20_000)}}"}""";
        for (var i = 0; i < 200; i++)
        {
            await fixture.AppendAsync($"user/{i}", new TestEvent("Large", payload));
            (await fixture.StateAsync($"user/{i}")).ShouldBe(payload);
            fixture.Registry.Bytes.ShouldBeLessThan(Budget * 5 / 4);
        }

        (await fixture.StateAsync("user/0").WaitAsync(Hang)).ShouldBe(payload);
        fixture.Registry.Actors.Sum(actor => actor.Bytes).ShouldBe(fixture.Registry.Bytes, "the sum is exact while nothing goes on");
    }

    [Fact]
    public async Task A_wait_goes_on_where_its_actor_was_passivated()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path), memoryBytes: 0);
        await fixture.AppendAsync("user/1", new TestEvent("First"));
        var passivated = await fixture.ActorAsync("user/1");
        fixture.Passivation.Sweep();
        fixture.Registry.TryGetLive("user/1"u8, out _).ShouldBeFalse();

        // One that holds the passivated actor, and one that holds its successor over a sweep.
        var late = fixture.Registry.WaitForSeqAsync(passivated, 2, Hang, CancellationToken.None).AsTask();
        var current = fixture.Registry.WaitForSeqAsync(await fixture.ActorAsync("user/1"), 2, Hang, CancellationToken.None).AsTask();
        fixture.Passivation.Sweep();
        await fixture.AppendAsync("user/1", new TestEvent("Second"));

        foreach (var wait in new[] { late, current })
        {
            var (actor, reached) = await wait.WaitAsync(Hang / 3);
            reached.ShouldBeTrue("the append woke it");
            actor.DurableSeq.ShouldBe(2);
        }
    }

    [Fact]
    public async Task Waits_end_beside_passivation_and_appends()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path), memoryBytes: 0);
        await fixture.AppendAsync("user/1", new TestEvent("First"));
        using var stop = new CancellationTokenSource();
        var sweeper = Task.Run(() =>
        {
            while (!stop.IsCancellationRequested) fixture.Passivation.Sweep();
        });
        for (var seq = 2; seq < 300; seq++)
        {
            var waits = Enumerable.Range(0, 3).Select(async _ => await fixture.Registry.WaitForSeqAsync(
                await fixture.ActorAsync("user/1"), seq, Hang, CancellationToken.None)).ToList();
            await fixture.AppendAsync("user/1", new TestEvent("Next"));
            foreach (var wait in waits) (await wait.WaitAsync(Hang)).Reached.ShouldBeTrue();
        }

        await stop.CancelAsync();
        await sweeper;
    }

    [Fact]
    public async Task A_full_queue_of_readers_refuses_what_needs_the_disk_and_nothing_else()
    {
        using (var fixture = new StoreFixture(StoreFixture.Small(_directory.Path)))
        {
            for (var i = 0; i < 3; i++) await fixture.AppendAsync($"cold/{i}", new TestEvent("Stored", Id: "id"));
            await fixture.SealAsync();
        }

        using var gate = new ManualResetEventSlim(); // outlives the readers, which the fixture ends
        using var reopened = new StoreFixture(StoreFixture.Small(_directory.Path));
        try
        {
            await FillAsync(reopened, gate);
        }
        finally
        {
            gate.Set();
        }

        // Readers take work in its order: when the last is done, all before it is.
        var caughtUp = 0;
        await Eventually.BecomesTrueAsync("there is a place in the queue", () => TryPost(reopened, () => Volatile.Write(ref caughtUp, 1)));
        await Eventually.BecomesTrueAsync("the readers have caught up", () => Volatile.Read(ref caughtUp) == 1);
        (await reopened.HistoryAsync("cold/0"))!.Count.ShouldBe(1);
    }

    private static bool TryPost(StoreFixture fixture, Action work)
    {
        try
        {
            fixture.Store.Readers.Post(work);
            return true;
        }
        catch (ShardUnavailableException)
        {
            return false;
        }
    }

    private static async Task FillAsync(StoreFixture fixture, ManualResetEventSlim gate)
    {
        var found = await fixture.ActorAsync("cold/1");
        var readers = fixture.Store.Readers;
        var held = 0;
        for (var i = 0; i < 64; i++)
        {
            readers.Post(() =>
            {
                Interlocked.Increment(ref held);
                gate.Wait();
            });
        }

        // A reader that took its first work only now would make room in the queue again.
        await Eventually.BecomesTrueAsync("every reader is held", () => Volatile.Read(ref held) == Math.Max(2, Environment.ProcessorCount));
        void Fill()
        {
            while (true) readers.Post(gate.Wait);
        }

        var full = Assert.Throws<ShardUnavailableException>((Action)Fill);
        full.IsTransient.ShouldBeTrue();

        await Assert.ThrowsAsync<ShardUnavailableException>(async () => await fixture.FindAsync("cold/0"));
        await Assert.ThrowsAsync<ShardUnavailableException>(async () => await found.DescribeAsync(CancellationToken.None));
        await Assert.ThrowsAsync<ShardUnavailableException>(async () => await found.ReadAsync(1, 1, descending: false, 1, 1, CancellationToken.None));
        await Assert.ThrowsAsync<ShardUnavailableException>(async () => await found.GetStateAsync("Default", CancellationToken.None));
        await Assert.ThrowsAsync<ShardUnavailableException>(async () => await fixture.ListAsync());
        (await fixture.AppendAsync("cold/2", new TestEvent("More"))).Status.ShouldBe(AppendStatus.Unavailable);
        (await fixture.AppendAsync("cold/1", new TestEvent("More", Id: "id"))).Status.ShouldBe(AppendStatus.Unavailable);
        (await fixture.AppendAsync("warm/1", new TestEvent("New"))).Status.ShouldBe(AppendStatus.Appended, "nothing of it is on disk");
    }
}
