using System.Diagnostics.CodeAnalysis;

namespace Warp.Http.Subscriptions;

/// <summary>
/// Wakes sessions on the thread pool, a batch at a time, each behind whatever waits for the pool already. Beside many appends it rests between rounds:
/// a fan-out of thousands would else take whole processors from them, and what is committed before a session's turn goes out in one write anyway.
/// </summary>
/// <remarks>
/// Any thread queues. While the lane is open there is one pool item, or one rest that will become one; whoever opened the lane queued the first. What
/// is marked belongs to that item alone: each is queued after the one before has written.
/// </remarks>
internal sealed class DeliveryLane : IThreadPoolWorkItem, IDisposable
{
    /// <summary>A round ends here at the latest, some 1,000 sessions; that bounds the rest to a tenth of a second.</summary>
    private const int RoundBatchesMax = 32;

    /// <summary>Shorter rounds need no rest: they take some 2 ms.</summary>
    private const int RoundBatchesMin = 4;

    /// <summary>Events appended in a second, of whatever entity, beyond which deliveries rest: about a tenth of a processor's work.</summary>
    private const double EventsPerSecondMax = 5_000;

    /// <summary>Four times what the sends of a batch take, 25 µs each: beside appends deliveries have a fifth of one processor.</summary>
    private static readonly TimeSpan s_restPerBatch = TimeSpan.FromMilliseconds(3.2);

    private readonly Lock _gate = new();
    private readonly Queue<WakeBatch> _due = []; // under the gate, as the next one
    private bool _isOpen;

    private readonly Func<long> _appended;
    private readonly TimeProvider _time;
    private readonly ITimer _rest;
    private int _batches; // the item's: of this round
    private long _appendedBefore; // the item's: when the last round ended, as the next one
    private long _endedAt;
    private volatile bool _isResting;

    /// <param name="appended">How many events were ever appended.</param>
    public DeliveryLane(Func<long> appended, TimeProvider time)
    {
        (_appended, _time, _appendedBefore, _endedAt) = (appended, time, appended(), time.GetTimestamp());
        _rest = time.CreateTimer(static lane => ((DeliveryLane)lane!).QueueItem(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>True while deliveries wait because of appends.</summary>
    public bool IsResting => _isResting;

    public void Queue(WakeBatch batch)
    {
        lock (_gate)
        {
            _due.Enqueue(batch);
            if (_isOpen) return;
            _isOpen = true;
        }

        QueueItem();
    }

    /// <summary>When no session is left: what is queued during a rest is not run any more.</summary>
    public void Dispose() => _rest.Dispose();

    void IThreadPoolWorkItem.Execute()
    {
        _isResting = false;
        if (_batches < RoundBatchesMax && TryTake(out var batch))
        {
            _batches++;
            batch.Wake();
            QueueItem();
            return;
        }

        if (EndRound() is { Ticks: > 0 } rest)
        {
            SubscriptionMetrics.Rested.Add(1);
            _isResting = true;
            _rest.Change(rest, Timeout.InfiniteTimeSpan);
        }
        else if (!TryClose())
        {
            QueueItem();
        }
    }

    private bool TryTake([NotNullWhen(true)] out WakeBatch? batch)
    {
        lock (_gate) return _due.TryDequeue(out batch);
    }

    /// <summary>False if something was queued meanwhile: then the lane stays open.</summary>
    private bool TryClose()
    {
        lock (_gate)
        {
            _isOpen = _due.Count > 0;
            return !_isOpen;
        }
    }

    /// <summary>How long the lane rests.</summary>
    private TimeSpan EndRound()
    {
        var (batches, appended, now) = (_batches, _appended(), _time.GetTimestamp());
        var perSecond = (appended - _appendedBefore) / _time.GetElapsedTime(_endedAt, now).TotalSeconds;
        (_batches, _appendedBefore, _endedAt) = (0, appended, now);
        return batches >= RoundBatchesMin && perSecond > EventsPerSecondMax ? batches * s_restPerBatch : TimeSpan.Zero;
    }

    private void QueueItem() => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
}
