using Warp.Http.Storage;

namespace Warp.Http.Tests.Storage;

public sealed class TombstonesTests
{
    private const int Fences = 50_000;

    /// <summary>Between the two looks an erasure without data in any run would be called complete while journals hold the life.</summary>
    [Fact]
    public async Task A_fence_is_never_seen_pending_and_sealed_before_its_seal()
    {
        var tombstones = new Tombstones();
        using var added = new CancellationTokenSource();
        var maintenance = Task.Run(() =>
        {
            while (!added.IsCancellationRequested)
            {
                foreach (var pending in tombstones.Pending())
                {
                    tombstones.IsUnsealed(pending).ShouldBeTrue();
                    tombstones.IsFenced(pending.Entity).ShouldBeTrue();
                    tombstones.TryFind(pending.Tag, out _).ShouldBeTrue();
                    tombstones.Completed(pending); // else each look takes longer than the last
                }
            }
        });
        for (var i = 1; i <= Fences && !maintenance.IsCompleted; i++)
            tombstones.AddFromJournal(new Tombstone(new NameTag((ulong)i, 0), i, Guid.NewGuid(), 0, 1, i, Complete: false));
        await added.CancelAsync();
        await maintenance;
    }
}
