using System.Diagnostics;
using Warp.Http.Entities;
using Warp.Http.Storage;
using Warp.Http.Tests.Storage;

namespace Warp.Http.Tests.Entities;

/// <summary>
/// The real queues on the processor's own atomics: rounds in which posters wait for what they posted, so that a lost wake-up stands still.
/// <c>WARP_TEST_ROUNDS=10000000</c> is the full number.
/// </summary>
public sealed class QueueStressTests
{
    /// <summary>
    /// A command that nobody handled for so long is lost: a round takes less than a millisecond even where threads outnumber cores.
    /// </summary>
    private static readonly TimeSpan Lost = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Mailboxes_lose_nothing_while_they_are_posted_to_drained_and_retired()
    {
        var rounds = TestRun.Rounds("WARP_TEST_ROUNDS", 2_000_000);
        var entity = new MailboxEntity();
        var ended = 0;
        var posters = Enumerable.Range(0, 2).Select(poster => OnThread(() => Post(entity, poster, rounds / 2))).ToArray();
        var retired = 0;
        var passivation = OnThread(() =>
        {
            for (var turns = 0; Volatile.Read(ref ended) == 0; turns++)
                if (turns % 64 == 0 && entity.Current.TryRetire()) retired++;
                else Thread.SpinWait(20);
        });
        await Task.WhenAll(posters);
        Interlocked.Exchange(ref ended, 1);
        await passivation;
        retired.ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task A_sleeping_writer_is_woken_for_every_item()
    {
        var rounds = TestRun.Rounds("WARP_TEST_ROUNDS", 300_000);
        var queue = new CommitQueue<StressItem, HardwareAtomics>();
        using var wake = new AutoResetEvent(initialState: false);
        var writer = OnThread(() =>
        {
            for (var left = rounds; left > 0;)
            {
                var taken = queue.TakeAll_WriterOnly();
                if (taken is null)
                {
                    if (!queue.TryFallAsleep_WriterOnly()) continue;
                    if (!wake.WaitOne(Lost)) throw new InvalidOperationException("The writer was not woken.");
                    queue.GetUp_WriterOnly();
                    continue;
                }

                while (taken is not null)
                {
                    var next = taken.Next;
                    taken.Handle();
                    taken = next;
                    left--;
                }
            }
        });
        var producers = Enumerable.Range(0, 2).Select(_ => OnThread(() =>
        {
            var item = new StressItem();
            for (var i = 0; i < rounds / 2 && !writer.IsFaulted; i++)
            {
                item.Handled = 0;
                if (queue.Enqueue(item)) wake.Set();
                item.WaitUntilHandled(Lost);
            }
        })).ToArray();
        await Task.WhenAll([writer, .. producers]);
    }

    private static Task OnThread(Action work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

    private static void Post(MailboxEntity entity, int poster, int rounds)
    {
        var random = new Random(poster);
        var items = Enumerable.Range(0, 3).Select(_ => new StressItem()).ToArray();
        for (var round = 0; round < rounds;)
        {
            var burst = random.Next(1, items.Length + 1);
            var order = new StressOrder();
            for (var i = 0; i < burst; i++)
            {
                items[i].Renew(order, i);
                while (!entity.Current.TryPost(items[i])) entity.Replace();
            }

            for (var i = 0; i < burst; i++) items[i].WaitUntilHandled(Lost);
            order.Handled.ShouldBe(burst);
            round += burst;
        }
    }

    /// <summary>A registry of one entity: a retired actor is replaced.</summary>
    private sealed class MailboxEntity
    {
        private StressActor _current = new();

        public StressActor Current => Volatile.Read(ref _current);

        public void Replace()
        {
            var retired = Current;
            if (retired.IsRetired) Interlocked.CompareExchange(ref _current, new StressActor(), retired);
        }
    }

    private sealed class StressActor
    {
        private Mailbox<StressItem, HardwareAtomics> _mailbox;
        private int _drainers;
        private int _retired;

        public bool IsRetired => Volatile.Read(ref _retired) != 0;

        public bool TryPost(StressItem item)
        {
            switch (_mailbox.Post(item, 100))
            {
                case PostResult.Retired:
                    Volatile.Write(ref _retired, 1);
                    return false;
                case PostResult.Drain:
                    Drain();
                    return true;
                default:
                    return true;
            }
        }

        public bool TryRetire()
        {
            if (!_mailbox.TryOwn()) return false;
            if (_mailbox.TryRetire_OwnerOnly()) return true;
            Drain();
            return false;
        }

        private void Drain()
        {
            while (true)
            {
                if (Interlocked.Increment(ref _drainers) != 1) throw new InvalidOperationException("Two drain at once.");
                var item = _mailbox.TakeAll_OwnerOnly();
                while (item is not null)
                {
                    var next = item.Next;
                    item.Handle();
                    item = next;
                }

                Interlocked.Decrement(ref _drainers);
                if (_mailbox.TryLeave_OwnerOnly()) return;
            }
        }
    }

    private sealed class StressOrder
    {
        public int Handled;
    }

    private sealed class StressItem : IMailed<StressItem>
    {
        public int Handled;
        private StressOrder? _order;
        private int _number;

        public StressItem? Next { get; set; }

        public int Waiting { get; set; }

        public void Renew(StressOrder order, int number)
        {
            (_order, _number) = (order, number);
            Volatile.Write(ref Handled, 0);
        }

        public void Handle()
        {
            // Commands of one poster may go to one mailbox and its successor, but never change places.
            if (_order is not null && Interlocked.Increment(ref _order.Handled) != _number + 1)
                throw new InvalidOperationException("A poster's commands changed places.");
            if (Interlocked.Exchange(ref Handled, 1) != 0) throw new InvalidOperationException("A command was handled twice.");
        }

        public void WaitUntilHandled(TimeSpan atMost)
        {
            var spinner = new SpinWait();
            long started = 0;
            while (Volatile.Read(ref Handled) == 0)
            {
                spinner.SpinOnce(sleep1Threshold: -1);
                if (spinner.Count % 1000 != 0) continue;
                if (started == 0) started = Stopwatch.GetTimestamp();
                if (Stopwatch.GetElapsedTime(started) > atMost) throw new InvalidOperationException("A command was lost.");
            }
        }
    }
}
