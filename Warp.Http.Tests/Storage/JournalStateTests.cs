using System.Text;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>Folded states that are offered to the writer stand in the journal and are found again after a crash.</summary>
public sealed class JournalStateTests : IDisposable
{
    private readonly TempDirectory _directory = new("states");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void A_state_is_read_as_it_was_written()
    {
        var bytes = State(seq: 1L << 40, "Konto Ä", "state", flags: 3);
        var read = StateBody.Read(bytes);
        (read.Seq, read.LastMs, read.Flags, read.Fingerprint).ShouldBe((1L << 40, 99L, (byte)3, ulong.MaxValue - 1));
        (Encoding.UTF8.GetString(read.Aggregate), Encoding.UTF8.GetString(read.State)).ShouldBe(("Konto Ä", "state"));
        for (var length = 0; length < bytes.Length - "state".Length; length++)
            Should.Throw<DamagedDataException>(() => StateBody.Read(bytes.AsSpan(0, length)), $"{length}");
    }

    [Fact]
    public async Task The_newest_state_of_each_aggregate_is_found_and_survives_a_restart()
    {
        var data = _directory.File("data");
        using (var fixture = new StoreFixture(StoreFixture.Small(data)))
        {
            var first = await AppendAsync(fixture, "state/a");
            var second = await AppendAsync(fixture, "state/b");
            fixture.Shard.Enqueue(new StateOffer(first, 1, State(1, "Account", "old")));
            fixture.Shard.Enqueue(new StateOffer(first, 1, State(1, "", "other")));
            fixture.Shard.Enqueue(new StateOffer(second, 1, State(1, "Account", "b")));
            await AppendAsync(fixture, "state/a");
            fixture.Shard.Enqueue(new StateOffer(first, 2, State(2, "Account", "new"))); // in a row that takes no position
            await Eventually.BecomesTrueAsync("the last state is in", () => Find(fixture, 1, "Account") == "new");

            HasAll(fixture);
            (await AppendAsync(fixture, "state/a")).Number.ShouldBe(1);
            fixture.Shard.DurablePosition.ShouldBe(4, "states take no position");
        }

        using var mayBeSealed = new ManualResetEventSlim();
        using var reopened = new StoreFixture(StoreFixture.Small(data, step => { if (step == StoreStep.RunBuilt) mayBeSealed.Wait(TimeSpan.FromSeconds(30)); }));
        reopened.Store.Troubles.ShouldBeEmpty();
        HasAll(reopened);
        mayBeSealed.Set();
        var events = (await reopened.HistoryAsync("state/a"))!.Count;
        (await reopened.AppendAsync("state/a", new TestEvent("Next"))).FirstSeq.ShouldBe(events + 1);
        await reopened.SealAsync();
        reopened.Store.Troubles.ShouldBeEmpty();
        using var lease = reopened.Shard.Views.Lease();
        FindInView(lease.View, 1, "Account", seqMax: 2).ShouldBe("new");
        FindInView(lease.View, 1, "Account", seqMax: 1).ShouldBeNull("of each entity and aggregate the newest is sealed");
        FindInView(lease.View, 2, "Account", seqMax: 1).ShouldBe("b");
        lease.View.TryFindState(1, "Account"u8, fingerprint: 1, 2, out _).ShouldBeFalse();

        static void HasAll(StoreFixture fixture)
        {
            Find(fixture, 1, "Account").ShouldBe("new");
            Find(fixture, 1, "").ShouldBe("other");
            Find(fixture, 2, "Account").ShouldBe("b");
            Find(fixture, 2, "").ShouldBeNull();
            Find(fixture, 3, "Account").ShouldBeNull();
            var all = fixture.View.Memtables.SelectMany(m => m.States).Select(s => s.Entity).Order();
            all.ShouldBe([1, 1, 2]);
        }
    }

