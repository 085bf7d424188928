using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Warp.Http.Tests.Support;

/// <summary>Stands between a client and the service, to break their connections; while it is down, new ones are closed at once.</summary>
internal sealed class Relay : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentBag<TcpClient> _open = [];
    private readonly Uri _to;
    private volatile bool _isDown;
    private volatile int _swallowed; // connections up to this number lead nowhere
    private int _last; // number of the last connection, written by the accepting loop only

    public Relay(Uri to)
    {
        _to = to;
        _listener.Start();
        Address = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");
        _ = AcceptAsync();
    }

    public Uri Address { get; }

    public void Down()
    {
        _isDown = true;
        while (_open.TryTake(out var client)) client.Dispose();
    }

    public void Up() => _isDown = false;

    /// <summary>Whatever is sent over the connections there are is lost from now on, and they stay open.</summary>
    public void Swallow() => _swallowed = Volatile.Read(ref _last);

    public void Dispose()
    {
        Down();
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync();
                Volatile.Write(ref _last, _last + 1);
                _open.Add(client);
                if (_isDown) Down();
                else _ = RelayAsync(client, _last);
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // Disposed: nobody is let in any more.
        }
    }

    private async Task RelayAsync(TcpClient client, int number)
    {
        using var service = new TcpClient();
        _open.Add(service);
        try
        {
            await service.ConnectAsync(_to.Host, _to.Port);
            await Task.WhenAny(CopyAsync(client.GetStream(), service.GetStream(), number), CopyAsync(service.GetStream(), client.GetStream(), number));
        }
        catch (Exception error) when (error is IOException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // One side is gone, and so the other.
        }

        client.Dispose();
    }

    private async Task CopyAsync(NetworkStream from, NetworkStream to, int number)
    {
        var buffer = new byte[16 * 1024];
        while (await from.ReadAsync(buffer) is > 0 and var read)
            if (number > _swallowed) await to.WriteAsync(buffer.AsMemory(0, read));
    }
}
