using System.Text.Json;
using Warp.Http.Storage;
using Warp.Http.Subscriptions;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Subscriptions;

/// <summary>
/// Readers that leave at any moment and come back, while writers append, journals are sealed, runs merged and actors passivated: every event comes once
/// and in its entity's order.
/// </summary>
public sealed class DisconnectTests : IDisposable
{
    private const int Entities = 4;
    private readonly TempDirectory _directory = new("disconnect");
    private readonly Random _random = TestRun.Random();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Whoever_leaves_and_comes_back_gets_every_event_once_and_in_order(int shards)
    {
        var disconnects = TestRun.Rounds("WARP_TEST_DISCONNECTS", 50);
        await using var fixture = new HubFixture(
            StoreFixture.Small(_directory.Path, sealBytes: 64 * 1024, shards: shards, sealAfter: TimeSpan.FromMilliseconds(200), mergeFanOut: 2),
            new SubscriptionOptions { BufferEvents = 8, BufferBytes = 4096 }, memoryBytes: 4096);
        using var stop = new CancellationTokenSource();
        var written = new long[Entities];
        var work = Enumerable.Range(0, Entities).Select(i => WriteAsync(fixture, i, written, new Random(_random.Next()), stop.Token)).ToList();
        work.Add(DisturbAsync(fixture, stop.Token));
        var ofOne = new ReaderOfOne(NameOf(0));
        var ofAll = new ReaderOfAll();
        try
        {
            await Task.WhenAll(
                ofOne.RunAsync(fixture, disconnects, new Random(_random.Next())), ofAll.RunAsync(fixture, disconnects, new Random(_random.Next())));
        }
        finally
        {
            await stop.CancelAsync();
            await Task.WhenAll(work);
        }

        await ofOne.CatchUpAsync(fixture);
        await ofAll.CatchUpAsync(fixture);
        ofOne.LastSeqs[NameOf(0)].ShouldBe(written[0]);
        ofAll.LastSeqs.Count.ShouldBe(Entities);
        for (var i = 0; i < Entities; i++) ofAll.LastSeqs[NameOf(i)].ShouldBe(written[i]);
        fixture.Hub.Open.ShouldBe(0);
        fixture.Store.Store.Troubles.ShouldBeEmpty();
    }

    private static async Task WriteAsync(HubFixture fixture, int index, long[] written, Random random, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            var events = random.Next(8) == 0 ? random.Next(2, 30) : 1;
            var first = written[index] + 1;
            var outcome = await fixture.Store.AppendAsync(
                NameOf(index), [.. Enumerable.Range(0, events).Select(i => new TestEvent("Moved", FeedConsumer.PayloadOf(NameOf(index), first + i)))]);
            outcome.FirstSeq.ShouldBe(first);
            Volatile.Write(ref written[index], outcome.LastSeq);
            if (random.Next(4) == 0) await Task.Delay(1, CancellationToken.None);
        }
    }

    private static async Task DisturbAsync(HubFixture fixture, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            foreach (var shard in fixture.Store.Store.AllShards.ToArray()) shard.Enqueue(new StoreFixture.Rotation());
            fixture.Store.Registry.SweepTo(0);

            // A slow disk: what is committed between a session's attaching and its last read comes to it both ways.
            for (var i = 0; i < 8; i++) _ = fixture.Store.Store.Readers.RunAsync(() => stop.WaitHandle.WaitOne(TimeSpan.FromMilliseconds(2)));
            await Task.Delay(20, CancellationToken.None);
        }
    }

    private static string NameOf(int index) => $"moved/{index}";

    /// <summary>Keeps nothing of its place but the id that it saw last.</summary>
    private abstract class Reader
    {
        public Dictionary<string, long> LastSeqs { get; } = new(StringComparer.Ordinal);

        protected abstract string Id { get; set; }

        public async Task RunAsync(HubFixture fixture, int disconnects, Random random)
        {
            for (var i = 0; i < disconnects; i++)
            {
                var takes = random.Next(4) == 0 ? 0 : random.Next(1, 150);
                await using var client = await OpenAsync(fixture);
                if (random.Next(2) == 0) await PassSeamAsync(client);
                for (var taken = 0; taken < takes; taken++)
                {
                    await TakeAsync(client);
                    if (random.Next(20) == 0) await Task.Delay(random.Next(5));
                }
            }
        }

        /// <summary>Nothing is written any more: the first word of being live comes after the last event.</summary>
        public async Task CatchUpAsync(HubFixture fixture)
        {
            await using var client = await OpenAsync(fixture);
            await PassSeamAsync(client);
        }

        private async Task PassSeamAsync(PipeClient client)
        {
            while (!await TakeAsync(client))
            {
            }
        }

        protected abstract Task<PipeClient> OpenAsync(HubFixture fixture);

        protected abstract string EntityOf(JsonElement e);

        private async Task<bool> TakeAsync(PipeClient client)
        {
            var message = (await client.ReadAsync()).ShouldNotBeNull("the stream ended");
            Id = message.Id;
            if (!message.IsEvent) return message.Event == "caught-up";
            var e = JsonDocument.Parse(message.Data).RootElement;
            var entity = EntityOf(e);
            LastSeqs[entity] = LastSeqs.GetValueOrDefault(entity) + 1;
            e.GetProperty("seq").GetInt64().ShouldBe(LastSeqs[entity], entity);
            return false;
        }
    }

    private sealed class ReaderOfOne(string entity) : Reader
    {
        protected override string Id { get; set; } = "0";

        protected override Task<PipeClient> OpenAsync(HubFixture fixture) => fixture.FollowAsync(entity, Id);

        protected override string EntityOf(JsonElement e) => entity;
    }

    private sealed class ReaderOfAll : Reader
    {
        protected override string Id { get; set; } = "start";

        protected override Task<PipeClient> OpenAsync(HubFixture fixture) => Task.FromResult(fixture.FollowAll(Id));

        protected override string EntityOf(JsonElement e) => e.GetProperty("entity").GetString()!;
    }
}
