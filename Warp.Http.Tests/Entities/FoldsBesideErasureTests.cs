using Warp.Http.Entities;
using Warp.Http.Storage;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Entities;

/// <summary>States are folded in the background while their entity is erased: what is missing then is no damage.</summary>
public sealed class FoldsBesideErasureTests : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private readonly TempDirectory _directory = new("fold-erase");

    public void Dispose() => _directory.Dispose();

    /// <summary>The fold has begun and waits for a reader; meanwhile the first of two runs is written again without the entity, and the second not yet.</summary>
    [Fact]
    public async Task A_fold_in_the_background_that_meets_an_erasure_is_given_up_and_its_shard_serves_on()
    {
        using var readersMayGo = new ManualResetEventSlim();
        using var rewriterMayGo = new ManualResetEventSlim();
        var rewritten = 0;
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path, step =>
        {
            if (step == StoreStep.RewriteBuilt && Interlocked.Increment(ref rewritten) == 2) rewriterMayGo.Wait(Patience);
        }));
        for (var run = 0; run < 2; run++)
        {
            for (var i = 0; i < 3; i++) await fixture.AppendAsync("user/1", new TestEvent("Moved"));
            await fixture.AppendAsync("user/2", new TestEvent("Moved"));
            await fixture.SealAsync();
        }

        var actor = await fixture.ActorAsync("user/1");
        var readers = Enumerable.Range(0, Math.Max(2, Environment.ProcessorCount)).Select(_ => fixture.Store.Readers.RunAsync(() =>
        {
            readersMayGo.Wait(Patience);
            return "";
        })).ToList();
        var folding = actor.StoreStatesAsync(CancellationToken.None);
        folding.IsCompleted.ShouldBeFalse("it waits for a reader");
        (await fixture.Registry.EraseAsync(StoreFixture.Bytes("user/1"), Guid.CreateVersion7(), isNamedElsewhere: false, CancellationToken.None)).ShouldBe(EraseStatus.Fenced);
        await Eventually.BecomesTrueAsync("the first run is replaced", () => Volatile.Read(ref rewritten) == 2, Patience);
        readersMayGo.Set();

        await folding;
        await Task.WhenAll(readers);
        fixture.Shard.Damage.ShouldBeNull();
        rewriterMayGo.Set();
        await Eventually.BecomesTrueAsync("the erasure is complete", () => fixture.Shard.Tombstones.Pending().Count == 0, Patience);
        (await fixture.HistoryAsync("user/2"))!.Count.ShouldBe(2);
        fixture.Store.Troubles.ShouldBeEmpty();
    }
}
