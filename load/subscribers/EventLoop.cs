using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Warp.Http.Subscribers;

/// <summary>
/// Reads all streams on one thread, by epoll and recvmsg: what the client takes from the processors is measured as if it were the service's. It notes
/// when it read, and when the kernel had what it read, which is what a client on a machine of its own would see.
/// </summary>
internal sealed partial class EventLoop : IDisposable
{
    private const int EventsMax = 256;
    private const int BufferBytes = 16 * 1024;
    private const int WaitMs = 100;

    /// <summary>
    /// Beyond so many streams the loop rests after each round: to be woken for every message would cost more than reading it, on both sides. A network
    /// card gathers its interrupts likewise. What that adds to the time of a read is in it.
    /// </summary>
    private const int RestlessSockets = 16;

    private const int RestNs = 100_000;
    private const int ControlAdd = 1;
    private const int ReadableHangUpOnce = 0x1 | 0x2000 | int.MinValue; // with EPOLLET: what was told is not looked at again
    private const int ErrorAgain = 11;
    private const int ErrorInterrupted = 4;

    /// <summary><c>struct epoll_event</c> is packed on x86-64 alone (epoll_ctl(2)).</summary>
    private static readonly int s_eventBytes = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

    private readonly List<EventSocket> _sockets = [];
    private readonly int _epoll = Checked(EpollCreate(0));
    private readonly Thread _thread;
    private volatile bool _isStopped;

    public EventLoop() => _thread = new Thread(Run) { IsBackground = true, Name = "event loop" };

    public void Start() => _thread.Start();

    /// <summary>Before the start only.</summary>
    public void Add(EventSocket socket)
    {
        var @event = new byte[s_eventBytes];
        MemoryMarshal.Write(@event, ReadableHangUpOnce);
        MemoryMarshal.Write(@event.AsSpan(s_eventBytes - 8), (long)_sockets.Count);
        _sockets.Add(socket);
        Checked(EpollControl(_epoll, ControlAdd, socket.Descriptor, @event));
    }

    /// <summary>Afterwards the sockets may be looked at.</summary>
    public void Dispose()
    {
        if (_isStopped) return;
        _isStopped = true;
        if (_thread.IsAlive) _thread.Join();
        Checked(Close(_epoll));
    }

    private void Run()
    {
        var events = new byte[EventsMax * s_eventBytes];
        using var message = new ReceivedMessage(BufferBytes);
        while (!_isStopped)
        {
            var count = EpollWait(_epoll, events, EventsMax, WaitMs);
            if (count < 0 && Marshal.GetLastPInvokeError() == ErrorInterrupted) continue;
            for (var i = 0; i < Checked(count); i++)
                Read(_sockets[(int)MemoryMarshal.Read<long>(events.AsSpan(((i + 1) * s_eventBytes) - 8))], message);
            if (_sockets.Count > RestlessSockets && count < EventsMax) _ = NanoSleep([0, RestNs], 0);
        }
    }

    private static void Read(EventSocket socket, ReceivedMessage message)
    {
        int read;
        do
        {
            read = message.Receive(socket.Descriptor);
            if (read > 0) socket.Take(message.Bytes(read), message.ArrivedAt(), Stopwatch.GetTimestamp());
            else if (read == 0 || Marshal.GetLastPInvokeError() != ErrorAgain) socket.End();
        }
        while (read == BufferBytes);
    }

    private static int Checked(int result) => result >= 0 ? result : throw new Win32Exception(Marshal.GetLastPInvokeError());

    [LibraryImport("libc", EntryPoint = "epoll_create1", SetLastError = true)]
    private static partial int EpollCreate(int flags);

    [LibraryImport("libc", EntryPoint = "epoll_ctl", SetLastError = true)]
    private static partial int EpollControl(int epoll, int operation, int descriptor, byte[] @event);

    [LibraryImport("libc", EntryPoint = "epoll_wait", SetLastError = true)]
    private static partial int EpollWait(int epoll, byte[] events, int eventsMax, int timeoutMs);

    [LibraryImport("libc", EntryPoint = "nanosleep")]
    private static partial int NanoSleep(ReadOnlySpan<long> time, nint rest);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
