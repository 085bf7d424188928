using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Warp.Http.Subscribers;

/// <summary>Memory for recvmsg(2): what came, and when the kernel got the last of it (<c>SO_TIMESTAMPNS</c>, socket(7)). Linux, 64 bit.</summary>
internal sealed unsafe partial class ReceivedMessage : IDisposable
{
    private const int SocketLevel = 1;
    private const int TimestampNs = 35;
    private const int ControlBytes = 64;

    private readonly byte* _bytes;
    private readonly Header* _header;
    private readonly Control* _control;

    public ReceivedMessage(int bytesMax)
    {
        _bytes = (byte*)NativeMemory.AllocZeroed((nuint)bytesMax);
        _header = (Header*)NativeMemory.AllocZeroed((nuint)sizeof(Header));
        _control = (Control*)NativeMemory.AllocZeroed(ControlBytes);
        var vector = (Vector*)NativeMemory.AllocZeroed((nuint)sizeof(Vector));
        *vector = new Vector { Base = _bytes, Length = bytesMax };
        *_header = new Header { Vectors = vector, VectorCount = 1, Control = _control };
    }

    /// <summary>The kernel notes from now on when each segment of a socket comes.</summary>
    public static void NoteArrivals(Socket socket) =>
        socket.SetRawSocketOption(SocketLevel, TimestampNs, [1, 0, 0, 0]);

    /// <returns>As recvmsg: bytes, 0 at the end, -1 with an error.</returns>
    public int Receive(int descriptor)
    {
        _header->ControlLength = ControlBytes;
        return (int)ReceiveMessage(descriptor, _header, 0);
    }

    public ReadOnlySpan<byte> Bytes(int count) => new(_bytes, count);

    /// <summary>As <see cref="Stopwatch.GetTimestamp"/>, of the last segment of what was read.</summary>
    public long ArrivedAt()
    {
        if (_header->ControlLength == 0 || _control->Level != SocketLevel || _control->Type != TimestampNs)
            throw new NotSupportedException("The kernel tells no time of arrival (SO_TIMESTAMPNS).");
        var arrived = DateTimeOffset.UnixEpoch.AddTicks((_control->Seconds * TimeSpan.TicksPerSecond) + (_control->Nanoseconds / TimeSpan.NanosecondsPerTick));
        return Stopwatch.GetTimestamp() - (long)((TimeProvider.System.GetUtcNow() - arrived).TotalSeconds * Stopwatch.Frequency);
    }

    public void Dispose()
    {
        NativeMemory.Free(_header->Vectors);
        NativeMemory.Free(_header);
        NativeMemory.Free(_control);
        NativeMemory.Free(_bytes);
    }

    [LibraryImport("libc", EntryPoint = "recvmsg", SetLastError = true)]
    private static partial nint ReceiveMessage(int socket, Header* message, int flags);

    /// <summary><c>struct iovec</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Vector
    {
        public byte* Base;
        public nint Length;
    }

    /// <summary><c>struct msghdr</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Header
    {
        public void* Name;
        public uint NameLength;
        public Vector* Vectors;
        public nint VectorCount;
        public Control* Control;
        public nint ControlLength;
        public int Flags;
    }

    /// <summary><c>struct cmsghdr</c> with a <c>struct timespec</c>.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Control
    {
        public nint Length;
        public int Level;
        public int Type;
        public long Seconds;
        public long Nanoseconds;
    }
}
