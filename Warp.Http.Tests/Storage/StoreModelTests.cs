using System.Text.Json.Nodes;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Storage;

/// <summary>
/// Random appends, retries, erasures, seals, passivation, restarts and crashes; every answer is the one that plain lists give.
/// </summary>
public sealed class StoreModelTests : IDisposable
{
    private const int Entities = 8;
    private const int PadMax = 3_000;

    private readonly TempDirectory _directory = new("model");
    private readonly Random _random = TestRun.Random();
    private readonly StoreModel _model = new();
    private StoreFixture _fixture;
    private string _data;
    private int _shards = 1;
    private int _step;
    private int _copies;

    public StoreModelTests()
    {
        _data = _directory.File("data");
        _fixture = null!;
    }

    public void Dispose()
    {
        _fixture?.Dispose();
        _directory.Dispose();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task A_store_answers_as_plain_lists_do(int shards)
    {
        _shards = shards;
        Open();
        var steps = TestRun.Rounds("WARP_TEST_STEPS", 700);
        for (_step = 0; _step < steps; _step++) await StepAsync();
        await CheckAllAsync();
        Reopen();
        await CheckAllAsync();
    }

    private async Task StepAsync()
    {
        var entity = $"model/{_random.Next(Entities)}";
        switch (_random.Next(100))
        {
            case < 40: await AppendAsync(entity, Fresh(entity)); break;
            case < 60: await RetryAsync(entity); break;
            case < 66: await ExpectAsync(entity); break;
            case < 69: await ReservedAsync(entity); break;
            case < 74: await EraseAsync(entity); break;
            case < 80: await CheckPageAsync(entity); break;
            case < 85: await CheckAsync(entity); break;
            case < 90: _fixture.Passivation.Sweep(); break;
            case < 94: await SealAllAsync(); break;
            case < 96: Reopen(); break;
            case < 98: await CrashAsync(); break;
            default: await CheckAllAsync(); break;
        }
    }

    private async Task AppendAsync(string entity, TestAppend append)
    {
        var known = _model.Get(entity);
        var outcome = await _fixture.AppendAsync(append);
        if (known.IsErased && !append.Recreate)
        {
            outcome.Status.ShouldBe(AppendStatus.Erased, Where(entity));
            return;
        }

        (outcome.Status, outcome.FirstSeq, outcome.LastSeq).ShouldBe(
            (AppendStatus.Appended, known.Events.Count + 1, known.Events.Count + append.Events.Length), Where(entity));
        if (known.Events.Count > 0) outcome.Life.ShouldBe(known.Life, Where(entity));
        else if (known.IsErased) outcome.Life.ShouldNotBe(known.Life, Where(entity));
        _model.Accept(append, outcome.Life);
    }

    /// <summary>Sends again what was sent, whole, changed, longer, or under the ids that the service gave.</summary>
    private async Task RetryAsync(string entity)
    {
        var known = _model.Get(entity);
        if (known.Appends.Count == 0) return;
        var (append, firstSeq) = known.Appends[_random.Next(known.Appends.Count)];
        var hasIds = append.Key is not null || append.Events.Any(e => e.Id is not null);
        var last = append.Events.Length - 1;
        switch (_random.Next(5))
        {
            case 0 when hasIds:
                await ShouldBeAsync(
                    append with { Expect = new ExpectedSeq(_random.Next(100)) }, AppendStatus.Replayed, firstSeq, firstSeq + last);
                break;
            case 1 when hasIds:
                TestEvent[] changed = [.. append.Events[..last], append.Events[last] with { Type = "Other than it was" }];
                await ShouldBeAsync(append with { Events = changed }, AppendStatus.EventIdConflict);
                break;
            case 2 when hasIds:
                var more = new TestEvent("More", Id: append.Key is null ? $"more-{_step}" : null);
                await ShouldBeAsync(append with { Events = [.. append.Events, more] }, AppendStatus.EventIdConflict);
                break;
            case 3:
                var named = append.Events.Select((e, i) => e with { Id = known.Events[firstSeq - 1 + i].Id }).ToArray();
                await ShouldBeAsync(append with { Events = named, Key = null }, AppendStatus.Replayed, firstSeq, firstSeq + last);
                break;
            case 4:
                var one = _random.Next(append.Events.Length);
                var single = append.Events[one] with { Id = known.Events[firstSeq - 1 + one].Id };
                if (last == 0) await ShouldBeAsync(new TestAppend(entity, [single]), AppendStatus.Replayed, firstSeq, firstSeq);
                else await ShouldBeAsync(new TestAppend(entity, [single]), AppendStatus.EventIdConflict); // a part of a batch
                break;
        }
    }

    private async Task ExpectAsync(string entity)
    {
        var known = _model.Get(entity);
        if (known.IsErased) return;
        var seq = _random.Next(2) == 0 ? known.Events.Count : _random.Next(30);
        var append = Fresh(entity) with { Expect = new ExpectedSeq(seq) };
        if (seq == known.Events.Count) await AppendAsync(entity, append);
        else (await ShouldBeAsync(append, AppendStatus.SeqMismatch)).LastSeq.ShouldBe(known.Events.Count, Where(entity));
    }

    private async Task ReservedAsync(string entity)
    {
        var known = _model.Get(entity);
        if (known.Events.Count == 0) return;
        await ShouldBeAsync(
            new TestAppend(entity, [new TestEvent("X", Id: known.Life.EventId(known.Events.Count + 1 + _random.Next(3)))]),
            AppendStatus.ReservedEventId);
    }

    private async Task EraseAsync(string entity)
    {
        var known = _model.Get(entity);
        if (_random.Next(3) > 0 && !known.IsErased) return;
        var receipt = await _fixture.EraseAsync(entity);
        if (known.Events.Count == 0 && !known.IsErased)
        {
            receipt.ShouldBeNull(Where(entity));
            return;
        }

        receipt!.Complete.ShouldBeTrue(Where(entity));
        if (known.Events.Count > 0) receipt.Events.ShouldBe(known.Events.Count, Where(entity));
        _model.Erase(entity);
        (await _fixture.FindAsync(entity)).Presence.ShouldBe(EntityPresence.Erased, Where(entity));
    }

    private async Task<AppendOutcome> ShouldBeAsync(TestAppend append, AppendStatus status, long firstSeq = -1, long lastSeq = -1)
    {
        var outcome = await _fixture.AppendAsync(append);
        outcome.Status.ShouldBe(status, Where(append.Entity));
        if (firstSeq >= 0) (outcome.FirstSeq, outcome.LastSeq).ShouldBe((firstSeq, lastSeq), Where(append.Entity));
        return outcome;
    }

    private async Task CheckPageAsync(string entity)
    {
        var expected = _model.Get(entity).Events;
        if (expected.Count == 0) return;
        var from = _random.Next(1, expected.Count + 2);
        var to = _random.Next(from - 1, expected.Count + 3);
        var descending = _random.Next(2) == 0;
        var page = await _fixture.HistoryAsync(entity, descending, pageEvents: _random.Next(1, 6), from, to);
        var due = expected.Where(e => e.Seq >= from && e.Seq <= to);
        if (descending) due = due.Reverse();
        ShouldBeEqual(page!, [.. due], entity);
    }

    private async Task CheckAsync(string entity)
    {
        var known = _model.Get(entity);
        var presence = (await _fixture.FindAsync(entity)).Presence;
        var absent = known.IsErased ? EntityPresence.Erased : EntityPresence.Unknown;
        presence.ShouldBe(known.Events.Count > 0 ? EntityPresence.Alive : absent, Where(entity));
        if (known.Events.Count == 0) return;
        ShouldBeEqual((await _fixture.HistoryAsync(entity))!, known.Events, entity);
        var actor = await _fixture.ActorAsync(entity);
        (actor.Life, actor.DurableSeq).ShouldBe((known.Life, known.Events.Count), Where(entity));
        var description = (await actor.DescribeAsync(CancellationToken.None))!.Value;
        (description.Seq, description.Life).ShouldBe((known.Events.Count, known.Life), Where(entity));
        var aggregates = known.Events.Select(e => e.Aggregate.Length > 0 ? e.Aggregate : "Default").Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal);
        string.Join(' ', description.Aggregates).ShouldBe(string.Join(' ', aggregates), Where(entity));
        if (known.Events.All(e => e.Aggregate.Length > 0)) return;
        var state = await _fixture.StateAsync(entity);
        JsonNode.DeepEquals(JsonNode.Parse(state!), known.State()).ShouldBeTrue($"{Where(entity)}: {state}");
    }

