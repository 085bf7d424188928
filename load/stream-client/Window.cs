using System.Diagnostics;

namespace Warp.Http.StreamClient;

/// <summary>Which lines are in flight, and when each was sent.</summary>
/// <remarks>One thread at a time sends, one reads replies. A sender that found no room is woken when a part of the window is free, not with each reply.</remarks>
internal sealed class Window(int size) : IDisposable
{
    private readonly int _wakeAt = Math.Max(1, size / 4);
    private readonly long[] _sentAt = new long[size];
    private readonly SemaphoreSlim _room = new(0, 1);
    private long _sent; // the sender's; read by the reader
    private long _answered; // the reader's; read by the sender
    private int _senderWaits; // 1 while it does; whoever takes it back to 0 releases _room

    public long Answered => Volatile.Read(ref _answered);

    public int InFlight => (int)(Volatile.Read(ref _sent) - Answered);

    public bool IsEmpty => Volatile.Read(ref _sent) == Answered;

    /// <summary>How many lines may be sent, at least one. Waits until there is room for some.</summary>
    public async ValueTask<int> RoomAsync(CancellationToken cancellation)
    {
        var free = size - (int)(_sent - Answered);
        while (free < 1)
        {
            Volatile.Write(ref _senderWaits, 1);
            Interlocked.MemoryBarrier(); // raised before it is looked again, so that a reply between the two is not missed
            free = size - (int)(_sent - Answered);
            if (free < _wakeAt || Interlocked.Exchange(ref _senderWaits, 0) == 0) await _room.WaitAsync(cancellation);
            free = size - (int)(_sent - Answered);
        }

        return free;
    }

    /// <summary>Before they go out, so that no reply comes to a line that is not known.</summary>
    public void Sending(int lines)
    {
        var now = Stopwatch.GetTimestamp();
        var first = _sent;
        for (var i = 0; i < lines; i++) _sentAt[(first + i) % size] = now;
        Volatile.Write(ref _sent, first + lines);
    }

    /// <summary>The oldest line in flight was answered.</summary>
    /// <returns>When it was sent.</returns>
    public long Answer()
    {
        var line = _answered;
        if (line == Volatile.Read(ref _sent)) throw new InvalidDataException($"A reply came to line {line + 1}, which was not sent.");
        var sentAt = _sentAt[line % size];
        Volatile.Write(ref _answered, line + 1);
        return sentAt;
    }

    /// <summary>After a read's replies.</summary>
    public void WakeSender()
    {
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref _senderWaits) == 0 || size - (int)(Volatile.Read(ref _sent) - _answered) < _wakeAt) return;
        if (Interlocked.Exchange(ref _senderWaits, 0) == 1) _room.Release();
    }

    public void Dispose() => _room.Dispose();
}
