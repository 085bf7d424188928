using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

/// <summary>The service with few files that it may open: at a start, and where clients take them later.</summary>
public sealed class OpenFilesTests : IDisposable
{
    private const int Shards = 16;

    private readonly TempDirectory _directory = new("open-files");

    public void Dispose() => _directory.Dispose();

    /// <summary>In turn too few for the runtime, to read all shards, and to work.</summary>
    [Fact]
    public async Task A_start_with_too_few_files_ends_with_a_line_and_the_next_finds_everything()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The limit is set and read as Linux does it.");
        var data = _directory.File("data");
        using (var fixture = new StoreFixture(StoreFixture.Small(data, shards: Shards)))
            for (var i = 0; i < 40; i++) (await fixture.AppendAsync($"few/{i}", new TestEvent("Moved"))).Status.ShouldBe(AppendStatus.Appended);

        foreach (var limit in (int[])[100, 256, 320])
        {
            await using var limited = WarpProcess.Launch(new WarpProcessOptions(data) { OpenFilesMax = limit });
            (await limited.ExitedAsync(TimeSpan.FromMinutes(2))).ShouldBe(1, $"{limit}: {limited.Output}");
            await Eventually.BecomesTrueAsync("its output is read", () => limited.Output.Contains("ulimit -Hn", StringComparison.Ordinal));
            limited.Output.Trim().ShouldNotContain('\n', $"{limit}");
            limited.Output.ShouldNotContain("damage");
        }

        await using var service = await WarpProcess.StartAsync(new WarpProcessOptions(data), TestContext.Current.CancellationToken);
        (await VerifyAsync(service)).ShouldBe("ok");
        for (var i = 0; i < 40; i++) (await service.Client.GetAsync($"/v1/entities/few/{i}", TestContext.Current.CancellationToken)).StatusCode.ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_crowd_of_clients_leaves_the_store_its_files_and_the_others_are_served()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The limit is set and read as Linux does it.");
        var cancel = TestContext.Current.CancellationToken;
        await using var service = await WarpProcess.StartAsync(
            new WarpProcessOptions(_directory.File("data"))
            {
                OpenFilesMax = 700,
                Environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["Warp__Shards"] = "2", ["Warp__SealBytes"] = "65536", ["Warp__Durability"] = "os" },
            },
            cancel);
        await AppendAsync(service, 0);
        var crowd = new List<Socket>();
        try
        {
            for (var i = 0; i < 800; i++)
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                crowd.Add(socket);
                await socket.ConnectAsync(IPAddress.Loopback, service.Address.Port, cancel);
            }

            // Enough for seals and merges while they are there.
            for (var i = 1; i <= 40; i++) await AppendAsync(service, i);
        }
        finally
        {
            foreach (var socket in crowd) socket.Dispose();
        }

        await service.BecomesReadyAsync(TimeSpan.FromMinutes(1), cancel);
        (await VerifyAsync(service)).ShouldBe("ok");
        service.Output.ShouldNotContain("can't be opened");
        service.Output.ShouldNotContain("Too many open files");
    }

    private static async Task AppendAsync(WarpProcess service, int round)
    {
        var events = Enumerable.Range(0, 20).Select(i => new { type = "Moved", payload = new { n = i, pad = new string('x', 1500) } });
        using var answer = await service.Client.PostAsJsonAsync($"/v1/entities/crowd/{round % 20}/events", events, TestContext.Current.CancellationToken);
        answer.StatusCode.ShouldBe(HttpStatusCode.Created, service.Output);
    }

    private static async Task<string?> VerifyAsync(WarpProcess service)
    {
        using var answer = await service.Client.PostAsync("/v1/admin/verify", null, TestContext.Current.CancellationToken);
        return (await answer.Content.ReadFromJsonAsync<System.Text.Json.JsonElement>(TestContext.Current.CancellationToken)).GetProperty("status").GetString();
    }
}
