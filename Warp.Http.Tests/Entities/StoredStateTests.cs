using System.Diagnostics;
using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Entities;

/// <summary>A state that was folded from a stored one is the state that the whole history folds to, byte for byte.</summary>
public sealed class StoredStateTests : IDisposable
{
    private const int Every = 16;

    private static readonly string[] Definitions =
    [
        """{"initial":{"n":0},"on":{"Credited":{"n":"state.n + payload.amount"},"Noted":{"note":"payload"}},"defaultForKind":"user"}""",
        """{"initial":{"n":0,"ids":[]},"on":{"Credited":{"n":"state.n + payload.amount * 2","by":"event.id"}},"otherwise":"merge"}""",
        """{"on":{"*":{"last":"payload","seen":"has(state.seen) ? state.seen + 1 : 1","at":"event.recordedAt"}}}""",
        """{"initial":{"n":0},"on":{"Credited":{"n":"state.n + payload.amount"}},"upcast":[{"type":"Credited","from":1,"to":2,"set":{"amount":"payload.amount / 8"}}]}""",
        """{"on":{"Noted":{"note":"payload"}},"otherwise":"reject"}""",
    ];

    private static readonly string[] Numbers =
        ["1", "-0", "0.10", "1.50", "1e3", "123456789012345678901234567.8", "0.00000000000000000000000001", "12345678901234567890123456789012345", "1E+400"];

    private readonly TempDirectory _directory = new("states");
    private readonly Random _random = TestRun.Random();
    private StoreFixture _fixture;
    private readonly HashSet<string> _stored = new(StringComparer.Ordinal); // entities of which an append was accepted
    private int _begunAtStored;

    public StoredStateTests() => _fixture = Open();

