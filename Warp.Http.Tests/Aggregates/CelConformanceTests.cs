using System.Text;
using System.Text.Json;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Tests.Aggregates;

/// <summary>What CEL's published conformance cases say about the subset.</summary>
/// <remarks>
/// The table states facts of <see href="https://github.com/google/cel-spec">google/cel-spec</see> (Apache 2.0),
/// tests/simple/testdata at 508bd98efda4, each under the name of its file, section and test: an expression and its value. Variables became
/// members of the state, and <c>dyn(x)</c>, which only speaks to a type checker, became <c>x</c>. Where the value here differs on purpose,
/// <c>ours</c> or <c>oursError</c> stands beside it. What is left out is told in docs/expressions.md.
/// </remarks>
public sealed class CelConformanceTests
{
    private static readonly List<JsonElement> Cases =
        [.. File.ReadLines(Path.Combine(AppContext.BaseDirectory, "Aggregates", "CelConformance.jsonl")).Select(line => JsonDocument.Parse(line).RootElement)];

    public static TheoryData<string> Files() => [.. Cases.Select(FileOf).Distinct(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Files))]
    public void A_published_case_gives_the_published_value(string file)
    {
        var wrong = Cases.Where(c => FileOf(c) == file).Where(c => !Agrees(c)).Select(c => $"{c.GetProperty("case")} gave {Evaluate(c)}");
        wrong.ShouldBeEmpty();
    }

    [Fact]
    public void The_table_is_whole_and_few_cases_differ()
    {
        Cases.Count.ShouldBe(604);
        Cases.Count(c => c.TryGetProperty("ours", out _) || c.TryGetProperty("oursError", out _)).ShouldBe(26);
        Cases.Select(c => c.GetProperty("case").GetString()).Distinct(StringComparer.Ordinal).Count().ShouldBe(Cases.Count);
    }

    private static string FileOf(JsonElement c) => c.GetProperty("case").GetString()!.Split('/')[0];

    private static string Evaluate(JsonElement c) =>
        new Expressions { State = c.TryGetProperty("state", out var state) ? state.GetRawText() : "{}" }.Evaluate(c.GetProperty("expr").GetString()!);

    private static bool Agrees(JsonElement c)
    {
        var result = Evaluate(c);
        var isError = result.StartsWith("error: ", StringComparison.Ordinal);
        if (c.TryGetProperty("oursError", out _)) return isError;
        if (!c.TryGetProperty("ours", out var expected) && !c.TryGetProperty("value", out expected)) return isError;
        return !isError && JsonEquality.AreEqual(Encoding.UTF8.GetBytes(result), Encoding.UTF8.GetBytes(expected.GetRawText()));
    }
}
