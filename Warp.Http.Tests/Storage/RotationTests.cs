using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

public sealed class RotationTests : IDisposable
{
    private readonly TempDirectory _directory = new("rotations");
    private readonly WriterGate _gate = new();

    public void Dispose()
    {
        _gate.Dispose();
        _directory.Dispose();
    }

    /// <summary>Completions are handed to the pool by 32, the first of them while the rest of a group is told.</summary>
    [Theory]
    [InlineData(0, 3)]
    [InlineData(30, 3)]
    [InlineData(31, 40)]
    [InlineData(40, 3)]
    public async Task A_rotation_is_done_when_it_is_told_however_many_stand_before_it(int before, int rounds)
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path, _gate.AtStep, sealBytes: 1 << 30));
        for (var round = 0; round < rounds; round++)
        {
            await fixture.SealAsync(); // so that there is a next journal soon, and one memtable
            _gate.Close();
            var append = fixture.AppendAsync("box/1", new TestEvent("Held"));
            await Eventually.BecomesTrueAsync("the writer is held", () => _gate.IsHolding);
            var active = fixture.View.Active;
            for (var i = 0; i < before; i++) fixture.Shard.Enqueue(new Told(fixture.Shard, CommitKind.Barrier));
            var rotation = new Told(fixture.Shard, CommitKind.Rotate);
            fixture.Shard.Enqueue(rotation);
            _gate.Open();

            await append;
            var activeThen = await rotation.Active;
            await Task.Delay(1); // what the writer is about to do is done
            if (!ReferenceEquals(fixture.View.Active, active)) activeThen.ShouldNotBeSameAs(active, $"round {round}");
        }
    }

    /// <summary>Looks at the view as it is told.</summary>
    private sealed class Told : CommitItem
    {
        private readonly Shard _shard;
        private readonly TaskCompletionSource<Memtable> _active = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Told(Shard shard, CommitKind kind)
        {
            _shard = shard;
            Kind = kind;
        }

        public Task<Memtable> Active => _active.Task;

        public override void Complete() => _active.SetResult(_shard.Views.Current.Active);
    }
}