    public void Dispose()
    {
        _fixture.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task A_state_from_a_stored_one_is_the_state_from_the_start()
    {
        var rounds = TestRun.Rounds("WARP_TEST_STATES", 60);
        for (var round = 0; round < rounds; round++)
        {
            var entity = $"user/{_random.Next(3)}";
            await AppendAsync(entity);
            switch (_random.Next(10))
            {
                case 0:
                    _fixture.Definitions.Put("Account", Encoding.UTF8.GetBytes(Definitions[_random.Next(Definitions.Length)])).Errors.ShouldBeEmpty();
                    break;
                case 1:
                    _fixture.Definitions.Delete("Account");
                    break;
                case 2:
                    await _fixture.SealAsync();
                    break;
                case 3:
                    _fixture.Dispose();
                    _fixture = Open();
                    break;
                case 4:
                    _fixture.Passivation.Sweep();
                    break;
            }

            if (!_stored.Contains(entity)) continue; // a definition refused all that was sent
            if (_random.Next(2) == 0) await (await _fixture.ActorAsync(entity)).StoreStatesAsync(CancellationToken.None);
            await CheckAsync(entity);
        }

        _begunAtStored.ShouldBeGreaterThan(rounds / 10, "states were stored and used");
    }

    /// <summary>The mutants: a stored state that says another seq, and one of another definition. If the check missed them it would prove nothing.</summary>
    [Theory]
    [InlineData("a seq too far")]
    [InlineData("a seq too early")]
    [InlineData("another definition's")]
    public async Task A_stored_state_that_is_not_what_it_says_is_caught(string mutant)
    {
        _fixture.Definitions.Put("Account", Encoding.UTF8.GetBytes(Definitions[0]));
        var counted = new TestEvent("Credited", """{"amount":1}""", Aggregate: "Account");
        var first = await _fixture.AppendAsync("user/0", [.. Enumerable.Repeat(counted, 50)]);
        await CheckAsync("user/0");
        var entry = _fixture.Definitions.Current.Find("Account")!;
        var seq = mutant switch { "a seq too far" => 51, "a seq too early" => 49, _ => 50 };
        var body = Body(seq, entry.Definition, mutant == "another definition's" ? """{"n":100,"ids":[]}""" : """{"n":50}""");
        var life = (await _fixture.ActorAsync("user/0")).Published!;
        _fixture.Shard.Enqueue(new StateOffer(life, seq, body));
        await _fixture.AppendAsync("user/0", [.. Enumerable.Repeat(counted, 5)]);
        _fixture.Passivation.Sweep();
        first.LastSeq.ShouldBe(50);

        await Assert.ThrowsAnyAsync<ShouldAssertException>(() => CheckAsync("user/0"));
    }

    [Fact]
    public async Task Invariants_are_judged_on_states_that_begin_at_stored_ones()
    {
        _fixture.Definitions.Put(
            "Account", """{"initial":{"n":0},"on":{"Added":{"n":"state.n + payload.n"}},"invariants":[{"rule":"state.n <= 100","message":"full"}]}"""u8);
        var added = new TestEvent("Added", """{"n":1}""", Aggregate: "Account");
        for (var i = 0; i < 4; i++) (await _fixture.AppendAsync("box/1", [.. Enumerable.Repeat(added, 25)])).Status.ShouldBe(AppendStatus.Appended);
        await (await _fixture.ActorAsync("box/1")).StoreStatesAsync(CancellationToken.None);
        await _fixture.SealAsync();
        _fixture.Dispose();
        _fixture = Open();

        (await _fixture.AppendAsync("box/1", added)).Status.ShouldBe(AppendStatus.InvariantViolated);
        (await _fixture.AppendAsync("box/1", new TestEvent("Added", """{"n":-1}""", Aggregate: "Account"))).LastSeq.ShouldBe(101);
        (await _fixture.AppendAsync("box/1", added)).LastSeq.ShouldBe(102);
        (await _fixture.AppendAsync("box/1", added)).Status.ShouldBe(AppendStatus.InvariantViolated);
    }

    [Fact]
    public async Task Time_travel_begins_at_a_state_from_before_the_time_asked_for()
    {
        for (var i = 1; i <= 6; i++)
        {
            await _fixture.AppendAsync("user/1", [.. Enumerable.Range(0, Every).Select(j => new TestEvent("Noted", $$"""{"i":{{i}},"j":{{j}}}"""))]);
            await (await _fixture.ActorAsync("user/1")).StoreStatesAsync(CancellationToken.None);
            await _fixture.SealAsync();
            await Task.Delay(2, TestContext.Current.CancellationToken);
        }

        var actor = await _fixture.ActorAsync("user/1");
        var history = (await _fixture.HistoryAsync("user/1"))!;
        foreach (var e in history.Where(e => e.Seq % 5 == 0))
        {
            var at = (await actor.GetStateAtAsync("Default", null, e.RecordedAtMs, CancellationToken.None)).Snapshot!;
            at.Seq.ShouldBe(history.Last(other => other.RecordedAtMs <= e.RecordedAtMs).Seq);
            Encoding.UTF8.GetString(at.State.Span).ShouldBe($$"""{"i":{{(at.Seq - 1) / Every + 1}},"j":{{(at.Seq - 1) % Every}}}""");
        }
    }

    /// <summary>
    /// With WARP_TEST_ACTIVATION=1000000 it says how long the first read takes after passivation, a restart and a kill that leaves a third unsealed.
    /// </summary>
    [Fact]
    public async Task The_first_read_of_a_long_history_folds_little_of_it()
    {
        var events = TestRun.Rounds("WARP_TEST_ACTIVATION", 60_000);
        _fixture.Dispose();
        using var crashed = new TempDirectory("crashed");
        using var directory = new TempDirectory("long");
        using (var fixture = Long(directory.Path))
        {
            fixture.Definitions.Put("Account", Encoding.UTF8.GetBytes(Definitions[0]));
            using var background = new BackgroundFolds(
                fixture.Registry, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger<BackgroundFolds>.Instance);
            await background.StartAsync(CancellationToken.None);
            TestEvent[] batch = [.. Enumerable.Range(0, 1000).Select(i => new TestEvent("Credited", $$"""{"amount":{{i}},"by":"somebody"}""", Aggregate: "Account"))];
            for (var i = 0; i < events; i += batch.Length)
            {
                (await fixture.AppendAsync("user/long", batch)).Status.ShouldBe(AppendStatus.Appended);
                if (i == events / 3 * 2 / 1000 * 1000) await fixture.SealAsync();
            }

            var life = (await fixture.ActorAsync("user/long")).Published!;
            var fingerprint = StateFold.FingerprintOf(fixture.Definitions.Current.Find("Account")!.Definition, DefaultOwner.Own);
            await Eventually.BecomesTrueAsync("the background has caught up", () =>
            {
                using var lease = fixture.Shard.Views.Lease();
                return lease.View.TryFindState(life.Number, "Account"u8, fingerprint, long.MaxValue, out var stored) && stored.Seq > events - (2 * 8192);
            }, TimeSpan.FromSeconds(60));
            await background.StopAsync(CancellationToken.None);
            foreach (var when in (string[])["after passivation, the process's first", "after passivation"])
            {
                fixture.Registry.SweepTo(0);
                await ReadAsync(fixture, when);
            }

            foreach (var file in Directory.EnumerateFiles(directory.Path, "*", SearchOption.AllDirectories).Where(file => Path.GetFileName(file) != "lock"))
            {
                var copy = Path.Combine(crashed.Path, Path.GetRelativePath(directory.Path, file));
                Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                File.Copy(file, copy);
            }
        }

        using (var restarted = Long(directory.Path)) await ReadAsync(restarted, "after a restart");
        using (var killed = Long(crashed.Path)) await ReadAsync(killed, "after a crash");

        async Task ReadAsync(StoreFixture fixture, string when)
        {
            fixture.Registry.TryGetLive("user/long"u8, out _).ShouldBeFalse();
            var watch = Stopwatch.StartNew();
            var actor = await fixture.ActorAsync("user/long");
            var snapshot = (await actor.GetStateAsync("Account", CancellationToken.None)).Snapshot!;
            TestContext.Current.TestOutputHelper!.WriteLine($"{when}: {watch.Elapsed.TotalMilliseconds:F1} ms, from seq {snapshot.BeganAt} to {snapshot.Seq}");
            Encoding.UTF8.GetString(snapshot.State.Span).ShouldBe($$"""{"n":{{999L * 500 * (events / 1000)}}}""");
            (snapshot.Seq - snapshot.BeganAt).ShouldBeLessThanOrEqualTo(2 * 8192, when);
        }

        static StoreFixture Long(string path) => new(StoreFixture.Small(path, sealBytes: 256 << 20));
    }

    private static byte[] Body(long seq, AggregateDefinition definition, string state)
    {
        var stored = new StateBody
        {
            Seq = seq,
            LastMs = 1,
            Flags = 1,
            Fingerprint = StateFold.FingerprintOf(definition, DefaultOwner.Own),
            Aggregate = "Account"u8,
            State = Encoding.UTF8.GetBytes(state),
        };
        var body = new byte[stored.Size];
        stored.Write(body);
        return body;
    }

    private async Task AppendAsync(string entity)
    {
        var events = new TestEvent[_random.Next(1, 30)];
        for (var i = 0; i < events.Length; i++)
        {
            var aggregate = _random.Next(4) switch { 0 => "", 1 => "Other", _ => "Account" };
            var number = Numbers[_random.Next(100) == 0 ? _random.Next(Numbers.Length) : _random.Next(4)];
            events[i] = _random.Next(4) switch
            {
                0 => new TestEvent("Noted", $$"""{"a":{{number}},"a":"\u00e9\"{{i}}","x{{_random.Next(6)}}":{"deep":[{{number}},null,{"b":{{i}}}]},"gone":null}""", Aggregate: aggregate),
                1 => new TestEvent("Other", $$"""{"x{{_random.Next(6)}}":null,"y":{{Numbers[_random.Next(Numbers.Length)]}}}""", Aggregate: aggregate),
                _ => new TestEvent("Credited", $$"""{"amount":{{number}}}""", Aggregate: aggregate, SchemaVersion: _random.Next(1, 3)),
            };
        }

        var outcome = await _fixture.AppendAsync(new TestAppend(entity, events, Key: _random.Next(3) == 0 ? $"key-{_random.Next()}" : null));
        outcome.Status.ShouldBeOneOf(AppendStatus.Appended, AppendStatus.FoldFailed);
        if (outcome.Status == AppendStatus.Appended) _stored.Add(entity);
    }

    private async Task CheckAsync(string entity)
    {
        var actor = await _fixture.ActorAsync(entity);
        foreach (var aggregate in (string[])["Account", "Default", "Other"])
        {
            var seq = actor.DurableSeq;
            Same(await ReferenceAsync(actor, aggregate, seq), await actor.GetStateAsync(aggregate, CancellationToken.None), aggregate, seq);
            var earlier = _random.NextInt64(seq + 1);
            Same(await ReferenceAsync(actor, aggregate, earlier), await actor.GetStateAtAsync(aggregate, earlier, null, CancellationToken.None), aggregate, earlier);
        }
    }

    private void Same(string expected, StateResult result, string aggregate, long seq)
    {
        var actual = result.Status switch
        {
            StateStatus.Found => Encoding.UTF8.GetString(result.Snapshot!.State.Span),
            StateStatus.FoldFailed => result.Failure!.ToString(),
            _ => result.Status.ToString(),
        };
        actual.ShouldBe(expected, $"{aggregate} at {seq}, begun at {result.Snapshot?.BeganAt}");
        if (result.Snapshot?.BeganAt > 0) _begunAtStored++;
    }

    /// <summary>Folds the whole history as it is read, knowing nothing of stored states.</summary>
    private async Task<string> ReferenceAsync(EntityActor actor, string aggregate, long seq)
    {
        var definitions = _fixture.Definitions.Current;
        var entry = definitions.Find(aggregate);
        var isDefault = definitions.ResolveDefault(actor.Name.Kind).Name == aggregate;
        var state = FoldState.Create(entry?.Definition, actor.Name, actor.Life);
        var exists = entry is not null;
        for (long from = 1; from > 0 && from <= seq;)
        {
            using var page = await actor.ReadAsync(from, seq, descending: false, 1000, 1 << 20, CancellationToken.None);
            for (var i = 0; i < page.Count; i++)
            {
                var e = page.GetEvent(i);
                if (e.Fields.Aggregate.IsEmpty ? !isDefault : !e.Fields.Aggregate.SequenceEqual(Encoding.UTF8.GetBytes(aggregate))) continue;
                if (state.Apply(e) is { } failure) return failure.ToString();
                exists = true;
            }

            from = page.NextSeq;
        }

        var rendered = new System.Buffers.ArrayBufferWriter<byte>();
        state.Render(rendered);
        return exists ? Encoding.UTF8.GetString(rendered.WrittenSpan) : nameof(StateStatus.NoSuchAggregate);
    }

    private StoreFixture Open() => new(StoreFixture.Small(_directory.Path), memoryBytes: 0, storeStateEvents: Every);
}
