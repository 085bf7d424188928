using System.IO.Pipelines;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Subscriptions;

/// <summary>
/// One client's stream: reads from disk until nothing is left, attaches to the tail, reads once more what came before that, then sends what is pushed.
/// A session that lags begins again with the disk.
/// </summary>
/// <remarks>
/// One at a time runs through it. No gap: the second read begins after the session was attached, so what it does not find comes by the tail.
/// No double: what the tail pushes and the second read had sent already is dropped by its place.
/// </remarks>
/// <param name="resync">A <see cref="ResyncReason"/>; null = the client's place is kept.</param>
/// <param name="abort">Cuts the connection. Of a request that has ended it would throw, or cut the next one.</param>
internal abstract class SubscriptionSession(SubscriptionHub hub, SubscriptionFilter filter, string? resync, PipeWriter pipe, Action abort)
{
    private readonly Lock _endGate = new();
    private bool _isOver; // under its gate

    protected SubscriptionHub Hub => hub;

    protected SubscriptionFilter Filter => filter;

    /// <summary>What a message has beside its payload and metadata, but for long names.</summary>
    private const int FramingBytes = 1024;

    protected SseWriter Sse { get; } = new(pipe, hub.Time);

    /// <summary>What is held while this session reads from disk.</summary>
    public PageHold Pages { get; } = new();

    public Subscriber Subscriber { get; } = new(filter, hub.Options.BufferEvents, hub.Options.BufferBytes);

    /// <summary>Runs until the client leaves, the entity is erased, a shard ends or the service stops. Counted by the hub.</summary>
    public async Task RunAsync()
    {
        try
        {
            await Sse.WriteAsync(s_retry);
            await WriteResyncAsync();
            await Sse.FlushAsync();
            while (IsGoingOn) await FollowOnceAsync();
            if (Subscriber.End == SubscriptionEnd.Erased) await WriteErasedAsync();
            await Sse.FlushAsync();
        }
        catch (Exception e) when (e is ShardUnavailableException or DamagedDataException)
        {
            // The stream ends; a client that comes again is told what is wrong, or served.
            Subscriber.Stop(SubscriptionEnd.ShardClosed);
        }
        finally
        {
            Pages.GiveUp();
            Detach();
        }
    }

    /// <summary>Looks after the stream from outside, about once a second; who is to be woken is gathered.</summary>
    public void Tick(DeliveryLane lane, ref WakeBatch? wakes)
    {
        Pages.GiveUp();
        var waiting = Sse.WaitingFor;
        if (waiting > hub.Options.SendTimeout) Cut();
        else if (waiting > TimeSpan.Zero && Subscriber.End != SubscriptionEnd.None) Abort(); // nobody will take the end of it either
        else if (Sse.SilentFor >= hub.Options.HeartbeatEvery) Beat(lane, ref wakes);
    }

    public void Stop(SubscriptionEnd reason)
    {
        Subscriber.Stop(reason);
        if (Sse.WaitingFor > TimeSpan.Zero) Abort();
    }

    /// <summary>The request ends: from now on nobody aborts it.</summary>
    public void Leave()
    {
        lock (_endGate) _isOver = true;
    }

    /// <summary>True while there is a client, and something may come for it.</summary>
    protected bool IsGoingOn => !Sse.IsClosed && Subscriber.End == SubscriptionEnd.None;

    /// <summary>Sends all that is stored beyond what was sent.</summary>
    protected abstract ValueTask CatchUpAsync();

    protected abstract ValueTask AttachAsync();

    protected abstract void Detach();

    /// <summary>True of what a tail pushed while it was read from disk.</summary>
    protected abstract bool WasSent(LiveEvent e);

    /// <summary>Sends an event that a tail pushed.</summary>
    protected abstract ValueTask SendAsync(LiveEvent e);

    /// <summary>
    /// Makes the tail's place this session's own, where a filter let nothing through. The tail's place is read first, then whether the subscriber is
    /// idle: what was pushed before that place is in the ring by then, or was sent. The other way round it could be pushed in between, and passed over.
    /// </summary>
    /// <returns>False if the tail has not moved on, or something waits.</returns>
    protected abstract bool TryMoveOn();

    protected abstract void WriteId(JsonBuffer to);

    /// <summary>The id as a member of a control message's data.</summary>
    protected abstract void WriteIdMember(JsonBuffer to);

    /// <summary>Where a stream begins whose client's place can't be kept, as JSON.</summary>
    protected abstract void WriteFrom(JsonBuffer to);

    protected abstract ValueTask WriteErasedAsync();

    /// <summary>Sends a page by slices. True if all of it was sent; what is left of a page that was given up has to be read again.</summary>
    /// <param name="render">Writes a slice from an index on, and takes down how far the session is then; answers the next index, and how many events it wrote.</param>
    protected async ValueTask<bool> SendAsync(IDisposable page, int count, Func<int, JsonBuffer, (int Next, int Sent)> render)
    {
        for (var next = 0; next < count && IsGoingOn;)
        {
            var json = JsonBuffer.Rent();
            (next, var sent) = render(next, json);
            SubscriptionMetrics.Sent.Add(sent);
            var sending = SendAsync(json, hasMore: next < count);
            if (!sending.IsCompletedSuccessfully && !await Pages.KeepAsync(page, sending)) return next == count;
        }

        Pages.Return(page);
        return true;
    }

