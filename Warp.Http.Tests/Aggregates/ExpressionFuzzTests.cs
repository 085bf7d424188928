using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Aggregates;

/// <summary>
/// Whatever an expression is and whatever it is given: it ends, within memory that is bounded, and gives the same again.
/// <c>WARP_TEST_FUZZ=100000</c> runs as many and looks at the clock, too, which on a busy machine says nothing: 100 ms to compile, and as long to evaluate.
/// </summary>
public sealed class ExpressionFuzzTests
{
    /// <summary>What the steps of one evaluation can allocate: the dearest takes about 1 KB.</summary>
    private const long AllocatedMax = 512L << 20;

    private static readonly TimeSpan TimeMax = TimeSpan.FromMilliseconds(100);

    private static readonly bool IsLong = Environment.GetEnvironmentVariable("WARP_TEST_FUZZ") is { Length: > 0 };

    private static readonly Expressions Small = new()
    {
        State = """{"list":[3,1,"a",null],"map":{"a":1,"b":{"a":[1e400]}},"text":"2026-03-01T12:00:00.5+01:00","number":2.5}""",
        Payload = """{"list":[1,2,3,3.0],"text":"a,b,c","part":",","number":-7}""",
        Metadata = """{"a":1}""",
    };

    private static readonly Expressions Large = new()
    {
        State = $$"""
            {"list":[{{string.Join(',', Enumerable.Range(0, 2_000))}}],"number":1e20,"text":"{{new string('a', 100_000)}}",
             "map":{ {{string.Join(',', Enumerable.Range(0, 300).Select(i => $"\"{new string('n', 1000)}{i}\":{i}"))}} } }
            """,
        Payload = $$"""{"list":[{{string.Join(',', Enumerable.Repeat("\"ab\"", 3_000))}}],"text":"{{Periodic(60_000, "b")}}","part":"{{Periodic(25_000, "c")}}","number":3}""",
        Metadata = $$"""{"a":"{{new string('m', 60_000)}}"}""",
    };

    [Fact]
    public void Random_expressions_end_within_bounds_on_small_and_large_data()
    {
        var random = TestRun.Random();
        var grammar = new ExpressionGrammar(random);
        var values = 0;
        for (var i = TestRun.Rounds("WARP_TEST_FUZZ", 2_500); i > 0; i--)
        {
            var text = grammar.Make(random.Next(1, 6));
            if (Expressions.Compile(text) is not null) continue;
            var result = Run(Small, text);
            Run(Small, text).ShouldBe(result, text);
            if (!result.StartsWith("error: ", StringComparison.Ordinal)) values++;
            if (i % 8 == 0) Run(Large, text);
        }

        values.ShouldBeGreaterThan(100, "expressions that only fail try little");
    }

    /// <summary>Each is cheap to write and would be dear to evaluate.</summary>
    [Theory]
    [InlineData("payload.list.map(a, payload.list.map(b, payload.list.map(c, [a, b, c])))")]
    [InlineData("[1,2].map(a, state.list).map(b, [b, b, b, b].map(c, [c, c, c, c]).map(d, [d, d, d, d]).map(e, [e, e, e, e, e, e, e, e]))")]
    [InlineData("payload.list.map(a, payload.text + payload.text)")]
    [InlineData("payload.text.replace('a', payload.text)")]
    [InlineData("payload.list.all(a, payload.text.split('').size() > 0)")]
    [InlineData("payload.list.all(a, !payload.text.contains(payload.part))")]
    [InlineData("payload.list.all(a, payload.text.split(payload.part).size() == 1)")]
    [InlineData("payload.list.all(a, payload.text.replace(payload.part, 'x') != '')")]
    [InlineData("payload.list.all(a, !(payload.text in state.map))")]
    [InlineData("payload.list.exists(a, state.map[payload.text] == 1)")]
    [InlineData("payload.list.all(a, state.map.put('a', 1) != {})")]
    [InlineData("payload.list.all(a, state.map.remove('a') == state.map)")]
    [InlineData("payload.list.map(a, payload.list.map(b, event.metadata))")]
    [InlineData("payload.list.all(a, !state.text.matches('((a{1,5}){1,5}){1,5}b'))")]
    [InlineData("payload.list.all(a, !state.text.matches('(?:a.{0,20}){0,45}b'))")]
    [InlineData("payload.list.all(a, !state.text.matches('(x+x+)+y|(.*)*(.*)*z'))")]
    [InlineData("state.list.all(a, !'t'.matches('a{' + string(a + 1) + '}'))")]
    [InlineData("state.list.exists(a, 't'.matches('(' + string(a)))")]
    [InlineData("state.text.matches('((((a{1000}){1000}){1000}){1000}){1000}')")]
    [InlineData("payload.list.map(a, payload.list).map(b, b.distinct() == b.map(c, c + 'x').distinct())")]
    public void Hostile_expressions_are_refused_within_bounds(string text)
    {
        var result = Run(Large, text);
        var isRefused = result.Contains("steps", StringComparison.Ordinal) || result.Contains("would take more than", StringComparison.Ordinal)
            || result.Contains("not a pattern", StringComparison.Ordinal);
        isRefused.ShouldBeTrue(result[..Math.Min(200, result.Length)]);
    }

