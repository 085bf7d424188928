using Warp.Http.Projections;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Projections;

/// <summary>Trouble of the store stops a projection, visibly, and nothing else; it goes on by itself.</summary>
public sealed class ProjectionFaultTests : IAsyncLifetime
{
    private const string Counts = """{"kind":"user","table":"counts","columns":{"id":"entity.id","n":"state.n"}}""";

    private readonly TempDirectory _directory = new("projection-faults");
    private volatile Func<string, StoreFault> _fault = _ => StoreFault.None;
    private ProjectionFixture _fixture = null!;

    public async ValueTask InitializeAsync()
    {
        _fixture = await new ProjectionFixture(
            StoreFixture.Small(_directory.File("data")), makeStore: path => new FaultyProjectionStore(new SqliteProjectionStore(path), method => _fault(method))).StartAsync();
        _fixture.DefineAggregate("Counter", """{"initial":{"n":0},"on":{"*":{"n":"state.n + 1"}},"defaultForKind":"user"}""");
        await _fixture.DefineAsync("counts", Counts);
        await AppendAsync("user/1");
        (await _fixture.RowsAsync("counts", "SELECT id, n FROM counts")).ShouldBe(["1|1"]);
    }

    public async ValueTask DisposeAsync()
    {
        await _fixture.DisposeAsync();
        _directory.Dispose();
    }

    [Theory]
    [InlineData(StoreFault.Before)]
    [InlineData(StoreFault.After)]
    public async Task A_store_that_fails_stops_the_projection_until_it_is_back(StoreFault fault)
    {
        _fault = _ => fault;
        for (var i = 0; i < 20; i++) await AppendAsync($"user/{i}");
        await Eventually.BecomesTrueAsync("it says that it is stopped", () => _fixture.Projector.Troubles.Count == 1);
        var stopped = _fixture.Projector.Find("counts")!.Describe();
        (stopped.State, stopped.Error).ShouldBe((ProjectionState.Stopped, _fixture.Projector.Find("counts")!.Error));
        stopped.Error.ShouldNotBeNull();
        stopped.LagEvents.ShouldBeGreaterThan(0);
        await Should.ThrowAsync<ProjectionStoreException>(() => _fixture.PutAsync("other", Counts.Replace("\"counts\"", "\"other\"", StringComparison.Ordinal)));
        await Should.ThrowAsync<ProjectionStoreException>(() => _fixture.Projector.DeleteAsync("counts", default));

        _fault = _ => StoreFault.None;

        (await _fixture.RowsAsync("counts", "SELECT count(*), sum(n) FROM counts")).ShouldBe(["20|21"]);
        _fixture.Projector.Troubles.ShouldBeEmpty();
    }

    [Fact]
    public async Task An_erasure_is_complete_only_when_the_tables_have_it()
    {
        _fault = method => method == nameof(IProjectionStore.ApplyAsync) ? StoreFault.Before : StoreFault.None;
        var receipt = (await _fixture.Log.EraseAsync("user/1"))!;
        receipt.Complete.ShouldBeTrue("the fixture's receipts know the log alone");
        var shard = _fixture.Log.Shard;
        shard.Tombstones.TryFind(Guid.ParseExact(receipt.ReceiptId, "N"), out var tombstone).ShouldBeTrue();
        await Eventually.BecomesTrueAsync("the projection is stopped", () => _fixture.Projector.Troubles.Count == 1);
        (await _fixture.Projector.DescribeAsync(0, tombstone, default)).ShouldBe("erasing");
        var erased = _fixture.Projector.EraseAsync(0, tombstone, default);
        erased.IsCompleted.ShouldBeFalse();
        await _fixture.RestartAsync();
        (await _fixture.Projector.DescribeAsync(0, tombstone, default)).ShouldBe("erasing", "nothing of it is known before the store was read");

        _fault = method => method == nameof(IProjectionStore.PurgeAsync) ? StoreFault.Before : StoreFault.None;
        await Eventually.BecomesTrueAsync("the row is gone", () => _fixture.Select("SELECT count(*) FROM counts")[0] == "0");
        (await _fixture.Projector.DescribeAsync(0, tombstone, default)).ShouldBe("erasing", "a trace of it may be in the WAL");

        _fault = _ => StoreFault.None;
        await _fixture.Projector.EraseAsync(0, tombstone, default).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        (await _fixture.Projector.DescribeAsync(0, tombstone, default)).ShouldBe("erased");
        await _fixture.RestartAsync();
        await Eventually.BecomesTrueAsync("it is known again", async () => await _fixture.Projector.DescribeAsync(0, tombstone, default) == "erased");
    }

    [Fact]
    public async Task A_rebuild_that_is_interrupted_anywhere_ends_in_one_table()
    {
        for (var i = 0; i < 100; i++) await AppendAsync($"user/{i}");
        foreach (var method in (string[])[
            nameof(IProjectionStore.CreateAsync), nameof(IProjectionStore.ApplyAsync), nameof(IProjectionStore.CreateIndexesAsync), nameof(IProjectionStore.PublishAsync)])
        {
            foreach (var fault in (StoreFault[])[StoreFault.Before, StoreFault.After])
            {
                var left = 1;
                var before = _fixture.Projector.Find("counts")!.Table?.Name;
                _fault = called => called == method && Interlocked.Exchange(ref left, 0) == 1 ? fault : StoreFault.None;
                var asked = _fixture.Projector.Find("counts")!.RebuildAsync();
                await Eventually.BecomesTrueAsync($"{method} failed", () => Volatile.Read(ref left) == 0, TimeSpan.FromSeconds(30));
                await _fixture.RestartAsync();
                await asked.ContinueWith(static _ => { }, TaskScheduler.Default);
                (await _fixture.RowsAsync("counts", "SELECT count(*), sum(n) FROM counts")).ShouldBe(["100|101"], $"{method} {fault}");
                await Eventually.BecomesTrueAsync("one table is left", () => _fixture.Select("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name LIKE 'warp_counts%'")[0] == "1");
                before.ShouldNotBeNull();
            }
        }
    }

    private async Task AppendAsync(string entity) => (await _fixture.Log.AppendAsync(entity, new TestEvent("Seen"))).Status.ShouldBe(Warp.Http.Events.AppendStatus.Appended);
}
