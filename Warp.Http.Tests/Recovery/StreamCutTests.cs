using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Threading.Channels;
using Warp.Http.Tests.Endpoints;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Recovery;

/// <summary>Connections that break, services that are killed or stopped, while events stream in.</summary>
[Collection(RecoveryTests.Name)]
public sealed class StreamCutTests(ITestOutputHelper output)
{
    private const int Cuts = 36;
    private const int MutantCuts = 3;
    private const int IdleStreams = 200;
    private const int BusyStreams = 4;

    [Fact]
    public async Task However_a_stream_is_cut_sending_it_again_with_ids_stores_each_event_once_and_in_order()
    {
        using var run = new StreamCutRun(RecoveryTests.Number("WARP_TEST_STREAM_CUTS") ?? Cuts, RecoveryTests.Seed());

        var violations = await run.RunAsync();

        output.WriteLine(run.Summary);
        violations.ShouldBeEmpty(run.Summary);
    }

    [Fact]
    public async Task A_service_that_does_not_look_for_replays_is_caught()
    {
        using var directory = new TempDirectory("no-replays");
        using var mutant = Mutants.DoesNotLookForReplays();
        using var run = new StreamCutRun(MutantCuts, RecoveryTests.Seed(), mutant.WriteTo(directory));

        (await run.RunAsync()).ShouldNotBeEmpty(run.Summary);
    }

    [Fact]
    public async Task Sigterm_with_open_streams_ends_within_seconds_and_loses_nothing_acknowledged()
    {
        using var data = new TempDirectory("stopped-streams");
        var acknowledged = new long[BusyStreams];
        await using (var service = await WarpProcess.StartAsync(new WarpProcessOptions(data.Path)))
        {
            var idle = new List<OpenStream>();
            for (var i = 0; i < IdleStreams; i++)
            {
                var stream = await OpenStream.StartAsync(service.Address);
                idle.Add(stream);
                await stream.SendAsync($"{{\"entity\":\"idle/{i}\",\"type\":\"A\"}}\n");
            }

            foreach (var stream in idle) (await stream.ReadReplyAsync()).GetProperty("lastSeq").GetInt64().ShouldBe(1);
            var busy = Enumerable.Range(0, BusyStreams).Select(i => KeepBusyAsync(service.Address, i, acknowledged)).ToList();
            await Eventually.BecomesTrueAsync("the streams are busy", () => acknowledged.All(seq => Volatile.Read(ref seq) > 100), TimeSpan.FromSeconds(30));

            // Nobody who holds a stream ends it: the service does.
            (await service.TerminateAsync(within: TimeSpan.FromSeconds(5))).ShouldBe(0, service.Output);
            await Task.WhenAll(busy);
            foreach (var stream in idle) await stream.DisposeAsync();
        }

        await using var again = await WarpProcess.StartAsync(new WarpProcessOptions(data.Path));
        for (var i = 0; i < BusyStreams; i++)
        {
            using var entity = JsonDocument.Parse(await again.Client.GetStringAsync($"/v1/entities/busy/{i}"));
            entity.RootElement.GetProperty("seq").GetInt64().ShouldBeGreaterThanOrEqualTo(acknowledged[i]);
        }
    }

    [Fact]
    public async Task Over_http2_replies_come_while_lines_are_sent_and_thousands_are_in_flight()
    {
        const int Lines = 20_000;
        using var data = new TempDirectory("http2-stream");
        var address = $"http://127.0.0.1:{LoopbackPort.Free()}";
        await using var service = await WarpProcess.StartAsync(new WarpProcessOptions(data.Path)
        {
            Environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["Warp__Http2Url"] = address },
        });
        var lines = Channel.CreateUnbounded<string>();
        using var client = new HttpClient { BaseAddress = new Uri(address) };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/events")
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new LineContent(lines.Reader),
        };
        using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        response.StatusCode.ShouldBe(HttpStatusCode.OK, "the head comes before the first line");
        using var replies = new StreamReader(await response.Content.ReadAsStreamAsync());

        lines.Writer.TryWrite("{\"entity\":\"h2/a\",\"type\":\"A\"}\n");
        (await NextAsync(replies)).GetProperty("lastSeq").GetInt64().ShouldBe(1);
        for (var i = 2; i <= Lines; i++) lines.Writer.TryWrite("{\"entity\":\"h2/a\",\"type\":\"A\"}\n");
        for (var i = 2; i <= Lines; i++) (await NextAsync(replies)).GetProperty("lastSeq").GetInt64().ShouldBe(i);
        lines.Writer.TryWrite("{\"entity\":\"h2/a\"");
        lines.Writer.Complete();

        (await NextAsync(replies)).GetProperty("problem").GetProperty("type").GetString().ShouldBe("/problems/invalid-json");
        (await replies.ReadLineAsync()).ShouldBeNull();
    }

    private static async Task<JsonElement> NextAsync(StreamReader replies) =>
        JsonDocument.Parse((await replies.ReadLineAsync()).ShouldNotBeNull()).RootElement;

    private static async Task KeepBusyAsync(Uri address, int number, long[] acknowledged)
    {
        await using var stream = await OpenStream.StartAsync(address);
        var lines = string.Concat(Enumerable.Repeat($"{{\"entity\":\"busy/{number}\",\"type\":\"A\"}}\n", 50));
        try
        {
            while (true)
            {
                await stream.SendAsync(lines);
                for (var i = 0; i < 50; i++)
                {
                    var reply = await stream.ReadReplyAsync();
                    if (!reply.TryGetProperty("lastSeq", out var seq)) return; // the last line: the service stops
                    Volatile.Write(ref acknowledged[number], seq.GetInt64());
                }
            }
        }
        catch (IOException)
        {
            // Cut: what was acknowledged until then counts.
        }
    }

    private sealed class LineContent : HttpContent
    {
        private readonly ChannelReader<string> _lines;

        public LineContent(ChannelReader<string> lines)
        {
            _lines = lines;
            Headers.ContentType = new MediaTypeHeaderValue("application/x-ndjson");
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.FlushAsync(); // else the client may keep the request's head until the first line
            while (await _lines.WaitToReadAsync())
            {
                while (_lines.TryRead(out var line)) await stream.WriteAsync(System.Text.Encoding.ASCII.GetBytes(line));
                await stream.FlushAsync();
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
