using Warp.Http.Events;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Entities;

/// <summary>A busy entity gets no more than its share of what its shard can hold; the others of the shard are served.</summary>
public sealed class FairnessTests : IDisposable
{
    private const int QueueBytes = 1 << 20;
    private static readonly TimeSpan Hang = TimeSpan.FromSeconds(30);
    private readonly TempDirectory _directory = new("fairness");
    private readonly WriterGate _gate = new();
    private readonly StoreFixture _fixture;

    public FairnessTests() => _fixture = new StoreFixture(new Warp.Http.Storage.StoreOptions
    {
        DataDirectory = _directory.Path,
        Shards = 1,
        Durability = Warp.Http.Storage.Durability.Os,
        QueuedBytesMax = QueueBytes,
        FreeBytesMin = 0,
        AtStep = _gate.AtStep,
    });

    public void Dispose()
    {
        _gate.Open();
        _fixture.Dispose();
        _gate.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_flooded_entity_is_refused_beyond_its_share_and_another_of_its_shard_is_served()
    {
        (await _fixture.AppendAsync("user/calm", new TestEvent("Before"))).Status.ShouldBe(AppendStatus.Appended);
        _gate.Close();
        var big = new TestEvent("Big", $$"""{"x":"{{new string('x', 20_000)}}"}""");
        var flood = Enumerable.Range(0, 100).Select(_ => _fixture.AppendAsync("user/hot", big)).ToList();
        await Eventually.BecomesTrueAsync("what is beyond the share is refused", () => flood.Count(append => append.IsCompleted) > 80);
        foreach (var refused in flood.Where(append => append.IsCompleted)) (await refused).Status.ShouldBe(AppendStatus.MailboxFull);
        _fixture.Shard.QueuedBytes.ShouldBeLessThanOrEqualTo(QueueBytes / 3, "a third of the queue is an entity's at most");

        var calm = Enumerable.Range(0, 20).Select(i => _fixture.AppendAsync("user/calm", new TestEvent($"E{i}"))).ToList();
        calm.ShouldAllBe(append => !append.IsCompleted, "taken, and waiting for the disk");
        (await _fixture.HistoryAsync("user/calm").WaitAsync(Hang))!.Count.ShouldBe(1, "reads go on");
        (await _fixture.StateAsync("user/calm").WaitAsync(Hang)).ShouldBe("{}");
        _gate.Open();

        foreach (var append in calm) (await append.WaitAsync(Hang)).Status.ShouldBe(AppendStatus.Appended);
        var outcomes = await Task.WhenAll(flood).WaitAsync(Hang);
        outcomes.Count(outcome => outcome.Status == AppendStatus.Appended).ShouldBeInRange(1, 20);
        _fixture.Shard.QueuedBytes.ShouldBe(0);
        (await _fixture.AppendAsync("user/hot", big)).Status.ShouldBe(AppendStatus.Appended, "the share is free again");
    }

    [Fact]
    public async Task Many_flooded_entities_leave_room_for_one_more()
    {
        (await _fixture.AppendAsync("user/calm", new TestEvent("Before"))).Status.ShouldBe(AppendStatus.Appended);
        _gate.Close();
        var big = new TestEvent("Big", $$"""{"x":"{{new string('x', 10_000)}}"}""");
        var flood = Enumerable.Range(0, 400).Select(i => _fixture.AppendAsync($"user/hot-{i % 10}", big)).ToList();
        await Eventually.BecomesTrueAsync("what is beyond the shares is refused", () => flood.Count(append => append.IsCompleted) > 300);
        foreach (var refused in flood.Where(append => append.IsCompleted)) (await refused).Status.ShouldBe(AppendStatus.MailboxFull);

        var calm = _fixture.AppendAsync("user/calm", big);
        calm.IsCompleted.ShouldBeFalse("taken, and waiting for the disk");
        _gate.Open();
        (await calm.WaitAsync(Hang)).Status.ShouldBe(AppendStatus.Appended);
        await Task.WhenAll(flood).WaitAsync(Hang);
    }
}
