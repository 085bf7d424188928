using System.Buffers;
using System.IO.Pipelines;

namespace Warp.Http.Subscriptions;

/// <summary>Sends to one client in small slices, and knows since when the client takes nothing.</summary>
/// <remarks>The session writes; any thread asks. Memory is the pipe's, and is given back with each flush: an idle stream holds none.</remarks>
internal sealed class SseWriter(PipeWriter pipe, TimeProvider time)
{
    /// <summary>
    /// Flushed at the latest after so much. A server takes some 64 KiB ahead of the client and then lets a flush wait until half of it is gone, so a
    /// client that is slow but reads passes each wait soon, however large an event is.
    /// </summary>
    public const int SliceBytes = 16 * 1024;

    private int _unflushed;
    private ReadOnlyMemory<byte> _held; // of the unflushed: what is not in the pipe yet
    private long _sendingSince; // timestamp while a flush waits, else 0
    private long _lastSent = time.GetTimestamp();

    /// <summary>True when nobody listens any more: what is written goes nowhere.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>What still goes into the slice that is being written.</summary>
    public int Room => SliceBytes - _unflushed;

    public TimeSpan SilentFor => time.GetElapsedTime(Volatile.Read(ref _lastSent));

    /// <summary>How long the client has let a flush wait; zero if none does.</summary>
    public TimeSpan WaitingFor => Volatile.Read(ref _sendingSince) is > 0 and var since ? time.GetElapsedTime(since) : TimeSpan.Zero;

    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes)
    {
        if (IsClosed) return ValueTask.CompletedTask;
        WriteHeld();
        if (_unflushed + bytes.Length > SliceBytes) return WriteSlicesAsync(bytes);
        pipe.Write(bytes.Span);
        _unflushed += bytes.Length;
        return ValueTask.CompletedTask;
    }

    /// <summary>Writes bytes that never change. Where nothing comes between them and the flush, they go with it in one step, which costs half.</summary>
    public ValueTask WriteSharedAsync(ReadOnlyMemory<byte> bytes)
    {
        if (IsClosed || _unflushed > 0 || bytes.Length > SliceBytes) return WriteAsync(bytes);
        _held = bytes;
        _unflushed = bytes.Length;
        return ValueTask.CompletedTask;
    }

    public ValueTask FlushAsync()
    {
        if (IsClosed || _unflushed == 0) return ValueTask.CompletedTask;
        var held = _held;
        (_held, _unflushed) = (default, 0);
        var now = time.GetTimestamp();
        Volatile.Write(ref _lastSent, now);
        return EndAsync(held.IsEmpty ? pipe.FlushAsync() : pipe.WriteAsync(held), now);
    }

    private void WriteHeld()
    {
        if (_held.IsEmpty) return;
        pipe.Write(_held.Span);
        _held = default;
    }

    private async ValueTask WriteSlicesAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty && !IsClosed)
        {
            var slice = bytes[..Math.Min(bytes.Length, SliceBytes - _unflushed)];
            bytes = bytes[slice.Length..];
            pipe.Write(slice.Span);
            _unflushed += slice.Length;
            if (_unflushed >= SliceBytes) await FlushAsync();
        }
    }

    private async ValueTask EndAsync(ValueTask<FlushResult> flush, long since)
    {
        if (!flush.IsCompleted) Volatile.Write(ref _sendingSince, since);
        try
        {
            var result = await flush;
            IsClosed |= result.IsCompleted || result.IsCanceled;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            IsClosed = true;
        }
        finally
        {
            Volatile.Write(ref _sendingSince, 0);
        }
    }
}
