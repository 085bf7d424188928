using System.Buffers;
using System.Globalization;
using System.Text;
using BenchmarkDotNet.Attributes;
using Warp.Http.Aggregates;
using Warp.Http.Events;

namespace Warp.Http.Bench;

/// <summary>Folding from stored bytes. Time and allocation are per event: events/s on one core is 1 / time.</summary>
[MemoryDiagnoser]
public class FoldBench
{
    private const int Events = 10_000;

    private static readonly EntityName Entity = new("user/alice"u8);

    private readonly ArrayBufferWriter<byte> _rendered = new();
    private byte[] _stored = [];
    private AggregateDefinition? _balance;
    private AggregateDefinition? _twoMembers;
    private AggregateDefinition? _groups;
    private Condition? _condition;
    private FoldState? _folded;

    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        var stored = new MemoryStream();
        for (var i = 0; i < Events; i++)
        {
            var amount = (random.Next(1, 1_000_000) / 100m).ToString(CultureInfo.InvariantCulture);
            var fields = new EventFields
            {
                Type = "Credited"u8,
                Payload = Encoding.UTF8.GetBytes($$"""{"amount":{{amount}},"by":"Resource{{random.Next(30)}}","group":"Group {{random.Next(10)}}"}"""),
                SchemaVersion = 1,
            };
            var record = new byte[EventRecord.SizeMax(fields)];
            stored.Write(record, 0, EventRecord.Write(record, fields));
        }

        _stored = stored.ToArray();
        _balance = Define("""{"initial":{"balance":0},"on":{"Credited":{"balance":"state.balance + payload.amount"}}}""");
        _twoMembers = Define(
            """{"initial":{"balance":0,"count":0},"on":{"Credited":{"balance":"state.balance + payload.amount","count":"state.count + 1"}}}""");
        _groups = Define(
            """{"initial":{"groups":{}},"on":{"*":{"groups":"state.groups.put(payload.group, payload.group in state.groups ? state.groups[payload.group] + 1 : 1)"}}}""");
        Condition.TryCompile("state.balance >= 500 && state.count < 1000000", 4096, out _condition, out _);
        _folded = Fold(_twoMembers);
    }

    [Benchmark(OperationsPerInvoke = Events, Baseline = true)]
    public FoldState OneMember() => Fold(_balance);

    [Benchmark(OperationsPerInvoke = Events)]
    public FoldState TwoMembers() => Fold(_twoMembers);

    [Benchmark(OperationsPerInvoke = Events)]
    public FoldState CountPerGroup() => Fold(_groups);

    [Benchmark(OperationsPerInvoke = Events)]
    public FoldState DefaultMerge() => Fold(definition: null);

    [Benchmark]
    public bool JudgeCondition() => _condition!.TryEvaluate(_folded!, Events, out var holds, out _) && holds;

    [Benchmark]
    public int Render()
    {
        _rendered.ResetWrittenCount();
        _folded!.Render(_rendered);
        return _rendered.WrittenCount;
    }

    [Benchmark]
    public FoldState Clone() => _folded!.Clone();

    private FoldState Fold(AggregateDefinition? definition)
    {
        var state = FoldState.Create(definition, Entity, new Life(0, 1));
        ReadOnlySpan<byte> rest = _stored;
        for (var seq = 1; !rest.IsEmpty; seq++)
        {
            var failure = state.Apply(new RecordedEvent(seq, 1_700_000_000_000, EventRecord.Read(ref rest), default, 0));
            if (failure is not null) throw new InvalidOperationException(failure.ToString());
        }

        return state;
    }

    private static AggregateDefinition Define(string body) =>
        AggregateDefinition.Parse(Encoding.UTF8.GetBytes(body), new Limits(), out _) ?? throw new InvalidOperationException(body);
}
