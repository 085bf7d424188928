using System.Diagnostics;
using System.Reflection;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Entities;

/// <summary>Ids of an entity that has more than are kept exactly: found in a filter, looked up in runs and memory, verified.</summary>
public sealed class IdIndexTests : IDisposable
{
    private readonly TempDirectory _directory = new("ids");
    private StoreFixture _fixture;

    public IdIndexTests() => _fixture = Open();

    public void Dispose()
    {
        _fixture.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task Ids_beyond_what_is_kept_exactly_are_replays_for_ever()
    {
        const int batches = 12;
        for (var batch = 0; batch < batches; batch++)
        {
            (await _fixture.AppendAsync(Batch(batch, 1000))).Status.ShouldBe(AppendStatus.Appended);
            (await _fixture.AppendAsync(new TestAppend("ids/1", [new TestEvent("Keyed")], Key: $"key-{batch}"))).Status.ShouldBe(AppendStatus.Appended);
            if (batch % 4 == 1) await _fixture.SealAsync();
        }

        for (var restart = 0; restart < 2; restart++)
        {
            for (var batch = 0; batch < batches; batch++)
            {
                var replay = await _fixture.AppendAsync(Batch(batch, 1000));
                (replay.Status, replay.FirstSeq).ShouldBe((AppendStatus.Replayed, 1 + (batch * 1001L)));
                var keyed = await _fixture.AppendAsync(new TestAppend("ids/1", [new TestEvent("Keyed")], Key: $"key-{batch}"));
                (keyed.Status, keyed.FirstSeq).ShouldBe((AppendStatus.Replayed, 1001 + (batch * 1001L)));
                (await _fixture.AppendAsync("ids/1", new TestEvent("Other", Id: $"id.{batch}.17"))).Status.ShouldBe(AppendStatus.EventIdConflict);
                (await _fixture.AppendAsync("ids/1", new TestEvent("A", Id: $"id.{batch}.17"))).Status.ShouldBe(AppendStatus.EventIdConflict, "a part");
            }

            (await _fixture.AppendAsync("ids/1", new TestEvent("New", Id: $"new-{restart}"))).Status.ShouldBe(AppendStatus.Appended);
            (await _fixture.AppendAsync("ids/1", new TestEvent("New", Id: $"new-{restart}"))).Status.ShouldBe(AppendStatus.Replayed);
            _fixture.Dispose();
            _fixture = Open();
        }
    }

    [Fact]
    public async Task A_part_of_a_stored_append_and_several_of_them_together_are_no_replays()
    {
        TestEvent A(string id) => new("A", Id: id);
        await _fixture.AppendAsync("ids/2", A("a"), A("b"));
        await _fixture.AppendAsync("ids/2", A("c"));
        await _fixture.AppendAsync(new TestAppend("ids/2", [new TestEvent("K"), new TestEvent("K")], Key: "key"));
        for (var round = 0; round < 2; round++)
        {
            (await _fixture.AppendAsync("ids/2", A("a"), A("b"))).Status.ShouldBe(AppendStatus.Replayed);
            (await _fixture.AppendAsync("ids/2", A("c"))).Status.ShouldBe(AppendStatus.Replayed);
            (await _fixture.AppendAsync("ids/2", A("a"))).Status.ShouldBe(AppendStatus.EventIdConflict);
            (await _fixture.AppendAsync("ids/2", A("b"))).Status.ShouldBe(AppendStatus.EventIdConflict);
            (await _fixture.AppendAsync("ids/2", A("b"), A("c"))).Status.ShouldBe(AppendStatus.EventIdConflict);
            (await _fixture.AppendAsync("ids/2", A("a"), A("b"), A("c"))).Status.ShouldBe(AppendStatus.EventIdConflict);
            (await _fixture.AppendAsync(new TestAppend("ids/2", [new TestEvent("K")], Key: "key"))).Status.ShouldBe(AppendStatus.EventIdConflict);
            (await _fixture.AppendAsync("ids/2", new TestEvent("K", Id: "key:0"), new TestEvent("K", Id: "key:1"))).Status.ShouldBe(AppendStatus.Replayed);
            await _fixture.SealAsync();
        }

        (await _fixture.HistoryAsync("ids/2"))!.Count.ShouldBe(5);
    }

    /// <summary>With WARP_TEST_IDS=1000000 it says what a million ids cost.</summary>
    [Fact]
    public async Task Very_many_ids_take_little_memory_and_are_counted()
    {
        var count = TestRun.Rounds("WARP_TEST_IDS", 50_000);
        for (var batch = 0; batch < count / 10_000; batch++)
        {
            var stored = await _fixture.AppendAsync(Batch(batch, 10_000));
            (stored.Status, stored.FirstSeq, stored.Detail).ShouldBe((AppendStatus.Appended, 1 + (batch * 10_000L), null), $"batch {batch}");
        }

        await _fixture.SealAsync();
        _fixture.Dispose();
        _fixture = Open();
        var watch = Stopwatch.StartNew();
        (await _fixture.AppendAsync("ids/1", new TestEvent("New", Id: "new"))).Status.ShouldBe(AppendStatus.Appended);
        var first = watch.ElapsedMilliseconds;
        watch.Restart();
        (await _fixture.AppendAsync(Batch(0, 10_000))).Status.ShouldBe(AppendStatus.Replayed);
        TestContext.Current.TestOutputHelper!.WriteLine($"{count} ids: loaded in {first} ms, a batch of 10,000 recognised in {watch.ElapsedMilliseconds} ms");

        var actor = await _fixture.ActorAsync("ids/1");
        var ids = (IdIndex)typeof(EntityActor).GetField("_ids", BindingFlags.NonPublic | BindingFlags.Instance)!.GetValue(actor)!;
        ids.Bytes.ShouldBeLessThan((count * 5 / 2) + 300_000);
        await Eventually.BecomesTrueAsync("they count against the budget", () => actor.Bytes > count * 2);
        _fixture.Registry.Bytes.ShouldBe(actor.Bytes);
    }

    private static TestAppend Batch(int batch, int count) =>
        new("ids/1", [.. Enumerable.Range(0, count).Select(i => new TestEvent("A", Id: $"id.{batch}.{i}"))]);

    private StoreFixture Open() => new(StoreFixture.Small(_directory.Path, sealBytes: 64 * 1024 * 1024));
}
