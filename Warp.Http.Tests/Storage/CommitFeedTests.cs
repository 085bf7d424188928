using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>Consumers page through the feed while all beneath it moves: of each living entity every event comes once, in order.</summary>
public sealed class CommitFeedTests : IDisposable
{
    private const int Entities = 12;
    private readonly TempDirectory _directory = new("feed");
    private readonly Random _random = TestRun.Random();
    private readonly Dictionary<string, (Life Life, long LastSeq)> _alive = new(StringComparer.Ordinal);
    private readonly HashSet<Life> _erased = [];

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task Each_event_of_a_living_entity_comes_once_and_in_order_whatever_happens_to_the_files(int shards)
    {
        var fixture = Open(shards);
        try
        {
            var consumers = Enumerable.Range(0, 4).Select(_ => new FeedConsumer(_random)).ToList();
            var steps = TestRun.Rounds("WARP_TEST_STEPS", 400);
            for (var step = 0; step < steps; step++)
            {
                switch (_random.Next(100))
                {
                    case < 45: await AppendAsync(fixture); break;
                    case < 48: await EraseAsync(fixture); break;
                    case < 52 when !fixture.View.Active.IsEmpty: await fixture.RotateAsync(); break;
                    case < 56: await fixture.SealAsync(); break;
                    case < 58:
                        fixture.Dispose();
                        fixture = Open(shards);
                        break;
                    default:
                        // The first consumer is seldom at work and lags behind everything.
                        var who = _random.Next(10) == 0 ? 0 : _random.Next(1, consumers.Count);
                        consumers[who].Step(fixture.Store, _random.Next(shards));
                        break;
                }
            }

            consumers.Add(new FeedConsumer(_random));
            foreach (var consumer in consumers)
            {
                consumer.CatchUp(fixture.Store);
                Check(consumer);
            }

            fixture.Store.Troubles.ShouldBeEmpty();
        }
        finally
        {
            fixture.Dispose();
        }
    }

