using Warp.Http.Entities;
using Warp.Http.Storage;

namespace Warp.Http.Tests.Entities;

/// <summary>
/// Every interleaving of small programs on the real mailbox, and on mailboxes without its sentinel, which must be caught.
/// </summary>
public sealed class MailboxInterleavingTests
{
    private const int WaitingMax = 100;
    private const int Few = 4;

    [Fact]
    public void Two_posters_lose_nothing_and_never_drain_at_once() =>
        Explore(2, run => [run.Posting(0, 1), run.Posting(1, 1)]).ShouldBeGreaterThan(10);

    [Fact]
    public void Posters_of_several_commands_are_served_in_their_order() =>
        Explore(2, run => [run.Posting(0, 2), run.Posting(1, 2)], preemptionsMax: Few).ShouldBeGreaterThan(100);

    [Fact]
    public void Three_posters_lose_nothing() =>
        Explore(3, run => [run.Posting(0, 1), run.Posting(1, 1), run.Posting(2, 1)], preemptionsMax: Few).ShouldBeGreaterThan(100);

    [Fact]
    public void A_poster_beside_passivation_is_served_or_told_that_the_mailbox_is_retired() =>
        Explore(2, run => [run.Posting(0, 2), run.Retiring()]).ShouldBeGreaterThan(10);

    [Fact]
    public void Two_posters_beside_passivation_are_served_or_told() =>
        Explore(3, run => [run.Posting(0, 1), run.Posting(1, 1), run.Retiring()], preemptionsMax: Few).ShouldBeGreaterThan(100);

    [Fact]
    public void A_full_mailbox_refuses_and_keeps_what_it_took() =>
        Explore(2, run => [run.Posting(0, 2), run.Posting(1, 2)], waitingMax: 1, preemptionsMax: Few).ShouldBeGreaterThan(100);

    [Fact]
    public void A_flag_cleared_after_the_look_at_the_list_is_caught() =>
        Should.Throw<InterleavingException>(
            () => Explore(2, run => [run.Posting(0, 1), run.Posting(1, 1)], new FlagMailbox(FlagMailbox.Clearing.AfterTheLook)))
            .InnerException!.Message.ShouldContain("lost");

    [Fact]
    public void A_flag_cleared_by_a_volatile_write_before_the_look_is_caught() =>
        Should.Throw<InterleavingException>(
            () => Explore(2, run => [run.Posting(0, 1), run.Posting(1, 1)], new FlagMailbox(FlagMailbox.Clearing.BeforeTheLook)))
            .InnerException!.Message.ShouldContain("lost");

    [Fact]
    public void A_flag_cleared_by_an_exchange_before_the_look_holds_so_it_is_the_missing_fence_that_is_caught() =>
        Explore(2, run => [run.Posting(0, 1), run.Posting(1, 1)], new FlagMailbox(FlagMailbox.Clearing.WithAFence)).ShouldBeGreaterThan(10);

    [Fact]
    public void Passivation_that_does_not_compare_is_caught() =>
        Should.Throw<InterleavingException>(() => Explore(2, run => [run.Posting(0, 1), run.Retiring()], new CarelessRetirement()))
            .InnerException!.Message.ShouldContain("lost");

    private static int Explore(
        int threads, Func<Run, Action[]> program, IMailboxUnderTest? mutant = null, int waitingMax = WaitingMax,
        int preemptionsMax = int.MaxValue) =>
        Interleaver.Explore(threads, () =>
        {
            var run = new Run(mutant?.New() ?? new RealMailbox(), waitingMax);
            return new InterleavedProgram(program(run), run.Check);
        }, preemptionsMax);

    /// <summary>One execution: who posted what, who handled what, who owns.</summary>
    private sealed class Run(IMailboxUnderTest mailbox, int waitingMax)
    {
        private readonly List<MailedItem> _handled = [];
        private readonly List<MailedItem> _accepted = [];
        private bool _owned;
        private bool _retired;

        public Action Posting(int poster, int count) => () =>
        {
            for (var i = 0; i < count; i++)
            {
                var item = new MailedItem(poster, i);
                var wasRetired = _retired;
                var result = mailbox.Post(item, waitingMax);
                if (wasRetired && result != PostResult.Retired) throw new InvalidOperationException("A retired mailbox took a command.");
                if (result is PostResult.Queued or PostResult.Drain) _accepted.Add(item);
                if (result == PostResult.Drain) Drain();
            }
        };

        public Action Retiring() => () =>
        {
            if (!mailbox.TryOwn()) return;
            if (mailbox.TryRetire()) _retired = true;
            else Drain();
        };

        public void Check()
        {
            if (_owned) throw new InvalidOperationException("The mailbox is owned by nobody who runs.");
            if (_handled.Count != _accepted.Count)
                throw new InvalidOperationException($"{_accepted.Count - _handled.Count} of {_accepted.Count} commands are lost.");
            if (_handled.Distinct().Count() != _handled.Count) throw new InvalidOperationException("A command was handled twice.");
            foreach (var byPoster in _handled.GroupBy(item => item.Poster))
                if (!byPoster.Select(item => item.Number).SequenceEqual(byPoster.Select(item => item.Number).Order()))
                    throw new InvalidOperationException("A poster's commands changed places.");
        }

        private void Drain()
        {
            if (_owned) throw new InvalidOperationException("Two drain at once.");
            _owned = true;
            while (true)
            {
                var item = mailbox.TakeAll();
                for (; item is not null; item = item.Next) _handled.Add(item);

                // Taken back beforehand: from the step inside on, another may own it.
                _owned = false;
                if (mailbox.TryLeave()) return;
                if (_owned) throw new InvalidOperationException("It could not be left, and yet another owns it.");
                _owned = true;
            }
        }
    }
}
