using System.Text;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Erasure;

/// <summary>What is erased is in no file any more, whenever the process dies, and no later start brings it back.</summary>
public sealed class ErasureTests : IDisposable
{
    private const string Canary = "canary-4f1c";
    private const string Entity = $"user/{Canary}-name";
    private readonly TempDirectory _directory = new("erasure");

    private string Data => _directory.File("data");

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_complete_erasure_leaves_no_byte_of_the_entity_in_any_file()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(Data));
        await FillAsync(fixture);
        Remains.Of(Data, Canary).ShouldNotBeEmpty("the search must find what is there");

        var receipt = (await fixture.EraseAsync(Entity))!;

        receipt.Complete.ShouldBeTrue();
        receipt.Events.ShouldBe(9);
        Remains.Of(Data, Canary).ShouldBeEmpty();
        Encoding.UTF8.GetString(Tombstone(fixture)).ShouldNotContain(Canary);
        await IsErasedAsync(fixture, receipt.ReceiptId);
        fixture.Dispose();
        Remains.Of(Data, Canary).ShouldBeEmpty();
        using var reopened = new StoreFixture(StoreFixture.Small(Data));
        reopened.Store.Troubles.ShouldBeEmpty();
        await IsErasedAsync(reopened, receipt.ReceiptId);
        Remains.Of(Data, Canary).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_new_life_begins_at_seq_1_with_a_number_of_its_own_and_may_be_erased_too()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(Data));
        var lives = new HashSet<Life>();
        for (var i = 0; i < 4; i++)
        {
            var born = await fixture.AppendAsync(
                new TestAppend(Entity, [new TestEvent("Created", $$"""{"life":{{i}}}""", Id: "same")], Recreate: true));
            (born.Status, born.FirstSeq).ShouldBe((AppendStatus.Appended, 1));
            lives.Add(born.Life).ShouldBeTrue("a life is never given twice");
            if (i % 2 == 0) await fixture.SealAsync();
            (await fixture.StateAsync(Entity)).ShouldBe($$"""{"life":{{i}}}""");
            (await fixture.EraseAsync(Entity))!.Complete.ShouldBeTrue();
            if (i == 1) (await fixture.EraseAsync(Entity))!.Events.ShouldBe(1, "asked again, the same receipt");
        }

        fixture.Dispose();
        using var reopened = new StoreFixture(StoreFixture.Small(Data));
        var next = await reopened.AppendAsync(new TestAppend(Entity, [new TestEvent("Created")], Recreate: true));
        lives.Add(next.Life).ShouldBeTrue("not even over a restart");
        (await reopened.ListAsync()).ShouldBe([Entity]);
    }

    [Fact]
    public async Task What_was_never_there_has_no_receipt()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(Data));
        (await fixture.EraseAsync("user/nobody")).ShouldBeNull();
        (await fixture.FindAsync("user/nobody")).Presence.ShouldBe(EntityPresence.Unknown);
    }

    /// <summary>
    /// The directory as it stands at each step is what a crash leaves there; each is opened, and must come to the same end.
    /// </summary>
    [Fact]
    public async Task A_crash_at_any_step_of_an_erasure_is_made_up_for_by_the_next_start()
    {
        var images = new List<(StoreStep Step, string Path)>();
        var isErasing = false;
        var fixture = new StoreFixture(StoreFixture.Small(Data, step =>
        {
            if (!Volatile.Read(ref isErasing) || step == StoreStep.MarkWritten) return; // the mark is no step of an erasure, and other threads write it, too
            var image = _directory.File($"image-{images.Count}");
            SampleStore.Copy(Data, image);
            images.Add((step, image));
        }));
        using (fixture)
        {
            await FillAsync(fixture);
            Volatile.Write(ref isErasing, true);
            (await fixture.EraseAsync(Entity))!.Complete.ShouldBeTrue();
            Volatile.Write(ref isErasing, false);
        }

        images.Select(image => image.Step).Distinct().ShouldBe(
            [StoreStep.BeforeRow, StoreStep.AfterRow, StoreStep.RunBuilt, StoreStep.SealNamed, StoreStep.Sealed, StoreStep.RewriteBuilt,
                StoreStep.RewriteNamed, StoreStep.MakingJournal, StoreStep.ErasureClean],
            ignoreOrder: true);
        foreach (var (step, path) in images) await ErasesToTheEndAsync(path, step);
    }

    [Fact]
    public async Task Erasures_that_follow_each_other_without_a_pause_are_all_carried_out()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(Data));
        await fixture.AppendAsync("user/first", new TestEvent("Created"));
        await fixture.SealAsync();
        using var stop = new CancellationTokenSource();
        var fences = 0;
        var stream = Task.Run(async () =>
        {
            // A fence each few milliseconds: there is always one that is not sealed yet.
            for (; !stop.IsCancellationRequested; fences++)
            {
                await fixture.AppendAsync($"user/{fences}", new TestEvent("Created"));
                (await fixture.Registry.EraseAsync(StoreFixture.Bytes($"user/{fences}"), Guid.CreateVersion7(), isNamedElsewhere: false, CancellationToken.None))
                    .ShouldBe(EraseStatus.Fenced);
            }
        });
        (await fixture.EraseAsync("user/first"))!.Complete.ShouldBeTrue();
        await stop.CancelAsync();
        await stream;
        await Eventually.BecomesTrueAsync("all are complete", () => fixture.Shard.Tombstones.Pending().Count == 0);
        fences.ShouldBeGreaterThan(10);
        (await fixture.ListAsync()).ShouldBeEmpty();
    }

    private static async Task ErasesToTheEndAsync(string path, StoreStep step)
    {
        using var opened = new StoreFixture(StoreFixture.Small(path));
        opened.Store.Troubles.ShouldBeEmpty($"{step}");
        (await opened.HistoryAsync("user/other"))!.Count.ShouldBe(9, $"{step}");
        if (step == StoreStep.BeforeRow && (await opened.FindAsync(Entity)).Presence == EntityPresence.Alive)
        {
            // The fence was not written yet: nobody was told anything.
            (await opened.HistoryAsync(Entity))!.Count.ShouldBe(9);
            return;
        }

        (await opened.FindAsync(Entity)).Presence.ShouldBe(EntityPresence.Erased, $"{step}");
        await Eventually.BecomesTrueAsync(
            $"the erasure is complete after a crash at {step}", () => opened.Shard.Tombstones.Pending().Count == 0);
        Remains.Of(path, Canary).ShouldBeEmpty($"{step}");
        (await opened.ListAsync()).ShouldBe(["user/other"]);
    }

    /// <summary>Two entities over two runs and a journal, the one to be erased with the canary in everything that it holds.</summary>
    private static async Task FillAsync(StoreFixture fixture)
    {
        for (var i = 0; i < 3; i++)
        {
            foreach (var entity in new[] { Entity, "user/other" })
            {
                var mark = entity == Entity ? Canary : "other";
                var e = new TestEvent(
                    $"Type-{mark}", $$"""{"x":"{{mark}}"}""", Id: $"{mark}-id-{i}", Aggregate: $"A-{mark}",
                    Metadata: $$"""{"m":"{{mark}}"}""");
                var keyed = new TestAppend(entity, [new TestEvent("Keyed"), new TestEvent("Keyed")], Key: $"{mark}-key-{i}");
                (await fixture.AppendAsync(entity, e)).Status.ShouldBe(AppendStatus.Appended);
                (await fixture.AppendAsync(keyed)).Status.ShouldBe(AppendStatus.Appended);
            }

            if (i < 2) await fixture.SealAsync();
        }

        await fixture.StateAsync(Entity);
    }

    private static async Task IsErasedAsync(StoreFixture fixture, string receiptId)
    {
        var found = await fixture.FindAsync(Entity);
        (found.Presence, found.Erasure?.ReceiptId.ToString("N")).ShouldBe((EntityPresence.Erased, receiptId));
        (await fixture.HistoryAsync(Entity)).ShouldBeNull();
        (await fixture.StateAsync(Entity)).ShouldBeNull();
        (await fixture.ListAsync()).ShouldBe(["user/other"]);
        (await fixture.AppendAsync(Entity, new TestEvent("X"))).Status.ShouldBe(AppendStatus.Erased);
        (await fixture.AppendAsync(new TestAppend(Entity, [new TestEvent("X")], new ExpectedSeq(0)))).Status.ShouldBe(AppendStatus.Erased);
        (await fixture.EraseAsync(Entity))!.ReceiptId.ShouldBe(receiptId);
        (await fixture.Erasure.FindReceiptAsync(receiptId, CancellationToken.None))!.Complete.ShouldBeTrue();
        (await fixture.HistoryAsync("user/other"))!.Count.ShouldBe(9);
    }

    private static byte[] Tombstone(StoreFixture fixture)
    {
        var bytes = new byte[NameTag.Bytes];
        fixture.Shard.Tombstones.TryFind(fixture.Store.TagOf(StoreFixture.Bytes(Entity)), out var tombstone).ShouldBeTrue();
        tombstone.Tag.Write(bytes);
        return bytes;
    }
}