    /// <summary>True while an event goes into the slice; the first one always does, however large it is.</summary>
    protected bool HasRoom(JsonBuffer slice, in EventFields e) =>
        slice.Length == 0 || slice.Length + e.Payload.Length + e.Metadata.Length + FramingBytes <= Sse.Room;

    /// <summary>While a filter passes nothing over a long history: an id without data moves the client's place on, and is heard as a sign of life.</summary>
    protected async ValueTask WriteProgressIfDueAsync()
    {
        if (!Subscriber.IsHeartbeatDue()) return;
        using var json = JsonBuffer.Rent();
        WriteId(json);
        json.Raw((byte)'\n');
        await Sse.WriteAsync(json.WrittenMemory);
        await Sse.FlushAsync();
    }

    private static readonly ReadOnlyMemory<byte> s_retry = SseText.Retry.ToArray();
    private static readonly ReadOnlyMemory<byte> s_heartbeat = SseText.Heartbeat.ToArray();

    private async Task FollowOnceAsync()
    {
        await CatchUpAsync();
        if (!IsGoingOn) return;
        Subscriber.GoLive();
        await AttachAsync();
        await CloseSeamAsync();
        if (IsGoingOn && !Subscriber.IsLagging) await WriteCaughtUpAsync();
        await FollowLiveAsync();
        Detach();
        Subscriber.LeaveLive();
    }

    /// <summary>What was committed between the last page and the attaching.</summary>
    private ValueTask CloseSeamAsync() => CatchUpAsync();

    private async ValueTask FollowLiveAsync()
    {
        var sent = 0;
        while (!Sse.IsClosed)
        {
            switch (Subscriber.Next(out var e))
            {
                case SubscriberTurn.Event:
                    if (WasSent(e!)) continue;
                    await SendAsync(e!);
                    sent++;
                    continue;
                case SubscriberTurn.Heartbeat:
                    await WriteHeartbeatAsync();
                    continue;
                case SubscriberTurn.Lagging:
                    SubscriptionMetrics.Lagged.Add(1);
                    SubscriptionMetrics.Sent.Add(sent);
                    return;
                case SubscriberTurn.Ended:
                    SubscriptionMetrics.Sent.Add(sent);
                    return;
            }

            await Sse.FlushAsync();
            if (sent > 0) SubscriptionMetrics.Sent.Add(sent);
            sent = 0;
            await Subscriber.WaitAsync();
        }

        Subscriber.Stop(SubscriptionEnd.ClientGone);
    }

    /// <summary>Sends a slice. It is the server's before the client is waited for, unless it is a single event that is larger than a slice.</summary>
    private ValueTask SendAsync(JsonBuffer slice, bool hasMore)
    {
        var writing = Sse.WriteAsync(slice.WrittenMemory);
        if (!writing.IsCompletedSuccessfully) return KeepAsync(writing, slice);
        slice.Dispose();
        return hasMore ? Sse.FlushAsync() : ValueTask.CompletedTask;

        static async ValueTask KeepAsync(ValueTask writing, JsonBuffer slice)
        {
            await writing;
            slice.Dispose();
        }
    }

    private ValueTask WriteHeartbeatAsync() => TryMoveOn() ? WriteCaughtUpAsync() : Sse.WriteAsync(s_heartbeat);

    private async ValueTask WriteResyncAsync()
    {
        if (resync is null) return;
        using var json = JsonBuffer.Rent();
        WriteId(json);
        SseText.BeginControl(json, "resync"u8);
        json.Raw("{\"reason\":"u8);
        json.Text(resync);
        json.Raw(",\"from\":"u8);
        WriteFrom(json);
        json.Raw("}\n\n"u8);
        await Sse.WriteAsync(json.WrittenMemory);
    }

    private async ValueTask WriteCaughtUpAsync()
    {
        using var json = JsonBuffer.Rent();
        WriteId(json);
        SseText.BeginControl(json, "caught-up"u8);
        json.Raw((byte)'{');
        WriteIdMember(json);
        json.Raw("}\n\n"u8);
        await Sse.WriteAsync(json.WrittenMemory);
    }

    private void Cut()
    {
        if (Subscriber.End == SubscriptionEnd.None) SubscriptionMetrics.Cut.Add(1);
        Subscriber.Stop(SubscriptionEnd.NotReading);
        Abort();
    }

    // A call to outside under a lock, as nowhere else: the tick works on a copy of the sessions, and between its look and the abort the client may
    // go, the session leave and the server take the request's context for another one. The server's abort waits for nobody.
    private void Abort()
    {
        lock (_endGate)
        {
            if (!_isOver) abort();
        }
    }

    private void Beat(DeliveryLane lane, ref WakeBatch? wakes)
    {
        Subscriber.HeartbeatDue(out var wake);
        if (wake) WakeBatch.Add(ref wakes, Subscriber, lane);
    }
}
