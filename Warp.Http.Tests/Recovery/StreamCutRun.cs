using System.Globalization;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Recovery;

/// <summary>
/// A writer that streams events with ids, and whose connection breaks at random bytes; now and then the service is killed instead. It goes on
/// with the first line whose reply it has not seen, and at last sends everything again.
/// </summary>
internal sealed class StreamCutRun(int cuts, int seed, string? serviceDirectory = null) : IDisposable
{
    private const int Entities = 5;
    private const int CutsPerKill = 12;
    private const int LinesPerRound = 300;

    private readonly Random _random = new(seed);
    private readonly TempDirectory _data = new("cuts");
    private readonly List<string> _violations = [];
    private readonly string _http2Address = $"http://127.0.0.1:{LoopbackPort.Free()}";
    private int _answered; // lines whose reply was seen, from the first on
    private int _sent; // lines of which at least a part was sent
    private int _replayed;

    public string Summary => $"{cuts} cuts, {_sent} lines, {_answered} answered, {_replayed} of them replays";

    public async Task<IReadOnlyList<string>> RunAsync()
    {
        var service = await StartAsync();
        try
        {
            for (var cut = 1; cut <= cuts && _violations.Count == 0; cut++)
            {
                var isKill = cut % CutsPerKill == 0;
                await CutAsync(service, isHttp2: _random.Next(2) == 0, isKill);
                if (!isKill) continue;
                await service.DisposeAsync();
                service = await StartAsync();
            }

            if (_violations.Count == 0) await SendAllAgainAsync(service);
            if (_violations.Count == 0) await CompareAsync(service);
        }
        finally
        {
            await service.DisposeAsync();
        }

        return _violations;
    }

    public void Dispose() => _data.Dispose();

    private async Task<WarpProcess> StartAsync()
    {
        var options = new WarpProcessOptions(_data.Path)
        {
            Environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["Warp__Http2Url"] = _http2Address },
        };
        return await WarpProcess.StartAsync(serviceDirectory is null ? options : options with { ServiceDirectory = serviceDirectory });
    }

    private async Task CutAsync(WarpProcess service, bool isHttp2, bool isKill)
    {
        var first = _answered;
        var count = _random.Next(1, LinesPerRound);
        var request = StreamWire.Request(Lines(first, count), isHttp2, _random);
        var end = _random.Next(1, request.Length + 1);
        _sent = Math.Max(_sent, first + count);
        var address = isHttp2 ? new Uri(_http2Address) : service.Address;
        using var received = new MemoryStream();
        using (var socket = new Socket(SocketType.Stream, ProtocolType.Tcp))
        {
            await socket.ConnectAsync(address.Host, address.Port);
            var reading = ReadAsync(socket, received);
            for (var at = 0; at < end;) at += await socket.SendAsync(request.AsMemory(at, Math.Min(end - at, _random.Next(1, 4000))));
            if (isKill)
            {
                if (_random.Next(2) == 0) await RepliesBeginAsync(received);
                await service.Kill9Async();
            }
            else if (_random.Next(4) > 0)
            {
                await RepliesBeginAsync(received);
            }

            socket.LingerState = new LingerOption(true, 0); // a reset, not an end
            socket.Close();
            await reading;
        }

        Check(StreamWire.Replies(received.ToArray(), isHttp2), first);
    }

    /// <summary>What a reset finds unread in the service's socket is gone: without this wait nearly nothing would be stored.</summary>
    private static async Task RepliesBeginAsync(MemoryStream received)
    {
        for (var i = 0; i < 20 && received.Length < 300; i++) await Task.Delay(5);
    }

    private static async Task ReadAsync(Socket socket, MemoryStream received)
    {
        var buffer = new byte[16 * 1024];
        try
        {
            while (await socket.ReceiveAsync(buffer.AsMemory()) is > 0 and var read) await received.WriteAsync(buffer.AsMemory(0, read));
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            // Cut, as it should be.
        }
    }

    private async Task SendAllAgainAsync(WarpProcess service)
    {
        using var content = new StringContent(Lines(0, _sent), Encoding.ASCII, new MediaTypeHeaderValue("application/x-ndjson"));
        using var answer = await service.Client.PostAsync("/v1/events", content);
        var replies = (await answer.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (replies.Length != _sent) _violations.Add($"{replies.Length} replies to {_sent} lines sent again");
        Check(replies, 0);
    }

    /// <summary>An entity has every <see cref="Entities"/>th line, so the seq that each must have is known.</summary>
    private void Check(IReadOnlyList<string> replies, int first)
    {
        for (var i = 0; i < replies.Count; i++)
        {
            using var json = JsonDocument.Parse(replies[i]);
            var reply = json.RootElement;
            var isRight = reply.GetProperty("line").GetInt32() == i + 1 && !reply.TryGetProperty("problem", out _)
                && reply.GetProperty("firstSeq").GetInt64() == SeqOf(first + i) && reply.GetProperty("entity").ValueEquals(EntityOf(first + i));
            if (!isRight)
            {
                _violations.Add($"line {first + i} is due at seq {SeqOf(first + i)}: {replies[i]}");
                return;
            }

            if (reply.TryGetProperty("replayed", out _)) _replayed++;
        }

        _answered = Math.Max(_answered, first + replies.Count);
    }

    private async Task CompareAsync(WarpProcess service)
    {
        for (var entity = 0; entity < Entities; entity++)
        {
            var due = Enumerable.Range(0, _sent).Where(i => i % Entities == entity).Select(i => string.Create(CultureInfo.InvariantCulture, $"e-{i}")).ToList();
            var stored = new List<string>();
            for (var path = $"/v1/entities/{EntityOf(entity)}/events?limit=10000"; path is not null;)
            {
                using var page = JsonDocument.Parse(await service.Client.GetStringAsync(path));
                stored.AddRange(page.RootElement.GetProperty("events").EnumerateArray().Select(e => e.GetProperty("id").GetString()!));
                path = page.RootElement.GetProperty("next").GetString();
            }

            if (!stored.SequenceEqual(due, StringComparer.Ordinal)) _violations.Add($"{EntityOf(entity)} has {stored.Count} events, of which {stored.Distinct(StringComparer.Ordinal).Count()} differ; {due.Count} are due, in order");
        }
    }

    private static string Lines(int first, int count) => string.Concat(Enumerable.Range(first, count).Select(i => string.Create(
        CultureInfo.InvariantCulture, $"{{\"entity\":\"{EntityOf(i)}\",\"type\":\"Counted\",\"id\":\"e-{i}\",\"payload\":{{\"n\":{i}}}}}\n")));

    private static string EntityOf(int line) => $"stream/{line % Entities}";

    private static long SeqOf(int line) => (line / Entities) + 1;
}
