using System.Text;
using BenchmarkDotNet.Attributes;
using Warp.Http.Endpoints;
using Warp.Http.Events;

namespace Warp.Http.Bench;

/// <summary>From a request's bytes to the stored form. Budget: 300 ns and 0 B an event.</summary>
[MemoryDiagnoser]
public class ParseBench
{
    private const int BatchEvents = 500;

    private readonly Limits _limits = new();
    private readonly EncodedEvents _events = new();
    private readonly byte[] _single = """{"type":"Credited","payload":{"amount":1000}}"""u8.ToArray();
    private readonly byte[] _pretty = "{\n  \"type\": \"Credited\",\n  \"payload\": {\n    \"amount\": 1000\n  }\n}"u8.ToArray();
    private byte[] _array = [];
    private byte[] _arrayWithIds = [];

    [GlobalSetup]
    public void Setup()
    {
        var single = Encoding.UTF8.GetString(_single);
        _array = Encoding.UTF8.GetBytes("[" + string.Join(',', Enumerable.Repeat(single, BatchEvents)) + "]");
        _arrayWithIds = Encoding.UTF8.GetBytes("[" + string.Join(',', Enumerable.Range(0, BatchEvents).Select(i => single[..^1] + $",\"id\":\"order-{i}\"}}")) + "]");
    }

    [Benchmark(Baseline = true)]
    public int OneEvent() => Parse(_single);

    [Benchmark]
    public int OneEventPretty() => Parse(_pretty);

    [Benchmark(OperationsPerInvoke = BatchEvents)]
    public int ArrayOf500() => Parse(_array);

    [Benchmark(OperationsPerInvoke = BatchEvents)]
    public int ArrayOf500WithIds() => Parse(_arrayWithIds);

    private int Parse(byte[] body)
    {
        _events.Reset();
        if (EventParser.ParseJson(body, _limits, _events, out _) is { } problem) throw new InvalidOperationException(problem.Detail);
        return _events.Length;
    }
}