    [Fact]
    public async Task A_journal_that_holds_states_alone_is_no_damage_and_takes_nobodys_place()
    {
        var data = _directory.File("data");
        EntityRef entity;
        using (var fixture = new StoreFixture(StoreFixture.Small(data)))
        {
            entity = await AppendAsync(fixture, "state/a");
            await fixture.SealAsync();
            fixture.Shard.Enqueue(new StateOffer(entity, 1, State(1, "Account", "alone")));
            await Eventually.BecomesTrueAsync("the state is in", () => Find(fixture, 1, "Account") == "alone");
        }

        for (var i = 0; i < 2; i++)
        {
            using var reopened = new StoreFixture(StoreFixture.Small(data));
            reopened.Store.Troubles.ShouldBeEmpty();
            if (i == 0) await Eventually.BecomesTrueAsync("the state is in the next journal", () => Find(reopened, 1, "Account") == "alone");
            (await reopened.HistoryAsync("state/a"))!.Count.ShouldBe(1 + i);
            (await reopened.AppendAsync("state/a", new TestEvent("Next"))).FirstSeq.ShouldBe(2 + i);
        }
    }

    /// <summary>After its fence a state would stand in a journal that outlives the erasure, and come back with it.</summary>
    [Fact]
    public async Task A_state_that_comes_after_its_lifes_fence_is_not_kept()
    {
        var data = _directory.File("data");
        using (var fixture = new StoreFixture(StoreFixture.Small(data)))
        {
            var erased = await AppendAsync(fixture, "state/erased");
            var kept = await AppendAsync(fixture, "state/kept");
            (await fixture.EraseAsync("state/erased"))!.Complete.ShouldBeTrue();
            fixture.Shard.Enqueue(new StateOffer(erased, 1, State(1, "Account", "personal")));
            fixture.Shard.Enqueue(new StateOffer(kept, 1, State(1, "Account", "kept")));
            await Eventually.BecomesTrueAsync("the other state is in", () => Find(fixture, kept.Number, "Account") == "kept");
            Find(fixture, erased.Number, "Account").ShouldBeNull();
        }

        foreach (var file in Directory.EnumerateFiles(SampleStore.ShardPath(data)))
            (await File.ReadAllBytesAsync(file, TestContext.Current.CancellationToken)).AsSpan().IndexOf("personal"u8).ShouldBe(-1, file);
    }

    /// <summary>A state may be sealed later than the events it covers: into a run that holds nothing else of the life.</summary>
    [Fact]
    public async Task An_erasure_finds_a_state_that_stands_in_a_run_without_its_events()
    {
        var data = _directory.File("data");
        using (var fixture = new StoreFixture(StoreFixture.Small(data)))
        {
            var erased = await AppendAsync(fixture, "state/erased");
            await fixture.SealAsync();
            fixture.Shard.Enqueue(new StateOffer(erased, 1, State(1, "Account", "personal")));
            await AppendAsync(fixture, "state/kept");
            await fixture.SealAsync();
            Holding(data).ShouldNotBeEmpty("the search must find what is there");

            (await fixture.EraseAsync("state/erased"))!.Complete.ShouldBeTrue();

            Holding(data).ShouldBeEmpty();
        }

        static IEnumerable<string> Holding(string data) => Directory.EnumerateFiles(SampleStore.ShardPath(data))
            .Where(file => File.ReadAllBytes(file).AsSpan().IndexOf("personal"u8) >= 0);
    }

    private static async Task<EntityRef> AppendAsync(StoreFixture fixture, string name)
    {
        (await fixture.AppendAsync(name, new TestEvent("A"))).Status.ShouldBe(AppendStatus.Appended);
        return (await fixture.ActorAsync(name)).Published!;
    }

    private static string? Find(StoreFixture fixture, long entity, string aggregate)
    {
        foreach (var memtable in fixture.View.Memtables.Reverse())
            if (memtable.TryFindState(entity, Encoding.UTF8.GetBytes(aggregate), out var body))
                return Encoding.UTF8.GetString(StateBody.Read(body.Span).State);
        return null;
    }

    private static string? FindInView(View view, long entity, string aggregate, long seqMax) =>
        view.TryFindState(entity, Encoding.UTF8.GetBytes(aggregate), ulong.MaxValue - 1, seqMax, out var state) ? Encoding.UTF8.GetString(state.State.Span) : null;

    private static byte[] State(long seq, string aggregate, string state, byte flags = 0)
    {
        var body = new StateBody
        {
            Seq = seq,
            LastMs = 99,
            Flags = flags,
            Fingerprint = ulong.MaxValue - 1,
            Aggregate = Encoding.UTF8.GetBytes(aggregate),
            State = Encoding.UTF8.GetBytes(state),
        };
        var bytes = new byte[body.Size];
        body.Write(bytes).ShouldBe(bytes.Length);
        return bytes;
    }
}
