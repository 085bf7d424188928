using System.Text;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Entities;

/// <summary>What keeps the order of a stream's lines over a failed commit: later lines are bound to the epoch of the first in flight.</summary>
public sealed class BoundEpochTests
{
    private const string Entity = "account/bound";

    [Fact]
    public async Task An_append_bound_to_the_epoch_before_a_failed_commit_is_refused_and_stores_nothing()
    {
        using var directory = new TempDirectory("bound");
        using var gate = new WriterGate();
        using var fixture = new StoreFixture(StoreFixture.Small(directory.Path, gate.AtStep));
        (await fixture.AppendAsync(Entity, new TestEvent("First"))).Status.ShouldBe(AppendStatus.Appended);
        var (_, epoch) = fixture.Registry.EpochOf(Encoding.UTF8.GetBytes(Entity));
        gate.Refuse(StoreStep.BeforeRow);
        (await fixture.AppendAsync(Entity, new TestEvent("Fails"))).Status.ShouldBe(AppendStatus.InDoubt);
        await Eventually.BecomesTrueAsync("the shard takes appends again", () => fixture.Store.Troubles.Count == 0);

        (await AppendBoundAsync(fixture, "Behind", epoch)).Status.ShouldBe(AppendStatus.Unavailable);
        var (_, now) = fixture.Registry.EpochOf(Encoding.UTF8.GetBytes(Entity));
        var again = await AppendBoundAsync(fixture, "Again", now);

        (again.Status, again.FirstSeq).ShouldBe((AppendStatus.Appended, 2));
        (await fixture.HistoryAsync(Entity))!.Select(e => e.Type).ShouldBe(["First", "Again"]);
    }

    private static async Task<AppendOutcome> AppendBoundAsync(StoreFixture fixture, string type, int epoch)
    {
        var command = new TestAppend(Entity, [new TestEvent(type)]).ToCommand();
        command.BoundEpoch = epoch;
        var outcome = await fixture.Registry.AppendAsync(command);
        command.Return();
        return outcome;
    }
}
