using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Entities;

/// <summary>A bug in what judges a command costs that command its answer; not the entity its mailbox, nor the service its life.</summary>
public sealed class BrokenJudgingTests : IDisposable
{
    private const string Entity = "box/1";
    private static readonly TimeSpan Hang = TimeSpan.FromSeconds(30);

    private readonly TempDirectory _directory = new("broken");
    private readonly WriterGate _gate = new();
    private readonly StoreFixture _fixture;

    public BrokenJudgingTests() => _fixture = new StoreFixture(StoreFixture.Small(_directory.Path, _gate.AtStep), memoryBytes: 0);

    public void Dispose()
    {
        _gate.Open();
        _fixture.Dispose();
        _gate.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task The_entity_goes_on_after_a_command_that_broke()
    {
        await AppendAsync(1);

        (await BreakAsync()).ShouldBe(CommitFailure.Refused);

        await AppendAsync(2);
    }

    [Fact]
    public async Task A_command_that_breaks_on_the_thread_of_a_reader_is_refused_there()
    {
        await AppendAsync(1);
        await _fixture.SealAsync();
        await Eventually.BecomesTrueAsync("the entity is only on disk", () =>
        {
            _fixture.Passivation.Sweep();
            return !_fixture.Registry.Actors.Any();
        });

        var command = new Broken();
        _fixture.Registry.Post(_fixture.Shard, StoreFixture.Bytes(Entity), command).ShouldBeTrue();
        (await command.Done.WaitAsync(Hang)).ShouldBe(CommitFailure.Refused);

        await AppendAsync(2);
    }

    [Fact]
    public async Task Nothing_is_judged_on_what_broke_until_what_is_in_flight_is_durable()
    {
        await AppendAsync(1);
        _gate.Close();
        var held = _fixture.AppendAsync(Entity, new TestEvent("Held"));
        await Eventually.BecomesTrueAsync("the writer is held", () => _gate.IsHolding);

        (await BreakAsync()).ShouldBe(CommitFailure.Refused);
        (await _fixture.AppendAsync(Entity, new TestEvent("Early")).WaitAsync(Hang)).Status.ShouldBe(AppendStatus.Unavailable);
        _gate.Open();

        (await held.WaitAsync(Hang)).FirstSeq.ShouldBe(2);
        await AppendAsync(3);
    }

    [Fact]
    public async Task A_command_that_breaks_after_it_was_handed_on_is_answered_once()
    {
        await AppendAsync(1);

        var command = new Broken { HandsOn = true };
        _fixture.Registry.Post(_fixture.Shard, StoreFixture.Bytes(Entity), command).ShouldBeTrue();
        (await command.Done.WaitAsync(Hang)).ShouldBe(CommitFailure.None);

        await AppendAsync(2);
        command.Answers.ShouldBe(1);
    }

    private async Task AppendAsync(long seq)
    {
        var outcome = await _fixture.AppendAsync(Entity, new TestEvent("Put")).WaitAsync(Hang);
        outcome.Status.ShouldBe(AppendStatus.Appended);
        outcome.FirstSeq.ShouldBe(seq);
    }

    private async Task<CommitFailure> BreakAsync()
    {
        var command = new Broken();
        (await _fixture.ActorAsync(Entity)).Post(command).ShouldNotBe(PostResult.Full);
        return await command.Done.WaitAsync(Hang);
    }

    private sealed class Broken : EntityCommand
    {
        private readonly TaskCompletionSource<CommitFailure> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _answers;

        public Broken() => Kind = CommitKind.Barrier;

        public bool HandsOn { get; init; }

        public Task<CommitFailure> Done => _done.Task;

        public int Answers => Volatile.Read(ref _answers);

        public override void Complete()
        {
            Interlocked.Increment(ref _answers);
            _done.TrySetResult(Failure);
        }

        internal override void Judge(EntityActor actor, bool mayReadDisk)
        {
            if (HandsOn) actor.Answer(this);
            throw new InvalidOperationException("Judging broke.");
        }
    }
}