    [Fact]
    public void An_error_that_is_passed_over_again_and_again_costs_little() =>
        Run(Large, $"payload.list.exists(a, payload.list.exists(b, state.{new string('x', 3_900)}))").ShouldContain("steps");

    [Fact]
    public void Deep_nesting_is_refused_where_it_is_written_and_where_it_grows()
    {
        string[] written =
        [
            new string('(', 2_000) + "1" + new string(')', 2_000), new string('[', 4_000), string.Concat(Enumerable.Repeat("{'a':", 800)), new string('!', 4_000) + "true",
            new string('-', 4_000) + "1", string.Concat(Enumerable.Repeat("max(1,", 600)), string.Concat(Enumerable.Repeat("true?1:", 500)) + "1",
            string.Concat(Enumerable.Repeat("state.list.map(a,", 200)), string.Concat(Enumerable.Repeat("1+", 1_500)) + "1", "state" + string.Concat(Enumerable.Repeat("[0]", 1_000)),
            "state" + string.Concat(Enumerable.Repeat(".a", 1_500)), new string('(', 1_000_000),
        ];
        foreach (var text in written) Within(() => Expressions.Compile(text)).ShouldNotBeNull(text[..Math.Min(40, text.Length)]);

        Grows("[state.x]", "nested deeper than", eventsMax: FoldLimits.ValueDepth + 1);
        Grows("{'x': state.x}", "nested deeper than", eventsMax: FoldLimits.ValueDepth + 1);
    }

    [Fact]
    public void Exponential_lists_and_maps_are_refused_though_they_share_their_parts()
    {
        Grows("[state.x, state.x]", "would take more than", eventsMax: 25);
        Grows("{'a': state.x, 'b': state.x, 'c': {'d': state.x}}", "would take more than", eventsMax: 25);
        Grows("[1, 2, 3].map(a, [4, 5, 6].map(b, state.x))", "would take more than", eventsMax: 25);
        Grows("{'x': state.x}.put('y', state.x).put('z', [state.x])", "would take more than", eventsMax: 25);
    }

    [Fact]
    public void Giant_strings_are_refused()
    {
        Grows("string(state.x) + string(state.x)", "would take more than", eventsMax: 30);
        Grows("string(state.x) + 'aaaa'.replace('a', string(state.x))", "would take more than", eventsMax: 30);
        Grows("'a,' + string(state.x).replace(',', ',,')", "would take more than", eventsMax: 30);
        Grows("'ab'.split('').map(c, string(state.x))[0] + string(state.x)", "would take more than", eventsMax: 30);
    }

    /// <summary>Event by event each makes more of what the one before it made, until one is refused and leaves the state as it was.</summary>
    private static void Grows(string expression, string refusal, int eventsMax)
    {
        var definition = Definitions.Make($$"""{"initial":{"x":1},"on":{"Grown":{"x":"{{expression}}"} } }""");
        var state = Definitions.NewState(definition);
        for (var i = 0; i < eventsMax; i++)
        {
            var before = state.SizeEstimate;
            if (Within(() => state.Apply("Grown", "{}")) is not { } failure) continue;
            failure.Message.ShouldContain(failure.Message.Contains("steps", StringComparison.Ordinal) ? "steps" : refusal, customMessage: expression);
            state.SizeEstimate.ShouldBe(before);
            state.SizeEstimate.ShouldBeLessThan(FoldLimits.ValueBytes + 1_000);
            return;
        }

        Assert.Fail($"{expression} was never refused.");
    }

    private static string Run(Expressions expressions, string text)
    {
        var result = Within(() => expressions.Evaluate(text), () => expressions.Took);
        expressions.StepsUsed.ShouldBeLessThanOrEqualTo(FoldLimits.Steps, text);
        return result;
    }

    /// <summary>Memory always; time where somebody asked for it.</summary>
    private static T Within<T>(Func<T> act, Func<TimeSpan>? took = null)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var started = ThreadTime.Now;
        var result = act();
        var elapsed = took?.Invoke() ?? ThreadTime.Now - started;
        (GC.GetAllocatedBytesForCurrentThread() - before).ShouldBeLessThan(AllocatedMax, $"{result}");
        if (IsLong) elapsed.ShouldBeLessThan(TimeMax, $"{result}");
        return result;
    }

    /// <summary>ababab…, which agrees with itself nearly everywhere, and another end.</summary>
    private static string Periodic(int length, string end) => new StringBuilder().Insert(0, "ab", length / 2).Append(end).ToString();
}
