using Warp.Http.Storage;
using Warp.Http.Tests.Entities;

namespace Warp.Http.Tests.Storage;

/// <summary>
/// Every interleaving of producers with a writer that falls asleep, on the real queue and on queues with a flag beside the list.
/// </summary>
public sealed class CommitQueueInterleavingTests
{
    [Fact]
    public void A_writer_beside_one_producer_never_sleeps_over_an_item() => Explore(new RealQueue(), [2]).ShouldBeGreaterThan(10);

    [Fact]
    public void A_writer_beside_two_producers_never_sleeps_over_an_item() =>
        Explore(new RealQueue(), [1, 1], preemptionsMax: 4).ShouldBeGreaterThan(100);

    [Fact]
    public void A_wake_without_an_item_does_no_harm() => Explore(new RealQueue(), [1], wakers: 1).ShouldBeGreaterThan(10);

    [Fact]
    public void A_sleeping_flag_set_after_the_last_look_is_caught() =>
        Should.Throw<InterleavingException>(() => Explore(new FlagQueue(looksAgain: false), [1])).InnerException!.Message.ShouldContain(
            "sleeps");

    [Fact]
    public void A_sleeping_flag_set_by_a_volatile_write_before_the_last_look_is_caught() =>
        Should.Throw<InterleavingException>(() => Explore(new FlagQueue(looksAgain: true), [1])).InnerException!.Message.ShouldContain(
            "sleeps");

    private static int Explore(IQueueUnderTest queue, int[] itemsOfProducers, int wakers = 0, int preemptionsMax = int.MaxValue) =>
        Interleaver.Explore(1 + wakers + itemsOfProducers.Length, () =>
        {
            var run = new Run(queue.New());
            var producers = itemsOfProducers.Select(run.Producing);
            return new InterleavedProgram(
                [run.Writing(itemsOfProducers.Sum()), .. Enumerable.Repeat(run.Wake, wakers), .. producers], run.Check);
        }, preemptionsMax);

    private sealed class Run(IQueueUnderTest queue)
    {
        private readonly List<QueuedItem> _taken = [];
        private bool _signal; // an AutoResetEvent

        public Action Producing(int count, int producer) => () =>
        {
            for (var i = 0; i < count; i++)
                if (queue.Enqueue(new QueuedItem(producer, i))) Wake();
        };

        public void Wake()
        {
            Interleaver.Step();
            _signal = true;
        }

        /// <summary>The loop of a shard's writer.</summary>
        public Action Writing(int items) => () =>
        {
            while (_taken.Count < items)
            {
                var taken = queue.TakeAll();
                if (taken is null)
                {
                    if (!queue.TryFallAsleep()) continue;
                    Interleaver.WaitUntil(() => _signal);
                    _signal = false;
                    queue.GetUp();
                    continue;
                }

                for (; taken is not null; taken = taken.Next) _taken.Add(taken);
            }
        };

        public void Check()
        {
            if (_taken.Distinct().Count() != _taken.Count) throw new InvalidOperationException("An item was taken twice.");
            foreach (var byProducer in _taken.GroupBy(item => item.Producer))
                if (!byProducer.Select(item => item.Number).SequenceEqual(Enumerable.Range(0, byProducer.Count())))
                    throw new InvalidOperationException("A producer's items changed places.");
        }
    }

    private sealed class QueuedItem(int producer, int number) : IQueued<QueuedItem>
    {
        public int Producer { get; } = producer;

        public int Number { get; } = number;

        public QueuedItem? Next { get; set; }
    }

    private interface IQueueUnderTest
    {
        IQueueUnderTest New();

        bool Enqueue(QueuedItem item);

        QueuedItem? TakeAll();

        bool TryFallAsleep();

        void GetUp();
    }

    private sealed class RealQueue : IQueueUnderTest
    {
        private readonly CommitQueue<QueuedItem, SteppedAtomics> _queue = new();

        public IQueueUnderTest New() => new RealQueue();

        public bool Enqueue(QueuedItem item) => _queue.Enqueue(item);

        public QueuedItem? TakeAll() => _queue.TakeAll_WriterOnly();

        public bool TryFallAsleep() => _queue.TryFallAsleep_WriterOnly();

        public void GetUp() => _queue.GetUp_WriterOnly();
    }

    /// <summary>A mutant: that the writer sleeps is said by a flag of its own.</summary>
    private sealed class FlagQueue(bool looksAgain) : IQueueUnderTest
    {
        private static readonly object Sleeping = new();
        private object? _list;
        private object? _flag;

        public IQueueUnderTest New() => new FlagQueue(looksAgain);

        public bool Enqueue(QueuedItem item)
        {
            do item.Next = (QueuedItem?)SteppedAtomics.Read(ref _list);
            while (!ReferenceEquals(SteppedAtomics.CompareExchange(ref _list, item, item.Next), item.Next));
            return SteppedAtomics.Read(ref _flag) is not null;
        }

        public QueuedItem? TakeAll()
        {
            QueuedItem? oldest = null;
            for (var newest = (QueuedItem?)SteppedAtomics.Exchange(ref _list, null); newest is not null;)
                (newest.Next, oldest, newest) = (oldest, newest, newest.Next);
            return oldest;
        }

        public bool TryFallAsleep()
        {
            Interleaver.Store(() => _flag = Sleeping);
            if (!looksAgain || SteppedAtomics.Read(ref _list) is null) return true;
            Interleaver.Store(() => _flag = null);
            return false;
        }

        public void GetUp() => SteppedAtomics.Exchange(ref _flag, null);
    }
}
