using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

/// <summary>What stands in a stream's way stops the reading of its socket: no line is refused, and what is held for it is bounded.</summary>
public sealed class StreamDepthTests
{
    /// <summary>With names of 200 characters, in lines and replies: 30 MB each way, far more than the kernel's buffers hold.</summary>
    private const int Lines = 100_000;

    private static readonly string LongName = new('n', 200);

    [Fact]
    public async Task While_the_disk_stalls_a_stream_is_held_and_afterwards_every_line_is_answered()
    {
        using var gate = new WriterGate();
        await using var app = new GatedApp(gate);
        await using var client = await FloodingClient.StartAsync(app.Address, Lines);
        gate.Close();

        var sending = client.SendAllAsync();
        var reading = client.ReadAllAsync();
        await client.StandsStillAsync();

        sending.IsCompleted.ShouldBeFalse("the client could send all of it though nothing was stored");
        app.QueuedBytes.ShouldBeLessThan(8 * 1024 * 1024, "4,096 lines and what the service counts around each");
        gate.Open();
        await sending;
        (await reading).ShouldBe(Lines);
    }

    [Fact]
    public async Task A_client_that_sends_and_does_not_read_is_held_until_it_reads()
    {
        using var gate = new WriterGate();
        await using var app = new GatedApp(gate);
        await using var client = await FloodingClient.StartAsync(app.Address, Lines);

        var sending = client.SendAllAsync();
        await client.StandsStillAsync();

        sending.IsCompleted.ShouldBeFalse("the client could send all of it though it read no reply");
        app.QueuedBytes.ShouldBeLessThan(8 * 1024 * 1024);
        var reading = client.ReadAllAsync();
        await sending;
        (await reading).ShouldBe(Lines);
    }

    [Fact]
    public async Task A_client_that_never_reads_delays_nobody_not_even_at_its_own_entities()
    {
        using var gate = new WriterGate();
        await using var app = new GatedApp(gate);
        await using var deaf = await FloodingClient.StartAsync(app.Address, Lines);
        var flooding = deaf.SendAllAsync();
        await deaf.StandsStillAsync();

        var lines = string.Concat(Enumerable.Range(0, 5_000).Select(i => $"{{\"entity\":\"user/{LongName}{i % 1000}\",\"type\":\"T\",\"payload\":{i}}}\n"));
        var replies = (await app.SendAsync(HttpMethod.Post, "/v1/events", lines, "application/x-ndjson")).ShouldBe(200).Lines;
        (await app.PostAsync($"/v1/entities/user/{LongName}0/events", """{"type":"T"}""")).ShouldBe(201);

        replies.Count(reply => reply.TryGetProperty("lastSeq", out _)).ShouldBe(5_000);
        flooding.IsCompleted.ShouldBeFalse("all of it was taken from who does not read");
        app.QueuedBytes.ShouldBeLessThan(8 * 1024 * 1024);
        await Eventually.BecomesTrueAsync("only its stream is open", () => app.OpenStreams == 1);
        deaf.Reset();
        await Should.ThrowAsync<SocketException>(flooding);
        await Eventually.BecomesTrueAsync("no stream is open", () => app.OpenStreams == 0);
    }

    /// <summary>The reading loop waits for room, the replying one finds the client gone: each must still let the other go.</summary>
    [Fact]
    public async Task A_client_that_goes_away_while_its_lines_wait_leaves_no_open_stream_behind()
    {
        using var gate = new WriterGate();
        await using var app = new GatedApp(gate);
        for (var i = 0; i < 2; i++)
        {
            await using var client = await FloodingClient.StartAsync(app.Address, Lines);
            var sending = client.SendAllAsync();
            await client.StandsStillAsync();
            if (i % 2 == 0) gate.Close();
            client.Reset();
            await Should.ThrowAsync<SocketException>(sending);
            gate.Open();
        }

        await Eventually.BecomesTrueAsync("no stream is open", () => app.OpenStreams == 0);
        (await app.GetAsync("/health/ready")).ShouldBe(200);
    }

    /// <summary>Sends lines over HTTP/1.1 as fast as it may, and checks replies when it is asked to.</summary>
    private sealed class FloodingClient : IAsyncDisposable
    {
        private const int LinesPerChunk = 250;
        private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 16 * 1024, SendBufferSize = 64 * 1024 };
        private readonly int _lines;
        private long _sent;
        private bool _isReset;

        private FloodingClient(int lines) => _lines = lines;

        public static async Task<FloodingClient> StartAsync(Uri address, int lines)
        {
            var client = new FloodingClient(lines);
            await client._socket.ConnectAsync(address.Host, address.Port);
            await client.SendAsync("POST /v1/events HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"u8.ToArray());
            return client;
        }

        public async Task SendAllAsync()
        {
            var chunk = new StringBuilder();
            for (var line = 0; line < _lines; line += LinesPerChunk)
            {
                chunk.Clear();
                for (var i = line; i < line + LinesPerChunk; i++)
                    chunk.Append(CultureInfo.InvariantCulture, $"{{\"entity\":\"user/{LongName}{i % 1000}\",\"type\":\"T\",\"payload\":{i}}}\n");
                await SendAsync(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{chunk.Length:x}\r\n{chunk}\r\n")));
            }

            await SendAsync("0\r\n\r\n"u8.ToArray());
        }

        /// <summary>Nothing more is taken from it for a while.</summary>
        public async Task StandsStillAsync()
        {
            var seen = -1L;
            var since = 0;
            await Eventually.BecomesTrueAsync("the client can't send on", () =>
            {
                var sent = Volatile.Read(ref _sent);
                since = sent == seen && sent > 1_000_000 ? since + 1 : 0;
                seen = sent;
                return since > 50;
            }, TimeSpan.FromMinutes(1));
        }

        /// <summary>Reads to the end; every reply must be the next line's, and a success.</summary>
        public async Task<int> ReadAllAsync()
        {
            using var reader = new StreamReader(new ChunkedStream(new NetworkStream(_socket)));
            var replies = 0;
            while (await reader.ReadLineAsync() is { } reply)
            {
                using var json = JsonDocument.Parse(reply);
                json.RootElement.GetProperty("line").GetInt32().ShouldBe(++replies, reply);
                json.RootElement.GetProperty("firstSeq").GetInt64().ShouldBe(((replies - 1) / 1000) + 1, reply);
            }

            return replies;
        }

        public void Reset()
        {
            if (_isReset) return;
            _isReset = true;
            _socket.LingerState = new LingerOption(true, 0);
            _socket.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            Reset();
            return ValueTask.CompletedTask;
        }

        private async Task SendAsync(ReadOnlyMemory<byte> bytes)
        {
            while (!bytes.IsEmpty)
            {
                var sent = await _socket.SendAsync(bytes);
                Interlocked.Add(ref _sent, sent);
                bytes = bytes[sent..];
            }
        }
    }
}
