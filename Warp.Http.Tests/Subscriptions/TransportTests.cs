using System.Net;
using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Subscriptions;

/// <summary>Event streams over HTTP/2: negotiated within TLS, and in cleartext at an address of its own.</summary>
public sealed class TransportTests(TransportTests.Service service) : IClassFixture<TransportTests.Service>
{
    private static int s_names;

    private readonly string _entity = $"h2/e{Interlocked.Increment(ref s_names)}";

    private string Path => $"/v1/entities/{_entity}/subscribe";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Headers_come_at_once_then_events_and_in_silence_heartbeats(bool isTls)
    {
        using var client = service.NewClient(isTls);
        await using var stream = await EventStream.OpenAsync(client, Path);
        stream.Version.ShouldBe(HttpVersion.Version20);
        (await stream.NextControlAsync("caught-up")).Id.ShouldBe("0");
        for (var seq = 1; seq <= 3; seq++)
        {
            await service.AppendAsync(_entity, "1");
            (await stream.NextEventAsync()).Id.ShouldBe($"{seq}");
        }

        var next = stream.NextEventAsync();
        await Eventually.BecomesTrueAsync("a heartbeat comes", () => stream.Reader.Comments > 0, TimeSpan.FromSeconds(30));

        await service.AppendAsync(_entity, "1");
        (await next).Id.ShouldBe("4");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_stream_that_nobody_reads_is_cut_and_the_others_of_its_connection_go_on(bool isTls)
    {
        using var client = service.NewClient(isTls);
        await using var deaf = await EventStream.OpenAsync(client, Path);
        await using var reader = await EventStream.OpenAsync(client, Path);
        var cut = await service.MetricAsync("warp_subscriptions_cut_total");
        var payload = $"\"{new string('x', 500_000)}\"";
        for (var seq = 1; seq <= 3; seq++)
        {
            await service.AppendAsync(_entity, payload); // more than the stream's window and the service's buffer
            (await reader.NextEventAsync()).Id.ShouldBe($"{seq}");
        }

        await Eventually.BecomesTrueAsync(
            "it is cut", async () => await service.MetricAsync("warp_subscriptions_cut_total") == cut + 1, TimeSpan.FromSeconds(30));

        await service.AppendAsync(_entity, payload);
        (await reader.NextEventAsync()).Id.ShouldBe("4");
        await Should.ThrowAsync<IOException>(async () =>
        {
            while (await deaf.ReadAsync() is not null)
            {
            }
        });
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_is_gone_leaves_no_stream_behind(bool isTls)
    {
        using (var client = service.NewClient(isTls))
        {
            for (var i = 0; i < 20; i++) await EventStream.OpenAsync(client, i % 2 == 0 ? Path : "/v1/subscribe");
        }

        await Eventually.BecomesTrueAsync(
            "no stream is open", async () => await service.MetricAsync("warp_subscriptions_open") == 0, TimeSpan.FromSeconds(30));
    }

    /// <summary>One process that listens in all three ways.</summary>
    public sealed class Service : IAsyncLifetime
    {
        private readonly TempDirectory _directory = new("transport");
        private readonly Uri _tls = new($"https://127.0.0.1:{LoopbackPort.Free()}");
        private readonly Uri _http2 = new($"http://127.0.0.1:{LoopbackPort.Free()}");
        private string _thumbprint = "";
        private WarpProcess _process = null!;

        public async ValueTask InitializeAsync()
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
            var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256);
            using var certificate = request.CreateSelfSigned(TimeProvider.System.GetUtcNow().AddDays(-1), TimeProvider.System.GetUtcNow().AddDays(1));
            _thumbprint = certificate.Thumbprint;
            await File.WriteAllBytesAsync(_directory.File("tls.pfx"), certificate.Export(X509ContentType.Pfx, "test"));
            _process = await WarpProcess.StartAsync(new WarpProcessOptions(_directory.File("data"))
            {
                FurtherUrls = _tls.ToString(),
                Environment = new Dictionary<string, string?>(StringComparer.Ordinal)
                {
                    ["Kestrel__Certificates__Default__Path"] = _directory.File("tls.pfx"),
                    ["Kestrel__Certificates__Default__Password"] = "test",
                    ["Warp__Http2Url"] = _http2.ToString(),
                    ["Warp__Subscriptions__SendTimeout"] = "00:00:04",
                    ["Warp__Subscriptions__HeartbeatEvery"] = "00:00:01",
                },
            });
            foreach (var isTls in new[] { true, false }) await ListensAsync(isTls);
        }

        public async ValueTask DisposeAsync()
        {
            await _process.DisposeAsync();
            _directory.Dispose();
        }

        /// <summary>It may be ready at one address and not yet listen at the others.</summary>
        private async Task ListensAsync(bool isTls)
        {
            using var client = NewClient(isTls);
            await Eventually.BecomesTrueAsync($"it listens, {(isTls ? "with TLS" : "in cleartext")}", async () =>
            {
                try
                {
                    using var answer = await client.GetAsync("/health/live");
                    return true;
                }
                catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConnectionError)
                {
                    return false;
                }
            }, TimeSpan.FromSeconds(30));
        }

        /// <summary>HTTP/2 or nothing, over a connection of its own.</summary>
        public HttpClient NewClient(bool isTls) => new(new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions
            {
                RemoteCertificateValidationCallback = (_, certificate, _, _) => certificate is X509Certificate2 given && given.Thumbprint == _thumbprint,
            },
        })
        {
            BaseAddress = isTls ? _tls : _http2,
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };

        public async Task AppendAsync(string entity, string payload)
        {
            using var content = new StringContent($$"""{"type":"T","payload":{{payload}}}""", Encoding.UTF8, "application/json");
            using var answer = await _process.Client.PostAsync($"/v1/entities/{entity}/events", content);
            answer.StatusCode.ShouldBe(HttpStatusCode.Created);
        }

        public Task<double> MetricAsync(string name) => _process.MetricAsync(name);
    }
}
