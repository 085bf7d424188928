using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

/// <summary>
/// HTTP/2 clients that give a stream up while its reading loop waits for room. Kestrel then throws at whoever touches the body, and the loop that
/// does so, to tell the reading one that the client is gone, is the only one that makes room.
/// </summary>
public sealed class StreamResetTests
{
    /// <summary>With names of 200 characters twice the replies that a client's window holds, and less than Kestrel takes before somebody reads.</summary>
    private const int Lines = 500;

    /// <summary>The least that HTTP/2 allows .NET's client.</summary>
    private const int WindowBytes = 65_535;

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);
    private static readonly string LongName = new('n', 200);

    [Fact]
    public async Task A_stream_given_up_while_its_lines_wait_for_the_disk_ends()
    {
        using var gate = new WriterGate();
        await using var app = new Http2App(gate);
        gate.Close();
        using var client = await AbandoningClient.StartAsync(app.Address);
        await Eventually.BecomesTrueAsync("a line waits for the disk", () => gate.IsHolding, Patience);

        client.Leave();
        await app.Aborted;
        gate.Open();

        await Eventually.BecomesTrueAsync("no stream is open", () => app.OpenStreams == 0, Patience);
    }

    [Fact]
    public async Task A_stream_given_up_while_its_replies_wait_for_the_clients_window_ends()
    {
        using var gate = new WriterGate();
        await using var app = new Http2App(gate);
        using var client = await AbandoningClient.StartAsync(app.Address);
        var seen = 0L;
        var since = 0;
        await Eventually.BecomesTrueAsync("no more lines are stored", () =>
        {
            var stored = app.DurablePosition;
            since = stored == seen && stored > 0 ? since + 1 : 0;
            seen = stored;
            return since > 50;
        }, Patience);
        seen.ShouldBeLessThan(Lines, "the client's window held all replies");

        client.Leave();

        await Eventually.BecomesTrueAsync("no stream is open", () => app.OpenStreams == 0, Patience);
    }

    /// <summary>Speaks HTTP/2 only, and says when a stream was aborted. With one line in flight, whatever came with it waits for room.</summary>
    private sealed class Http2App : GatedApp
    {
        private readonly TaskCompletionSource _aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Http2App(WriterGate gate)
            : base(gate)
        {
            Set("Warp:Stream:LinesInFlight", "1");
        }

        public Task Aborted => _aborted.Task.WaitAsync(Patience);

        protected override void ConfigureWebHost(IWebHostBuilder builder)
        {
            base.ConfigureWebHost(builder);
            builder.ConfigureServices(services => services
                .Configure<KestrelServerOptions>(kestrel => kestrel.ConfigureEndpointDefaults(endpoint => endpoint.Protocols = HttpProtocols.Http2))
                .AddSingleton<IStartupFilter>(new AbortFilter(_aborted)));
        }
    }

    private sealed class AbortFilter(TaskCompletionSource aborted) : IStartupFilter
    {
        public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
        {
            app.Use(async (context, rest) =>
            {
                using var onAbort = context.RequestAborted.Register(() => aborted.TrySetResult());
                await rest(context);
            });
            next(app);
        };
    }

    /// <summary>Sends all lines, reads no reply, and leaves its body open.</summary>
    private sealed class AbandoningClient : IDisposable
    {
        private readonly HttpClient _client;
        private readonly HttpResponseMessage _response;

        private AbandoningClient(HttpClient client, HttpResponseMessage response) => (_client, _response) = (client, response);

        public static async Task<AbandoningClient> StartAsync(Uri address)
        {
            var client = new HttpClient(new SocketsHttpHandler { InitialHttp2StreamWindowSize = WindowBytes }) { BaseAddress = address };
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/events")
            {
                Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                Content = new UnendedContent(),
            };
            return new AbandoningClient(client, await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead));
        }

        /// <summary>Resets the stream.</summary>
        public void Leave() => _response.Dispose();

        public void Dispose()
        {
            _response.Dispose();
            _client.Dispose();
        }
    }

    private sealed class UnendedContent : HttpContent
    {
        public UnendedContent() => Headers.ContentType = new MediaTypeHeaderValue("application/x-ndjson");

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat($"{{\"entity\":\"user/{LongName}\",\"type\":\"T\"}}\n", Lines))), cancellationToken);
            await stream.FlushAsync(cancellationToken);
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
