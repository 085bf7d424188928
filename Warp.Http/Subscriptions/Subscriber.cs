using System.Diagnostics;
using System.Threading.Tasks.Sources;

namespace Warp.Http.Subscriptions;

/// <summary>Why a subscription ends.</summary>
internal enum SubscriptionEnd : byte
{
    None,

    /// <summary>The entity was erased.</summary>
    Erased,

    /// <summary>A shard went out of service or is closed.</summary>
    ShardClosed,

    /// <summary>The service stops.</summary>
    Stopping,

    ClientGone,

    /// <summary>The client took nothing for <see cref="SubscriptionOptions.SendTimeout"/>.</summary>
    NotReading,
}

/// <summary>What there is for a subscriber's session to do.</summary>
internal enum SubscriberTurn : byte
{
    Nothing,
    Event,

    /// <summary>Nothing else is to be done, and the client heard nothing for a while.</summary>
    Heartbeat,

    /// <summary>More came than fits; what waited is dropped and must be read from disk.</summary>
    Lagging,

    Ended,
}

/// <summary>Stands between the tails that push and the session that sends: a bounded ring of references, and one wake-up.</summary>
/// <remarks>
/// Any thread pushes, ends and asks for heartbeats; the session alone takes and waits. All state is under the gate; nothing is called and nothing
/// runs under it. The waiting session is completed by <see cref="Wake"/>, which whoever took the wait away (push, end, heartbeat) calls once, or has
/// called on the pool: never a tail or a tick itself, for the session goes on inline there.
/// </remarks>
internal sealed class Subscriber(SubscriptionFilter filter, int eventsMax, int bytesMax) : IValueTaskSource
{
    private const int KeptSlots = 16;

    private readonly Lock _gate = new();
    private ManualResetValueTaskSourceCore<bool> _wake; // under the gate until a wait begins, then its taker's
    private LiveEvent[] _ring = [];
    private int _first;
    private int _count;
    private int _bytes;
    private bool _isLive;
    private bool _isLagging;
    private bool _isWaiting;
    private bool _heartbeatDue;
    private SubscriptionEnd _end;

    public SubscriptionFilter Filter => filter;

    /// <summary>Where the entity's tail keeps this subscriber; set by the tail, under its gate.</summary>
    public EntityTopic? Topic { get; set; }

    public SubscriptionEnd End
    {
        get
        {
            lock (_gate) return _end;
        }
    }

    public bool IsLagging
    {
        get
        {
            lock (_gate) return _isLagging;
        }
    }

    /// <summary>True if nothing waits and nothing was dropped.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_gate) return _count == 0 && !_isLagging && _end == SubscriptionEnd.None;
        }
    }

    /// <summary>From now on what is pushed is kept.</summary>
    public void GoLive()
    {
        lock (_gate) (_isLive, _isLagging) = (true, false);
    }

    /// <summary>The session reads from disk: what waits is dropped, and what is pushed is refused.</summary>
    public void LeaveLive()
    {
        lock (_gate)
        {
            Clear();
            (_isLive, _isLagging) = (false, false);
        }
    }

    /// <summary>False if the subscriber takes nothing more here: it lags, or has ended.</summary>
    /// <param name="wake">True if the session waits: the caller sees to it that <see cref="Wake"/> is called.</param>
    public bool TryPush(LiveEvent e, out bool wake)
    {
        lock (_gate)
        {
            wake = false;
            if (!_isLive || _isLagging || _end != SubscriptionEnd.None) return false;
            if (_count == eventsMax || (_count > 0 && _bytes + e.Message.Length > bytesMax)) return !BecomeLagging(out wake);
            if (_count == _ring.Length) Grow();
            _ring[(_first + _count) % _ring.Length] = e;
            _count++;
            _bytes += e.Message.Length;
            wake = TakeWait();
            return true;
        }
    }

    /// <summary>The tail can't show what follows any more.</summary>
    public void Lag(out bool wake)
    {
        lock (_gate) BecomeLagging(out wake);
    }

    /// <summary>Nothing more is to be sent but what the reason says. The first reason counts.</summary>
    /// <param name="wake">As of <see cref="TryPush"/>.</param>
    public void Stop(SubscriptionEnd reason, out bool wake)
    {
        lock (_gate)
        {
            wake = false;
            if (_end != SubscriptionEnd.None) return;
            _end = reason;
            Clear();
            wake = TakeWait();
        }
    }

    /// <summary>Ends this one alone: its wake-up is a pool item. Who ends many gathers them.</summary>
    public void Stop(SubscriptionEnd reason)
    {
        Stop(reason, out var wake);
        if (wake) ThreadPool.UnsafeQueueUserWorkItem(static s => s.Wake(), this, preferLocal: false);
    }

    /// <param name="wake">As of <see cref="TryPush"/>.</param>
    public void HeartbeatDue(out bool wake)
    {
        lock (_gate)
        {
            _heartbeatDue = true;
            wake = TakeWait();
        }
    }

    /// <summary>Session only.</summary>
    public SubscriberTurn Next(out LiveEvent? e)
    {
        lock (_gate)
        {
            e = null;
            if (_end != SubscriptionEnd.None) return SubscriberTurn.Ended;
            if (_isLagging) return SubscriberTurn.Lagging;
            if (_count > 0)
            {
                e = _ring[_first];
                _ring[_first] = null!;
                _first = (_first + 1) % _ring.Length;
                _count--;
                _bytes -= e.Message.Length;
                return SubscriberTurn.Event;
            }

            if (_ring.Length > KeptSlots) _ring = [];
            return TakeHeartbeat() ? SubscriberTurn.Heartbeat : SubscriberTurn.Nothing;
        }
    }

    /// <summary>Session only, while it reads from disk.</summary>
    public bool IsHeartbeatDue()
    {
        lock (_gate) return TakeHeartbeat();
    }

    /// <summary>Session only: ends when there is something to do again.</summary>
    public ValueTask WaitAsync()
    {
        lock (_gate)
        {
            Debug.Assert(!_isWaiting, "One session waits.");
            if (_count > 0 || _isLagging || _heartbeatDue || _end != SubscriptionEnd.None) return ValueTask.CompletedTask;
            _wake.Reset();
            _isWaiting = true;
            return new ValueTask(this, _wake.Version);
        }
    }

    /// <summary>Runs the session on, here. Called once by whoever took its wait away.</summary>
    public void Wake() => _wake.SetResult(true);

    void IValueTaskSource.GetResult(short token) => _wake.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => _wake.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _wake.OnCompleted(continuation, state, token, flags);

    private bool BecomeLagging(out bool wake)
    {
        Clear();
        _isLagging = true;
        wake = TakeWait();
        return true;
    }

    private bool TakeWait()
    {
        var waited = _isWaiting;
        _isWaiting = false;
        return waited;
    }

    private bool TakeHeartbeat()
    {
        var due = _heartbeatDue;
        _heartbeatDue = false;
        return due;
    }

    private void Clear()
    {
        _ring = [];
        (_first, _count, _bytes) = (0, 0, 0);
    }

    private void Grow()
    {
        var larger = new LiveEvent[Math.Min(eventsMax, Math.Max(4, _ring.Length * 2))];
        for (var i = 0; i < _count; i++) larger[i] = _ring[(_first + i) % _ring.Length];
        (_ring, _first) = (larger, 0);
    }
}
