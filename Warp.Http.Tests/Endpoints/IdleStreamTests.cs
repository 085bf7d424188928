using System.Globalization;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Subscriptions;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

/// <summary>Streams that come and go, of both kinds: nothing of them stays.</summary>
public sealed class IdleStreamTests(ITestOutputHelper output)
{
    private const int Rounds = 3;
    private const int StreamsPerRound = 150; // of each kind

    /// <summary>From here on what streams left behind would stand out from the garbage of a collector that sees no need to hurry: 14 KiB each, 4 MB a round.</summary>
    private const int RoundsThatShowMemory = 40;
    private const int WarmRounds = 10;
    private const long GrowthBytesMax = 64 * 1024 * 1024;

    [Fact]
    public async Task However_often_clients_come_and_go_nothing_of_their_streams_stays()
    {
        var rounds = TestRun.Rounds("WARP_TEST_STREAM_ROUNDS", Rounds);
        using var data = new TempDirectory("idle");
        await using var service = await WarpProcess.StartAsync(new WarpProcessOptions(data.Path)
        {
            // A small nursery: else what is garbage stays in it, and looks like growth.
            Environment = new Dictionary<string, string?>(StringComparer.Ordinal) { ["DOTNET_GCgen0size"] = "400000" },
        });
        var warm = 0L;
        for (var round = 1; round <= rounds; round++)
        {
            await ComeAndGoAsync(service);
            await Eventually.BecomesTrueAsync(
                "no stream is open",
                async () => await service.MetricAsync("warp_subscriptions_open") == 0 && await service.MetricAsync("warp_streams_open") == 0,
                TimeSpan.FromSeconds(30));
            if (round == WarmRounds) warm = ResidentBytes(service);
        }

        if (rounds < RoundsThatShowMemory) return;
        output.WriteLine($"{warm / 1024 / 1024} MiB after {WarmRounds} rounds, {ResidentBytes(service) / 1024 / 1024} MiB after {rounds} of {2 * StreamsPerRound} streams");
        (ResidentBytes(service) - warm).ShouldBeLessThan(GrowthBytesMax, $"{warm} bytes after {WarmRounds} rounds");
    }

    private static async Task ComeAndGoAsync(WarpProcess service)
    {
        using var client = service.NewClient();
        var followed = await Task.WhenAll(Enumerable.Range(0, StreamsPerRound).Select(i =>
            EventStream.OpenAsync(client, i % 3 == 0 ? "/v1/subscribe" : $"/v1/entities/idle/e{i}/subscribe")));
        var appended = new List<OpenStream>();
        for (var i = 0; i < StreamsPerRound; i++)
        {
            var stream = await OpenStream.StartAsync(service.Address);
            appended.Add(stream);
            await stream.SendAsync($"{{\"entity\":\"idle/e{i}\",\"type\":\"A\"}}\n");
        }

        for (var i = 0; i < StreamsPerRound; i++)
        {
            if (i % 2 == 0) await appended[i].ReadReplyAsync();
            if (i % 4 == 0) await followed[i].NextEventAsync();
            await appended[i].DisposeAsync(); // a reset
            await followed[i].DisposeAsync();
        }
    }

    private static long ResidentBytes(WarpProcess service)
    {
        var line = File.ReadLines($"/proc/{service.Id}/status").First(text => text.StartsWith("VmRSS:", StringComparison.Ordinal));
        return long.Parse(line.AsSpan()["VmRSS:".Length..].Trim().TrimEnd("kB").Trim(), CultureInfo.InvariantCulture) * 1024;
    }
}