    private async Task CheckAllAsync()
    {
        _fixture.Store.Troubles.ShouldBeEmpty();
        foreach (var entity in _model.All.ToList()) await CheckAsync(entity);
        var listed = await _fixture.ListAsync();
        if (_shards == 1) listed.ShouldBe(_model.Alive, Where("list"));
        else listed.Order(StringComparer.Ordinal).ShouldBe(_model.Alive.Order(StringComparer.Ordinal), Where("list"));
    }

    private void ShouldBeEqual(List<StoredEvent> actual, List<StoredEvent> expected, string entity)
    {
        actual.Count.ShouldBe(expected.Count, Where(entity));
        for (var i = 0; i < expected.Count; i++) (actual[i] with { RecordedAtMs = 0 }).ShouldBe(expected[i], Where(entity));
        actual.OrderBy(e => e.Seq).Select(e => e.RecordedAtMs).ShouldBeInOrder();
    }

    private TestAppend Fresh(string entity)
    {
        var count = _random.Next(4) > 0 ? 1 : _random.Next(1, 20);
        var key = _random.Next(3) == 0 ? $"key-{_step}" : null;
        var events = Enumerable.Range(0, count).Select(i => new TestEvent(
            $"Type{_random.Next(4)}",
            Payload(),
            key is null && _random.Next(3) == 0 ? $"id-{_step}-{i}" : null,
            _random.Next(4) == 0 ? "Other" : null,
            _random.Next(5) == 0 ? _random.Next(2, 300) : 1,
            _random.Next(5) == 0 ? $$"""{"by":"user-{{_random.Next(9)}}"}""" : null,
            _random.Next(5) == 0 ? "2026-01-31T12:00:00+02:00" : null)).ToArray();
        return new TestAppend(entity, events, Key: key, Recreate: _random.Next(3) == 0);
    }

