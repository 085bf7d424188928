using System.Net.Sockets;
using System.Text;
using Warp.Http.Tests.Subscriptions;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

/// <summary>Event streams of a service process: its stop, and its bounds.</summary>
public sealed class SubscribeStopTests
{
    [Fact]
    public async Task SIGTERM_with_200_open_streams_ends_within_5_s_and_all_of_them_end()
    {
        using var data = new TempDirectory("sub-stop");
        await using var service = await WarpProcess.StartAsync(new WarpProcessOptions(data.Path), TestContext.Current.CancellationToken);
        var streams = await Task.WhenAll(Enumerable.Range(0, 200).Select(i =>
            EventStream.OpenAsync(service.Client, i % 2 == 0 ? $"/v1/entities/stop/e{i}/subscribe" : "/v1/subscribe")));
        using var deaf = new TcpClient();
        await deaf.ConnectAsync(service.Address.Host, service.Address.Port, TestContext.Current.CancellationToken);
        await deaf.GetStream().WriteAsync("GET /v1/subscribe HTTP/1.1\r\nHost: h\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);
        var ends = streams.Select(ReadToEndAsync).ToList();

        // How long a stop takes is for a quiet machine to say; a stop that waited for its streams would take until it is cut.
        (await service.TerminateAsync(TimeSpan.FromSeconds(20))).ShouldBe(0, service.Output);

        await Task.WhenAll(ends);
        foreach (var stream in streams) await stream.DisposeAsync();
    }

    [Fact]
    public async Task Beyond_their_number_streams_are_refused_and_one_that_ends_makes_room()
    {
        await using var app = new WarpApp { MayFail = true };
        app.Set("Warp:Limits:Subscriptions", "2");
        await using var first = await EventStream.OpenAsync(app.Bare, "/v1/subscribe");
        await using (await EventStream.OpenAsync(app.Bare, "/v1/subscribe"))
        {
            (await app.GetAsync("/v1/subscribe")).ShouldBeProblem(503, "overloaded").Header("Retry-After").ShouldBe("5");
        }

        await Eventually.BecomesTrueAsync("a stream that was left makes room", async () =>
        {
            try
            {
                await using var third = await EventStream.OpenAsync(app.Bare, "/v1/subscribe");
                return true;
            }
            catch (ShouldAssertException)
            {
                return false;
            }
        });
    }

    [Fact]
    public async Task A_client_that_never_reads_is_cut_and_others_are_served()
    {
        await using var app = new WarpApp();
        app.Set("Warp:Subscriptions:SendTimeout", "00:00:02");
        app.Set("Warp:Subscriptions:HeartbeatEvery", "00:00:01");
        using var deaf = new TcpClient { ReceiveBufferSize = 4096 };
        await deaf.ConnectAsync(app.Address.Host, app.Address.Port, TestContext.Current.CancellationToken);
        await deaf.GetStream().WriteAsync(Encoding.ASCII.GetBytes("GET /v1/entities/deaf/1/subscribe HTTP/1.1\r\nHost: h\r\n\r\n"), TestContext.Current.CancellationToken);
        await using var reader = await EventStream.OpenAsync(app.Bare, "/v1/entities/deaf/1/subscribe");
        var body = $$$"""{"type":"Large","payload":{"a":"{{{new string('x', 1_000_000)}}}"}}""";
        var appended = 0;
        await Eventually.BecomesTrueAsync("the client is cut", async () =>
        {
            // Enough that the sockets' own buffers are full; then the server's clock runs.
            if (appended < 30)
            {
                (await app.PostAsync("/v1/entities/deaf/1/events", body)).ShouldBe(201);
                (await reader.NextEventAsync()).Id.ShouldBe($"{++appended}");
            }

            return (await app.GetAsync("/metrics")).Body.Contains("warp_subscriptions_cut_total", StringComparison.Ordinal);
        }, TimeSpan.FromSeconds(60));
        (await app.PostAsync("/v1/entities/deaf/1/events", body)).ShouldBe(201);
        (await reader.NextEventAsync()).Id.ShouldBe($"{appended + 1}");
    }

    private static async Task ReadToEndAsync(EventStream stream)
    {
        while (await stream.ReadAsync() is not null)
        {
        }
    }
}
