using System.Reflection;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>
/// Appends larger than a piece, than a group, than a page, through memory, runs and a restart; and what is found in them by id.
/// </summary>
public sealed class LargeAppendTests : IDisposable
{
    private readonly TempDirectory _directory = new("large");
    private StoreFixture _fixture;

    public LargeAppendTests() => _fixture = Open();

    public void Dispose()
    {
        _fixture.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData(1, 1024 * 1024)]
    [InlineData(5, 200_000)]
    [InlineData(40, 20_000)]
    [InlineData(3_000, 300)]
    [InlineData(10_000, 10)]
    public async Task A_large_append_is_the_same_from_memory_from_a_run_and_after_a_restart(int count, int bytes)
    {
        var small = new TestAppend("large/1", [new TestEvent("Small")]);
        var large = new TestAppend(
            "large/1",
            [.. Enumerable.Range(0, count).Select(i => new TestEvent("Large", $$"""{"i":{{i}},"x":"{{new string('x', bytes)}}"}"""))],
            Key: "k");
        foreach (var append in new[] { small, large, small }) (await _fixture.AppendAsync(append)).Status.ShouldBe(AppendStatus.Appended);
        var history = (await _fixture.HistoryAsync("large/1"))!;
        history.Count.ShouldBe(count + 2);
        history[count].Id.ShouldBe($"k:{count - 1}");
        history.Select(e => e.Payload).ShouldBe([small.Events[0].Payload, .. large.Events.Select(e => e.Payload), small.Events[0].Payload]);

        await SameAsync("memory");
        await _fixture.SealAsync();
        await SameAsync("run");
        _fixture.Dispose();
        _fixture = Open();
        await SameAsync("restart");

        async Task SameAsync(string from)
        {
            (await _fixture.HistoryAsync("large/1"))!.SequenceEqual(history).ShouldBeTrue(from);
            var descending = (await _fixture.HistoryAsync("large/1", descending: true))!;
            descending.SequenceEqual(history.AsEnumerable().Reverse()).ShouldBeTrue($"{from}, descending");
            var replay = await _fixture.AppendAsync(large);
            (replay.Status, replay.FirstSeq, replay.LastSeq).ShouldBe((AppendStatus.Replayed, 2, count + 1), from);
            var last = await _fixture.AppendAsync(new TestAppend("large/1", [large.Events[^1] with { Id = $"k:{count - 1}" }]));
            (last.Status, last.FirstSeq).ShouldBe(
                (count == 1 ? AppendStatus.Replayed : AppendStatus.EventIdConflict, count + 1), $"{from}: a part is no replay of the whole");
            (await _fixture.AppendAsync(new TestAppend("large/1", [new TestEvent("Other", Id: $"k:{count - 1}")]))).Status.ShouldBe(
                AppendStatus.EventIdConflict, from);
            (await _fixture.AppendAsync(large with { Events = [.. large.Events, new TestEvent("More")] })).Status.ShouldBe(
                AppendStatus.EventIdConflict, from);
        }
    }

    [Fact]
    public async Task Ids_are_found_over_several_runs_and_in_memory()
    {
        var appends = new List<TestAppend>();
        for (var i = 0; i < 12; i++)
        {
            appends.Add(new TestAppend("ids/1", [new TestEvent("A", $$"""{"i":{{i}}}""", Id: $"id-{i}"), new TestEvent("B")]));
            appends.Add(new TestAppend("ids/1", [new TestEvent("C"), new TestEvent("D")], Key: $"key-{i}"));
            foreach (var append in appends[^2..]) (await _fixture.AppendAsync(append)).Status.ShouldBe(AppendStatus.Appended);
            if (i % 4 == 2) await _fixture.SealAsync();
        }

        for (var restart = 0; restart < 2; restart++)
        {
            for (var i = 0; i < appends.Count; i++)
            {
                var replay = await _fixture.AppendAsync(appends[i]);
                (replay.Status, replay.FirstSeq).ShouldBe((AppendStatus.Replayed, (2 * i) + 1));
            }

            (await _fixture.AppendAsync(new TestAppend("ids/1", [new TestEvent("A", Id: "key-3:0")]))).Status.ShouldBe(
                AppendStatus.EventIdConflict);
            (await _fixture.AppendAsync(
                new TestAppend("ids/1", [appends[0].Events[0], new TestEvent("New", Id: $"new-{restart}")]))).Status.ShouldBe(
                AppendStatus.EventIdConflict);
            (await _fixture.AppendAsync(
                new TestAppend("ids/1", [new TestEvent("New", Id: $"new-{restart}"), appends[0].Events[0]]))).Status.ShouldBe(
                AppendStatus.EventIdConflict);
            _fixture.Dispose();
            _fixture = Open();
        }

        (await _fixture.HistoryAsync("ids/1"))!.Count.ShouldBe(48);
    }

    [Fact]
    public async Task Ids_whose_hashes_collide_are_told_apart_by_the_stored_events()
    {
        await _fixture.AppendAsync("ids/1", new TestEvent("A", Id: "first"), new TestEvent("B", Id: "second"));
        var actor = await _fixture.ActorAsync("ids/1");
        var ids = (IdIndex)typeof(EntityActor).GetField("_ids", BindingFlags.NonPublic | BindingFlags.Instance)!.GetValue(actor)!;

        // As if these hashes had come out for events that bear other ids.
        var seed = _fixture.Store.IdSeed;
        foreach (var (id, seq) in new[] { ("new", 1), ("new", 2), ("first", 2), ("second", 1) })
            ids.Add(Warp.Http.Storage.EventIdHash.OfId(StoreFixture.Bytes(id), seed), seq);

        (await _fixture.AppendAsync("ids/1", new TestEvent("A", Id: "first"))).FirstSeq.ShouldBe(1);
        (await _fixture.AppendAsync("ids/1", new TestEvent("B", Id: "second"))).FirstSeq.ShouldBe(2);
        var fresh = await _fixture.AppendAsync("ids/1", new TestEvent("C", Id: "new"));
        (fresh.Status, fresh.FirstSeq).ShouldBe((AppendStatus.Appended, 3));
        (await _fixture.AppendAsync("ids/1", new TestEvent("C", Id: "new"))).Status.ShouldBe(AppendStatus.Replayed);
    }

    [Fact]
    public async Task An_append_whose_ids_are_another_lifes_is_a_new_one()
    {
        var append = new TestAppend("ids/1", [new TestEvent("A", Id: "same")], Key: null, Recreate: true);
        var first = await _fixture.AppendAsync(append);
        var generated = (await _fixture.AppendAsync("ids/1", new TestEvent("B"))).Life.EventId(2);
        await _fixture.EraseAsync("ids/1");
        (await _fixture.AppendAsync(append with { Recreate = false })).Status.ShouldBe(AppendStatus.Erased);

        var second = await _fixture.AppendAsync(append);

        (second.Status, second.FirstSeq).ShouldBe((AppendStatus.Appended, 1));
        second.Life.ShouldNotBe(first.Life);
        (await _fixture.AppendAsync("ids/1", new TestEvent("B", Id: generated))).Status.ShouldBe(
            AppendStatus.Appended, "the old life's ids are free");
        (await _fixture.AppendAsync("ids/1", new TestEvent("B", Id: second.Life.EventId(1)))).Status.ShouldBe(AppendStatus.ReservedEventId);
    }

    private StoreFixture Open() => new(StoreFixture.Small(_directory.Path, sealBytes: 64 * 1024 * 1024), time: TimeProvider.System);
}
