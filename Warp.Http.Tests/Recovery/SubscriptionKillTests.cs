using System.Text;
using System.Text.Json;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Subscriptions;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Recovery;

/// <summary>Subscribers of a service that is killed, amid seals, merges and passivation: they come back with their last id, and miss and double nothing.</summary>
[Collection(RecoveryTests.Name)]
public sealed class SubscriptionKillTests
{
    private const int Writers = 4;
    private const int Kills = 3;
    private const int DisconnectsPerLife = 5;

    private readonly long[] _written = new long[Writers];
    private volatile WarpProcess? _service;

    [Fact]
    public async Task Kill_9_lets_subscribers_miss_nothing_and_get_nothing_twice()
    {
        using var data = new TempDirectory("sub-kill");
        using var directory = new TempDirectory("sub-merges-soon");
        using var mergesSoon = AssemblyMutant.OfService().MergesSoon();
        var options = new WarpProcessOptions(data.Path)
        {
            ServiceDirectory = mergesSoon.WriteTo(directory),
            Environment = new Dictionary<string, string?>(StringComparer.Ordinal)
            {
                ["Warp__SealBytes"] = "65536",
                ["Warp__SealAfter"] = "00:00:00.050",
                ["Warp__Shards"] = "2",
                ["Warp__Subscriptions__BufferEvents"] = "16",
            },
        };
        var random = new Random(RecoveryTests.Seed());
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        var one = new Follower("/v1/entities/kill/w0/subscribe", "0", random.Next());
        var all = new Follower("/v1/subscribe?kind=kill", null, random.Next());
        _service = await WarpProcess.StartAsync(options, stop.Token);
        var writing = Enumerable.Range(0, Writers).Select(i => WriteAsync(i, stop.Token)).ToList();
        var following = new[] { FollowAsync(one, stop.Token), FollowAsync(all, stop.Token) };
        for (var kill = TestRun.Rounds("WARP_TEST_DISCONNECTS", Kills * DisconnectsPerLife) / DisconnectsPerLife; kill > 0; kill--)
        {
            var due = (one.Disconnects + DisconnectsPerLife, all.Disconnects + DisconnectsPerLife);
            await Eventually.BecomesTrueAsync(
                "both followers have come and gone",
                () => Failed(writing, following) || (one.Disconnects >= due.Item1 && all.Disconnects >= due.Item2), TimeSpan.FromSeconds(120));
            await Task.WhenAll(writing.Concat(following).Where(t => t.IsFaulted));
            var killed = _service;
            await killed.Kill9Async();
            await killed.DisposeAsync();
            _service = await WarpProcess.StartAsync(options, stop.Token);
        }

        await stop.CancelAsync();
        await Task.WhenAll(writing.Concat(following));
        await using var last = _service;
        for (var i = 0; i < Writers; i++) await AppendAsync(i); // what was in doubt is settled
        await one.TakeUntilAsync(last.Client, () => one.LastSeqs.GetValueOrDefault("kill/w0") == _written[0]);
        await all.TakeUntilAsync(last.Client, () => Enumerable.Range(0, Writers).All(i => all.LastSeqs.GetValueOrDefault($"kill/w{i}") == _written[i]));
    }

    private static bool Failed(IEnumerable<Task> writing, IEnumerable<Task> following) => writing.Concat(following).Any(t => t.IsFaulted);

    private async Task WriteAsync(int writer, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested) await AppendAsync(writer);
    }

    /// <summary>Sends the next event until it is acknowledged; its id makes that harmless.</summary>
    private async Task AppendAsync(int writer)
    {
        var n = _written[writer] + 1;
        var pad = new string('x', (int)(n * 37 % 600));
        var body = $$$"""{"type":"Moved","id":"n{{{n}}}","payload":{"n":{{{n}}},"pad":"{{{pad}}}"}}""";
        for (var tries = 0; tries < 3000; tries++)
        {
            try
            {
                using var content = new StringContent(body, Encoding.UTF8, "application/json");
                using var answer = await _service!.Client.PostAsync($"/v1/entities/kill/w{writer}/events", content);
                if (answer.IsSuccessStatusCode)
                {
                    var seq = JsonDocument.Parse(await answer.Content.ReadAsStringAsync()).RootElement.GetProperty("firstSeq").GetInt64();
                    seq.ShouldBe(n);
                    _written[writer] = n;
                    return;
                }
            }
            catch (Exception broken) when (broken is HttpRequestException or IOException or OperationCanceledException or ObjectDisposedException)
            {
                // It is killed, and another comes.
            }

            await Task.Delay(20);
        }

        throw new TimeoutException($"Event {n} of writer {writer} was not taken.");
    }

    private async Task FollowAsync(Follower follower, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                await follower.TakeSomeAsync(_service!.Client, stop);
            }
            catch (Exception broken) when (broken is HttpRequestException or IOException or OperationCanceledException or ObjectDisposedException)
            {
                // Killed, or the test ends.
                await Task.Delay(20, CancellationToken.None);
            }
        }
    }

    /// <summary>Keeps nothing of its place but the id it saw last.</summary>
    private sealed class Follower(string path, string? id, int seed)
    {
        private readonly Random _random = new(seed);
        private string? _id = id;

        public Dictionary<string, long> LastSeqs { get; } = new(StringComparer.Ordinal);

        public int Disconnects { get; private set; }

        public async Task TakeSomeAsync(HttpClient client, CancellationToken stop)
        {
            await using var stream = await OpenAsync(client);
            using var ends = stop.Register(stream.Cancel);
            for (var takes = _random.Next(0, 60); takes > 0; takes--)
                if (!await TakeAsync(stream)) return;
            Disconnects++;
        }

        public async Task TakeUntilAsync(HttpClient client, Func<bool> isDone)
        {
            if (isDone()) return;
            await using var stream = await OpenAsync(client);
            while (!isDone()) (await TakeAsync(stream)).ShouldBeTrue("the stream ended");
        }

        private Task<EventStream> OpenAsync(HttpClient client) =>
            EventStream.OpenAsync(client, _id is null ? path + (path.Contains('?', StringComparison.Ordinal) ? "&cursor=start" : "") : path, _id);

        /// <summary>False at the end of the stream.</summary>
        private async Task<bool> TakeAsync(EventStream stream)
        {
            if (await stream.ReadAsync() is not { } message) return false;
            (message.Event is "" or "caught-up").ShouldBeTrue(message.ToString());
            _id = message.Id;
            if (!message.IsEvent) return true;
            var e = JsonDocument.Parse(message.Data).RootElement;
            var entity = e.TryGetProperty("entity", out var name) ? name.GetString()! : "kill/w0";
            var due = LastSeqs.GetValueOrDefault(entity) + 1;
            (e.GetProperty("seq").GetInt64(), e.GetProperty("payload").GetProperty("n").GetInt64()).ShouldBe((due, due), entity);
            LastSeqs[entity] = due;
            return true;
        }
    }
}
