using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>A shard that finds damage while it works stops changing files, answers everybody, and is whole again where only the finding was wrong.</summary>
public sealed class RunningQuarantineTests : IDisposable
{
    private readonly TempDirectory _directory = new("quarantine");
    private int _damaged;
    private int _tries;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Sealing_that_meets_damage_takes_the_shard_out_of_service_and_is_not_tried_again()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path, AtStep));
        for (var i = 0; i < 10; i++) (await fixture.AppendAsync($"sealed/{i}", new TestEvent("A"))).Status.ShouldBe(AppendStatus.Appended);
        Volatile.Write(ref _damaged, 1);
        await fixture.RotateAsync();
        await Eventually.BecomesTrueAsync("the shard is out of service", () => fixture.Shard.Damage is not null);

        var files = Files();
        for (var i = 0; i < 20; i++) fixture.Shard.MaintenanceDue();
        (await fixture.AppendAsync("sealed/0", new TestEvent("B"))).Status.ShouldBe(AppendStatus.Unavailable);
        await Should.ThrowAsync<ShardUnavailableException>(async () => await fixture.FindAsync("sealed/0"));
        await Should.ThrowAsync<ShardUnavailableException>(() => fixture.ListAsync());
        await Should.ThrowAsync<ShardUnavailableException>(async () => await fixture.EraseAsync("sealed/0"));
        fixture.Store.IsServing.ShouldBeFalse();
        fixture.Store.Troubles.ShouldHaveSingleItem().ShouldContain("The test found damage.");
        await Task.Delay(TimeSpan.FromSeconds(1.5), TestContext.Current.CancellationToken); // more than maintenance's turn
        Volatile.Read(ref _tries).ShouldBe(1);
        Files().ShouldBe(files);

        fixture.Dispose();
        using var reopened = new StoreFixture(StoreFixture.Small(_directory.Path));
        reopened.Store.Troubles.ShouldBeEmpty();
        (await reopened.ListAsync()).Count.ShouldBe(10);
        (await reopened.HistoryAsync("sealed/0"))!.Select(e => e.Type).ShouldBe(["A"]);
    }

    [Fact]
    public async Task Whoever_waits_for_the_writer_when_its_shard_is_found_damaged_is_answered()
    {
        using var gate = new WriterGate();
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path, gate.AtStep));
        gate.Close();
        var held = fixture.AppendAsync("waits/0", new TestEvent("Held"));
        await Eventually.BecomesTrueAsync("the writer is held", () => gate.IsHolding);
        var behind = Enumerable.Range(1, 50).Select(i => fixture.AppendAsync($"waits/{i % 5}", new TestEvent("Behind"), new TestEvent("Behind"))).ToArray();
        fixture.Shard.Quarantine(new DamagedDataException("The test says so."));
        gate.Open();

        (await held).Status.ShouldBe(AppendStatus.Appended, "its row was on its way and is durable");
        foreach (var append in behind) (await append).Status.ShouldBe(AppendStatus.Unavailable);
        fixture.Dispose();
        using var reopened = new StoreFixture(StoreFixture.Small(_directory.Path));
        (await reopened.ListAsync()).ShouldBe(["waits/0"]);
    }

    [Fact]
    public async Task A_run_that_is_damaged_on_the_disk_in_service_takes_its_shard_out_at_the_first_read_and_the_other_goes_on()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path, shards: 2));
        var names = Enumerable.Range(0, 20).Select(i => $"run/{i}").ToList();
        foreach (var name in names) await fixture.AppendAsync(name, new TestEvent("A"));
        await fixture.SealAsync();
        foreach (var run in fixture.View.Runs)
        {
            using var file = new FileStream(run.Path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
            for (var at = 4096L; at < file.Length; at += 64)
            {
                file.Position = at;
                file.WriteByte(0x5a);
            }
        }

        var damaged = names.Find(n => fixture.Store.ShardOf(StoreFixture.Bytes(n)).Index == 0)!;
        await Should.ThrowAsync<DamagedDataException>(() => fixture.HistoryAsync(damaged));
        fixture.Shard.Damage.ShouldNotBeNull().ShouldContain("Shard 0 is out of service");
        foreach (var name in names)
        {
            var expected = fixture.Store.ShardOf(StoreFixture.Bytes(name)).Index == 0 ? AppendStatus.Unavailable : AppendStatus.Appended;
            (await fixture.AppendAsync(name, new TestEvent("B"))).Status.ShouldBe(expected);
            if (expected == AppendStatus.Appended) (await fixture.HistoryAsync(name))!.Count.ShouldBe(2);
            else await Should.ThrowAsync<ShardUnavailableException>(() => fixture.HistoryAsync(name));
        }

        fixture.Store.IsServing.ShouldBeTrue();
        fixture.Store.Troubles.ShouldHaveSingleItem();
    }

    /// <summary>Merged away before and still being read: the last reader's leaving comes after the finding, and must change no file either.</summary>
    [Fact]
    public async Task A_replaced_run_that_is_still_read_when_its_shard_is_found_damaged_keeps_its_file()
    {
        const int FanOut = 3;
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path, mergeFanOut: FanOut));
        for (var i = 0; i < FanOut - 1; i++)
        {
            await fixture.AppendAsync($"kept/{i}", new TestEvent("A"));
            await fixture.SealAsync();
        }

        var before = fixture.View.Runs;
        var reading = fixture.Shard.Views.Lease();
        await fixture.AppendAsync($"kept/{FanOut}", new TestEvent("A"));
        await fixture.SealAsync();
        await Eventually.BecomesTrueAsync("the runs are merged", () => fixture.View.Runs.Length == 1, TimeSpan.FromSeconds(30));
        var files = before.Select(run => run.Path).ToList();
        files.ShouldAllBe(file => File.Exists(file), "they are read");

        fixture.Shard.Quarantine(new DamagedDataException("The test found damage."));
        reading.Dispose();
        fixture.Dispose();

        files.Count.ShouldBe(FanOut - 1);
        files.ShouldAllBe(file => File.Exists(file), "whoever repairs the shard finds what there was");
    }

    private List<string> Files() =>
        [.. new DirectoryInfo(SampleStore.ShardPath(_directory.Path)).EnumerateFiles().Select(f => $"{f.Name} {f.Length}").Order(StringComparer.Ordinal)];

    private void AtStep(StoreStep step)
    {
        if (step != StoreStep.RunBuilt || Volatile.Read(ref _damaged) == 0) return;
        Interlocked.Increment(ref _tries);
        throw new DamagedDataException("The test found damage.");
    }
}
