using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Aggregates.Values;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Aggregates;

/// <summary>
/// Random definitions and histories, refused appends among them, over passivation, seals, stored states, restarts and redefinition: every
/// answer and every state, now and at any moment before, is the one that a plain interpreter gives.
/// </summary>
public sealed class AggregateModelTests : IDisposable
{
    private const int EventsMax = 160;

    /// <summary>Events between two stored states: few, so that states are begun at stored ones all the time.</summary>
    private const int StoreEvents = 8;

    private static readonly string[] Aggregates = ["A", "B", "C", "Default", "Undefined"];

    private readonly TempDirectory _directory = new("aggregates");
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private Random _random = null!;
    private RandomAggregates _generator = null!;
    private AggregateModel _model = null!;
    private StoreFixture _fixture = null!;
    private string _data = "";
    private string[] _entities = [];
    private int _step;
    private int _begunAtStored;

    public void Dispose()
    {
        _fixture?.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task States_and_refusals_are_those_of_a_plain_interpreter()
    {
        var random = TestRun.Random();
        var rounds = TestRun.Rounds("WARP_TEST_AGGREGATE_ROUNDS", 10);
        for (var round = 0; round < rounds; round++) await RunAsync(random.Next(), ModelDefects.None, steps: 300);

        TestContext.Current.TestOutputHelper?.WriteLine($"{_begunAtStored} states were begun at stored ones.");

        // Otherwise the run would compare little.
        _begunAtStored.ShouldBeGreaterThan(rounds * 2, "states that were begun at stored ones");
        foreach (var status in (AppendStatus[])[AppendStatus.Appended, AppendStatus.SeqMismatch, AppendStatus.ConditionFalse, AppendStatus.FoldFailed, AppendStatus.InvariantViolated])
            _seen.Contains($"append {status}").ShouldBeTrue($"no append was answered {status}");
        foreach (var status in (StateStatus[])[StateStatus.Found, StateStatus.FoldFailed, StateStatus.NoSuchAggregate])
            _seen.Contains($"state {status}").ShouldBeTrue($"no read of a state was answered {status}");
    }

    [Theory]
    [InlineData(ModelDefects.JudgesEachEvent)]
    [InlineData(ModelDefects.UpcastsTwice)]
    [InlineData(ModelDefects.UpcastsOnce)]
    [InlineData(ModelDefects.AssignsOneByOne)]
    [InlineData(ModelDefects.StarComesFirst)]
    [InlineData(ModelDefects.KeepsRefused)]
    [InlineData(ModelDefects.KeepsTheOldDefinition)]
    [InlineData(ModelDefects.JudgesConditionAfterwards)]
    internal async Task A_defect_is_noticed(ModelDefects defect)
    {
        for (var round = 0; round < 10; round++)
        {
            try
            {
                await RunAsync(1000 + round, defect, steps: 300);
            }
            catch (ShouldAssertException)
            {
                return;
            }
        }

        Assert.Fail($"Nothing differed between the service and a model that has the defect {defect}.");
    }

    /// <summary>Defects of the service that the comparison must notice: they are in what is stored of states, which no answer shows.</summary>
    [Theory]
    [InlineData("a state that another definition folded is taken")]
    [InlineData("a stored state is taken for one of an earlier seq")]
    public async Task A_defect_in_stored_states_is_noticed(string defect)
    {
        using var mutant = AssemblyMutant.OfService();
        if (defect.StartsWith("a state", StringComparison.Ordinal)) mutant.MakeBodyReturn("Warp.Http.Entities.StateFold", "FingerprintOf", 1L);
        else mutant.OffBy("Warp.Http.Entities.StateFold", "Restore", "get_Seq", -1);
        (await TestsUnderMutant.PassesAsync(mutant, $"*{nameof(States_and_refusals_are_those_of_a_plain_interpreter)}")).ShouldBeFalse("the test passes with the defect");
    }

    private async Task RunAsync(int seed, ModelDefects defects, int steps)
    {
        _random = new Random(seed);
        _generator = new RandomAggregates(_random);
        _model = new AggregateModel(defects);
        _entities = ["user/0", "user/1", "order/0"];
        _data = _directory.File($"{seed}-{defects}");
        Directory.CreateDirectory(_data);
        Reopen();
        for (_step = 0; _step < steps; _step++) await StepAsync(seed);
        Reopen();
        foreach (var entity in _entities)
            foreach (var aggregate in Aggregates) await CheckAsync(entity, aggregate, $"seed {seed} at the end");
        _fixture.Dispose();
    }

    private async Task StepAsync(int seed)
    {
        var at = _random.Next(_entities.Length);
        if (_model.History(_entities[at]).Count > EventsMax) _entities[at] = $"{_entities[at].Split('/')[0]}/{_step}";
        var entity = _entities[at];
        var where = $"seed {seed}, step {_step}, {entity}";
        switch (_random.Next(100))
        {
            case < 50: await AppendAsync(entity, where); break;
            case < 58: Redefine(where); break;
            case < 74: await CheckAsync(entity, Aggregate(), where); break;
            case < 82: await TravelAsync(entity, Aggregate(), where); break;
            case < 88: await DiffAsync(entity, Aggregate(), where); break;
            case < 94: _fixture.Passivation.Sweep(); break;
            case < 96: await StoreAsync(entity); break;
            case < 98: await _fixture.SealAsync(); break;
            default: Reopen(); break;
        }
    }

    /// <summary>As the background does it, for an entity that grows.</summary>
    private async Task StoreAsync(string entity)
    {
        if ((await _fixture.FindAsync(entity)).Actor is { } actor) await actor.StoreStatesAsync(CancellationToken.None);
    }

    private string Aggregate() => Aggregates[_random.Next(Aggregates.Length)];

    private void Reopen()
    {
        _fixture?.Dispose();
        _fixture = new StoreFixture(StoreFixture.Small(_data), memoryBytes: _random.Next(2) == 0 ? 0 : 1 << 28, storeStateEvents: StoreEvents);
    }

    private void Redefine(string where)
    {
        var name = Aggregates[_random.Next(Aggregates.Length - 1)];
        if (_random.Next(8) == 0)
        {
            _fixture.Definitions.Delete(name).Status.ShouldBe(_model.Definitions.Remove(name) ? DeleteStatus.Deleted : DeleteStatus.NotDefined, where);
            return;
        }

        var isAgain = _random.Next(5) == 0 && _model.Definitions.ContainsKey(name);
        var definition = isAgain ? _model.Definitions[name] : _generator.Definition(defaultForKind: _random.Next(8) switch { 0 => "user", 1 => "order", _ => null });
        var expected = isAgain ? PutStatus.Unchanged : _model.Definitions.ContainsKey(name) ? PutStatus.Replaced : PutStatus.Created;
        var outcome = _fixture.Definitions.Put(name, Encoding.UTF8.GetBytes(definition.ToJson()));
        outcome.Status.ShouldBe(expected, $"{where}: {string.Join("; ", outcome.Errors)} {definition.ToJson()}");
        _model.Definitions[name] = definition;
    }

    private async Task AppendAsync(string entity, string where)
    {
        var events = new ModelEvent[_random.Next(5) == 0 ? _random.Next(1, 25) : _random.Next(1, 4)];
        for (var i = 0; i < events.Length; i++) events[i] = _generator.Event(_random.Next(3) == 0 ? null : Aggregate());
        long? expected = _random.Next(12) == 0 ? _model.History(entity).Count - _random.Next(2) : null;
        var when = _random.Next(5) == 0 ? _generator.Condition(_random.Next(3) == 0 ? null : Aggregate()) : null;
        AppendCondition? condition = null;
        if (when is not null)
        {
            Condition.TryCompile(when.Rule.Text, 4096, out var compiled, out var error).ShouldBeTrue($"{where}: {error}");
            condition = new AppendCondition(compiled!, when.Aggregate);
        }

        var sent = events.Select(e => new TestEvent(e.Type, e.Payload, Aggregate: e.Aggregate, SchemaVersion: e.SchemaVersion)).ToArray();
        var outcome = await _fixture.AppendAsync(new TestAppend(entity, sent, new ExpectedSeq(expected), When: condition));
        var model = _model.Append(entity, events, expected, when);
        outcome.Status.ShouldBe(model.Status, $"{where}: {outcome.Reason ?? outcome.Detail}");
        if (model.Reason is long seq) ((FoldFailure)outcome.Reason!).Seq.ShouldBe(seq, where);
        if (model.Reason is string rule) ((InvariantViolation)outcome.Reason!).Rule.ShouldBe(rule, where);
        _seen.Add($"append {outcome.Status}");
    }

    private async Task CheckAsync(string entity, string aggregate, string where)
    {
        var found = await _fixture.FindAsync(entity);
        var seq = _model.History(entity).Count;
        (found.Actor?.DurableSeq ?? 0).ShouldBe(seq, where);
        if (found.Actor is { } actor) Check(await actor.GetStateAsync(aggregate, CancellationToken.None), entity, aggregate, seq, where);
    }

    /// <summary>By seq, and by the time that the history says for a seq.</summary>
    private async Task TravelAsync(string entity, string aggregate, string where)
    {
        if ((await _fixture.FindAsync(entity)).Actor is not { } actor) return;
        var seq = _random.Next(_model.History(entity).Count + 1);
        Check(await actor.GetStateAtAsync(aggregate, seq, null, CancellationToken.None), entity, aggregate, seq, $"{where} at {seq}");
        var history = (await _fixture.HistoryAsync(entity))!;
        var ms = seq == 0 ? history[0].RecordedAtMs - 1 : history[seq - 1].RecordedAtMs;
        var last = history.Count(e => e.RecordedAtMs <= ms);
        Check(await actor.GetStateAtAsync(aggregate, null, ms, CancellationToken.None), entity, aggregate, last, $"{where} at {ms} ms, which is {last}");
    }

    private async Task DiffAsync(string entity, string aggregate, string where)
    {
        if ((await _fixture.FindAsync(entity)).Actor is not { } actor) return;
        var (from, to) = (_random.Next(_model.History(entity).Count + 1), _random.Next(_model.History(entity).Count + 1));
        if ((await actor.GetStateAtAsync(aggregate, from, null, CancellationToken.None)).Snapshot is not { } before) return;
        if ((await actor.GetStateAtAsync(aggregate, to, null, CancellationToken.None)).Snapshot is not { } after) return;
        using var json = JsonBuffer.Rent();
        JsonPatchDiff.Write(json, before.State.Span, after.State.Span);
        var patched = JsonPatchModel.Apply(Encoding.UTF8.GetString(before.State.Span), Encoding.UTF8.GetString(json.Written));
        PlainJson.AreEqual(PlainJson.Parse(patched), _model.State(entity, aggregate, to)!.Value.State).ShouldBeTrue($"{where} from {from} to {to}: {patched}");
    }

    private void Check(StateResult result, string entity, string aggregate, long seq, string where)
    {
        _seen.Add($"state {result.Status}");
        var expected = _model.State(entity, aggregate, seq);
        if (expected is not { } fold)
        {
            result.Status.ShouldBe(StateStatus.NoSuchAggregate, where);
            return;
        }

        if (fold.FailedSeq > 0)
        {
            result.Status.ShouldBe(StateStatus.FoldFailed, $"{where}, {aggregate}: {State(result)} at {fold.FailedSeq}");
            result.Failure!.Seq.ShouldBe(fold.FailedSeq, where);
            return;
        }

        result.Status.ShouldBe(StateStatus.Found, $"{where}, {aggregate}: {result.Failure}");
        if (result.Snapshot!.BeganAt > 0) _begunAtStored++;
        PlainJson.AreEqual(PlainJson.Parse(State(result)), fold.State).ShouldBeTrue($"{where}, {aggregate}: {State(result)} is not {PlainJson.Text(fold.State)}");
        result.Snapshot!.Seq.ShouldBe(seq, where);
    }

    private static string State(StateResult result) => result.Snapshot is { } snapshot ? Encoding.UTF8.GetString(snapshot.State.Span) : "none";
}