    [Fact]
    public async Task A_consumer_that_waits_is_woken_by_each_commit_and_reads_beside_seals_and_erasures()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path, sealBytes: 64 * 1024, sealAfter: TimeSpan.FromMilliseconds(50), mergeFanOut: 2));
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(TestRun.Rounds("WARP_TEST_SECONDS", 2)));
        var written = new long[Entities];
        var work = Enumerable.Range(0, Entities).Select(entity => Task.Run(async () =>
        {
            for (var seq = 1L; !stop.IsCancellationRequested; seq++)
            {
                var name = $"feed/{entity}";
                (await fixture.AppendAsync(name, new TestEvent("Moved", FeedConsumer.PayloadOf(name, seq)))).LastSeq.ShouldBe(seq);
                Volatile.Write(ref written[entity], seq);
            }
        })).ToList();
        work.Add(Task.Run(async () =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                var name = $"gone/{i}";
                await fixture.AppendAsync(name, new TestEvent("Moved", FeedConsumer.PayloadOf(name, 1)));
                (await fixture.EraseAsync(name))!.Events.ShouldBe(1);
            }
        }));
        var consumers = Enumerable.Range(0, 3).Select(_ => new FeedConsumer(new Random(_random.Next()))).ToList();
        var feed = fixture.Shard.Feed;
        var reading = consumers.Select(consumer => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                var watermark = feed.Watermark;
                if (consumer.Step(fixture.Store, 0)) await Task.WhenAny(feed.WhenBeyond(watermark), Task.Delay(Timeout.Infinite, stop.Token));
            }
        })).ToList();
        await Task.WhenAll(work.Concat(reading));

        foreach (var consumer in consumers)
        {
            consumer.CatchUp(fixture.Store);
            var byName = consumer.Names.Where(n => n.Value.StartsWith("feed/", StringComparison.Ordinal))
                .ToDictionary(n => n.Value, n => consumer.LastSeq(n.Key.Shard, n.Key.Entity), StringComparer.Ordinal);
            for (var i = 0; i < Entities; i++) byName[$"feed/{i}"].ShouldBe(written[i]);
            consumer.Fenced.Count.ShouldBeGreaterThan(0);
        }

        fixture.Store.Troubles.ShouldBeEmpty();
    }

    [Fact]
    public async Task Whoever_waits_hears_of_the_next_commit_and_of_the_end()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path));
        var feed = fixture.Shard.Feed;
        var first = feed.WhenBeyond(feed.Watermark);
        first.IsCompleted.ShouldBeFalse();
        await fixture.AppendAsync("user/1", new TestEvent("Created"));
        (await first.WaitAsync(TimeSpan.FromSeconds(10))).ShouldBeTrue();
        (await feed.WhenBeyond(0)).ShouldBeTrue();
        var last = feed.WhenBeyond(feed.Watermark);
        last.IsCompleted.ShouldBeFalse();
        fixture.Shard.Stop();
        (await last.WaitAsync(TimeSpan.FromSeconds(10))).ShouldBeFalse("the shard has ended, and a consumer that reads on would turn in circles");
        (await feed.WhenBeyond(0)).ShouldBeTrue("what there is can be read until the shard is closed");
        feed.Read(FeedPlace.Start, 10, 1000)!.Dispose();
        fixture.Dispose();
        (await feed.WhenBeyond(long.MaxValue)).ShouldBeFalse();
        Should.Throw<ShardUnavailableException>(() => feed.Read(FeedPlace.Start, 1, 1));
    }

    [Fact]
    public async Task A_place_that_no_consumer_can_have_come_to_is_not_known()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path));
        for (var i = 0; i < 20; i++) await fixture.AppendAsync($"user/{i}", new TestEvent("Created", FeedConsumer.PayloadOf($"user/{i}", 1)));
        await fixture.SealAsync();
        await fixture.AppendAsync("user/last", new TestEvent("Created"));
        var feed = fixture.Shard.Feed;
        FeedPlace[] foreign =
        [
            FeedPlace.At(22), FeedPlace.At(long.MaxValue), new(0, 21, 1, 1), new(20, 21, 1, 1), new(0, long.MaxValue, 1, 1),
            new(0, 20, Life.NumberMax, 1), new(0, 20, 0, 0), new(-1, 20, 1, 1), new(3, 2, 1, 1),
        ];
        foreach (var place in foreign)
        {
            feed.Knows(place).ShouldBeFalse(place.ToString());
            feed.Read(place, 10, 1000).ShouldBeNull(place.ToString());
        }

        foreach (var place in new[] { FeedPlace.Start, FeedPlace.At(21), FeedPlace.At(7), new(7, 20, 3, 1), new(7, 9, 3, FeedPlace.WholeEntity) })
        {
            feed.Knows(place).ShouldBeTrue(place.ToString());
            feed.Read(place, 100, 1 << 20)!.Dispose();
        }
    }

    [Fact]
    public async Task Where_all_was_erased_a_consumer_is_at_the_end_all_the_same()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path));
        await fixture.AppendAsync("user/1", new TestEvent("Created"));
        (await fixture.EraseAsync("user/1"))!.Complete.ShouldBeTrue();
        Follow(fixture, FeedPlace.Start, workMax: 100).ShouldBe(1, "the fence");
        await fixture.AppendAsync("user/2", new TestEvent("Created"));
        (await fixture.EraseAsync("user/2"))!.Complete.ShouldBeTrue();
        await fixture.SealAsync();
        Follow(fixture, FeedPlace.Start, workMax: 100).ShouldBe(2);
    }

    [Fact]
    public async Task A_page_moves_on_though_more_pieces_than_it_looks_at_have_nothing_in_its_range()
    {
        const int Spread = 12;
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path, mergeFanOut: 2));
        for (var i = 0; i < Spread; i++) await fixture.AppendAsync($"user/{i}", new TestEvent("Created"));
        await fixture.AppendAsync("user/within", [.. Enumerable.Range(0, 5).Select(_ => new TestEvent("Moved"))]);
        await fixture.SealAsync();
        for (var i = 0; i < Spread; i++) await fixture.AppendAsync($"user/{i}", new TestEvent("Changed"));
        await fixture.SealAsync();
        await Eventually.BecomesTrueAsync("the two runs are merged", () => fixture.View.Runs.Length == 1, TimeSpan.FromSeconds(30));

        // A consumer stopped in the first run's range. Each piece but one begins before it and ends behind it.
        Follow(fixture, new FeedPlace(Spread, Spread + 5, 1, FeedPlace.WholeEntity), workMax: 1).ShouldBe(5 + Spread);
    }

    [Fact]
    public async Task A_page_begins_where_its_place_is_however_many_pieces_of_the_entity_lie_before()
    {
        const int Events = 12;
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path, sealBytes: 1 << 24));
        var payload = $$"""{"a":"{{new string('x', 200_000)}}"}""";
        for (var i = 0; i < Events; i++) await fixture.AppendAsync("user/1", new TestEvent("Large", payload));
        await fixture.SealAsync();
        Follow(fixture, new FeedPlace(0, Events, 1, Events - 3), workMax: 1).ShouldBe(3);
    }

    /// <summary>Reads to the end by pages that look at one piece each; answers how many events came.</summary>
    private static int Follow(StoreFixture fixture, FeedPlace from, int workMax)
    {
        var events = 0;
        for (var place = from; ;)
        {
            using var page = fixture.Shard.Feed.Read(place, 100, 1 << 20, workMax)!;
            events += page.Count;
            if (page.IsCaughtUp) return events;
            page.Next.ShouldNotBe(place, "a page that is not the last moves on");
            place = page.Next;
        }
    }

    [Fact]
    public async Task A_page_takes_one_entry_at_least_and_no_more_bytes_than_asked_for_after_it()
    {
        using var fixture = new StoreFixture(StoreFixture.Small(_directory.Path));
        await fixture.AppendAsync("user/1", [.. Enumerable.Range(0, 50).Select(_ => new TestEvent("Large", $$"""{"a":"{{new string('x', 3000)}}"}"""))]);
        foreach (var isSealed in new[] { false, true })
        {
            if (isSealed) await fixture.SealAsync();
            using var one = fixture.Shard.Feed.Read(FeedPlace.Start, 100, 10)!;
            one.Count.ShouldBe(1);
            using var three = fixture.Shard.Feed.Read(one.Next, 100, 10_000)!;
            three.Count.ShouldBe(3);
            three[0].Event.Seq.ShouldBe(2);
            using var rest = fixture.Shard.Feed.Read(three.Next, 100, int.MaxValue)!;
            (rest.Count, rest.IsCaughtUp, rest.Next).ShouldBe((46, true, FeedPlace.At(50)));
        }
    }

    private StoreFixture Open(int shards) => new(StoreFixture.Small(_directory.Path, shards: shards, mergeFanOut: 2));

    private async Task AppendAsync(StoreFixture fixture)
    {
        var entity = $"feed/{_random.Next(Entities)}";
        var last = _alive.TryGetValue(entity, out var known) ? known.LastSeq : 0;
        var events = Enumerable.Range(1, _random.Next(4) == 0 ? _random.Next(1, 30) : 1)
            .Select(i => new TestEvent("Moved", FeedConsumer.PayloadOf(entity, last + i))).ToArray();
        var outcome = await fixture.AppendAsync(new TestAppend(entity, events, Recreate: true));
        outcome.FirstSeq.ShouldBe(last + 1);
        _alive[entity] = (outcome.Life, outcome.LastSeq);
    }

    private async Task EraseAsync(StoreFixture fixture)
    {
        var entity = $"feed/{_random.Next(Entities)}";
        if (!_alive.Remove(entity, out var known)) return;
        (await fixture.EraseAsync(entity))!.Complete.ShouldBeTrue();
        _erased.Add(known.Life);
    }

    private void Check(FeedConsumer consumer)
    {
        foreach (var (entity, (life, lastSeq)) in _alive)
        {
            consumer.LastSeq(life.Shard, life.Number).ShouldBe(lastSeq, entity);
            consumer.Names[(life.Shard, life.Number)].ShouldBe(entity);
        }

        // A fence comes also to who never saw an event of that number.
        consumer.Fenced.Order().ShouldBe(_erased.Select(l => (l.Shard, l.Number)).Order());
    }
}
