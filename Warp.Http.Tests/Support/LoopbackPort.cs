using System.Net;
using System.Net.Sockets;

namespace Warp.Http.Tests.Support;

internal static class LoopbackPort
{
    // Below the kernel's range for outgoing connections (32768 and up on Linux): a port found free there could be taken by
    // any client of a test that runs at the same time, between this probe and the service's bind.
    private const int First = 20_000;
    private const int Count = 12_000;
    private static int s_next = Environment.ProcessId * 37;

    public static int Free()
    {
        for (var attempt = 0; attempt < 200; attempt++)
        {
            var port = First + (int)((uint)Interlocked.Increment(ref s_next) % Count);
            try
            {
                using var probe = new TcpListener(IPAddress.Loopback, port);
                probe.Start();
                return port;
            }
            catch (SocketException)
            {
                // Taken: the next one.
            }
        }

        throw new InvalidOperationException($"No free port on loopback between {First} and {First + Count}.");
    }
}