    private string Payload() => _random.Next(6) switch
    {
        0 => $$"""{"a":{{_random.Next(100)}},"pad":"{{new string((char)('a' + _random.Next(26)), _random.Next(PadMax))}}"}""",
        1 => """{"a":null}""",
        2 => $$"""{"nested":{"x":{{_random.Next(10)}},"y":{"z":[1,2,{{_random.Next(10)}}]} } }""",
        3 => """{"nested":{"x":null}}""",
        _ => $$"""{"a":{{_random.Next(100)}},"n{{_random.Next(5)}}":"ü{{_step}}"}""",
    };

    private async Task SealAllAsync()
    {
        if (_shards == 1) await _fixture.SealAsync();
    }

    private void Open() => _fixture = new StoreFixture(StoreFixture.Small(_data, shards: _shards, mergeFanOut: 2), memoryBytes: 2_000);

    private void Reopen()
    {
        _fixture.Dispose();
        Open();
        _fixture.Store.Troubles.ShouldBeEmpty(Where("reopened"));
    }

    /// <summary>The process is gone without a word: what is opened is what stood on disk at that moment.</summary>
    private async Task CrashAsync()
    {
        await Eventually.BecomesTrueAsync("maintenance has nothing left to do", () => _fixture.Store.AllShards.ToArray().All(
            shard => shard.Views.Current.Memtables.Length == 1 && shard.Tombstones.Pending().Count == 0 && HasNextJournal(shard) && shard.IsRewriterIdle));
        var copy = _directory.File($"crash-{_copies++}");
        SampleStore.Copy(_data, copy);
        _fixture.Dispose();
        Directory.Delete(_data, recursive: true);
        _data = copy;
        Open();
        _fixture.Store.Troubles.ShouldBeEmpty(Where("crashed"));
    }

    private bool HasNextJournal(Shard shard) =>
        Directory.EnumerateFiles(Path.Combine(_data, "shards", $"{shard.Index:D3}"), "journal-*").Count() == 4; // two files a journal

    private string Where(string entity) => $"step {_step}, {entity}";
}
