using System.Buffers;
using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Tests.Aggregates;

/// <summary>Everything that recurses, at its deepest, on a stack smaller than any thread of the service has.</summary>
public sealed class StackTests
{
    private const int StackBytes = 1024 * 1024;

    [Fact]
    public void The_deepest_values_fit_the_stack() => OnSmallStack(() =>
    {
        var text = Encoding.UTF8.GetBytes(Nested("1"));
        var other = Encoding.UTF8.GetBytes(Nested("2"));
        var value = JsonParser.Parse(text, FoldLimits.ValueDepth);
        JsonRenderer.ToUtf8(value).ShouldBe(text);
        JsonEquality.AreEqual(text, other).ShouldBeFalse();
        var steps = FoldLimits.Steps;
        ValueComparison.AreEqual(value, JsonParser.Parse(other, FoldLimits.ValueDepth), ref steps).ShouldBe(false);
        JsonRenderer.ToUtf8(MergePatch.Apply(value, JsonParser.Parse(other, FoldLimits.ValueDepth), new object())).ShouldBe(other);
        JsonPatchDiff.Write(new ArrayBufferWriter<byte>(), text, other);
    });

    [Fact]
    public void The_deepest_expressions_fit_the_stack() => OnSmallStack(() =>
    {
        var expressions = new Expressions { State = """{"a":1}""" };
        var chain = string.Concat(Enumerable.Repeat("state.a + ", 250)) + "1";
        expressions.Evaluate(chain).ShouldBe("251");
        expressions.Evaluate(string.Concat(Enumerable.Repeat("max(0, ", 62)) + "5" + new string(')', 62)).ShouldBe("5");
    });

    private static string Nested(string innermost) => string.Concat(Enumerable.Repeat("{\"a\":", FoldLimits.ValueDepth)) + innermost + new string('}', FoldLimits.ValueDepth);

    private static void OnSmallStack(Action body)
    {
        Exception? failure = null;
        var thread = new Thread(
            () =>
            {
                try
                {
                    body();
                }
                catch (Exception e)
                {
                    failure = e;
                }
            },
            StackBytes);
        thread.Start();
        thread.Join();
        failure.ShouldBeNull();
    }
}
