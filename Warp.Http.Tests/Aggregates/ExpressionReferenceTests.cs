using System.Text;
using System.Text.Json;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Tests.Aggregates;

/// <summary>Runs what docs/expressions.md says.</summary>
public sealed class ExpressionReferenceTests
{
    private const string Arrow = " => ";

    public static TheoryData<int, string, string> Examples()
    {
        var data = new TheoryData<int, string, string>();
        foreach (var (line, text) in Blocks("```expressions"))
        {
            var arrow = text.LastIndexOf(Arrow, StringComparison.Ordinal);
            data.Add(line, text[..arrow].Trim(), text[(arrow + Arrow.Length)..].Trim());
        }

        return data;
    }

    [Theory]
    [MemberData(nameof(Examples))]
    public void An_example_gives_what_it_says(int line, string expression, string expected)
    {
        var e = JsonDocument.Parse(Block("event")).RootElement;
        var entity = JsonDocument.Parse(Block("entity")).RootElement;
        var result = new Expressions
        {
            State = Block("state"),
            Payload = Block("payload"),
            Id = e.GetProperty("id").GetString()!,
            Seq = e.GetProperty("seq").GetInt64(),
            Type = e.GetProperty("type").GetString()!,
            SchemaVersion = e.GetProperty("schemaVersion").GetInt32(),
            RecordedAtMs = e.GetProperty("recordedAt").GetDateTimeOffset().ToUnixTimeMilliseconds(),
            Metadata = e.GetProperty("metadata").GetRawText(),
            Entity = $"{entity.GetProperty("kind").GetString()}/{entity.GetProperty("id").GetString()}",
        }.Evaluate(expression);
        if (expected.StartsWith("error: ", StringComparison.Ordinal))
        {
            result.ShouldStartWith("error: ", customMessage: $"line {line}");
            result.ShouldContain(expected["error: ".Length..], customMessage: $"line {line}");
            return;
        }

        JsonEquality.AreEqual(Encoding.UTF8.GetBytes(result), Encoding.UTF8.GetBytes(expected)).ShouldBeTrue($"line {line}: {expression} gave {result}");
    }

    [Fact]
    public void The_reference_has_examples() => Examples().Count.ShouldBeGreaterThan(120);

    private static string Block(string name) => string.Concat(Blocks($"```json {name}").Select(line => line.Text));

    private static IEnumerable<(int Line, string Text)> Blocks(string fence)
    {
        var isInside = false;
        var number = 0;
        foreach (var line in File.ReadLines(Path.Combine(AppContext.BaseDirectory, "docs", "expressions.md")))
        {
            number++;
            if (string.Equals(line, fence, StringComparison.Ordinal)) isInside = true;
            else if (line.StartsWith("```", StringComparison.Ordinal)) isInside = false;
            else if (isInside && line.Length > 0) yield return (number, line);
        }
    }
}
