using System.Text;
using CsCheck;
using Warp.Http.Aggregates;
using Warp.Http.Aggregates.Expressions;

namespace Warp.Http.Tests.Aggregates;

public sealed class ExpressionTests
{
    private const string Sample =
        "has(state.a) ? min(state.a + payload.x * 2.5, 100) / -3 % 7 : [1, \"t\\n\", {'k': !true}].map(i, i == 1 && i in [1] || size('x') > 0)[0]";

    [Theory]
    [InlineData("", 1, 1, "Expected a value, found the end.")]
    [InlineData("1 +", 1, 4, "Expected a value, found the end.")]
    [InlineData("1 + * 2", 1, 5, "Expected a value, found '*'.")]
    [InlineData("(1", 1, 3, "Expected ')', found the end.")]
    [InlineData("1 2", 1, 3, "Expected an operator or the end, found '2'.")]
    [InlineData("state.balance +\n  payload.", 2, 11, "Expected a member's name after '.', found the end.")]
    [InlineData("state.a ? 1", 1, 12, "Expected ':' between the two sides of '?', found the end.")]
    [InlineData("balance + 1", 1, 1, "There is no 'balance'; an expression begins with state, payload, event, entity, a value or a function.")]
    [InlineData("event.foo", 1, 7, "'event' has no 'foo', only id, seq, type, schemaVersion, recordedAt, occurredAt, metadata.")]
    [InlineData("frob(1)", 1, 1, "There is no function 'frob'.")]
    [InlineData("abs(1, 2)", 1, 1, "'abs' takes 1 argument here, not 2.")]
    [InlineData("(1).abs()", 1, 5, "'abs' is called as abs(…).")]
    [InlineData("contains('a', 'b')", 1, 1, "'contains' is called on a value: value.contains(…).")]
    [InlineData("'abc", 1, 1, "The string has no end: its quote is missing.")]
    [InlineData("'a\nb'", 1, 1, "The string has no end in its line.")]
    [InlineData("'\\q'", 1, 2, "\\q is not an escape; a backslash is written \\\\.")]
    [InlineData("'\\uD800'", 1, 2, "U+D800 is not a character.")]
    [InlineData("1 & 2", 1, 3, "'&' is not part of an expression.")]
    [InlineData("1 = 2", 1, 3, "'=' is not part of an expression.")]
    [InlineData("12abc", 1, 1, "The number 12 is followed by 'a'.")]
    [InlineData("1e", 1, 1, "An exponent has digits after the e.")]
    [InlineData("has(1 + 2)", 1, 1, "has() asks for a member or an item, as in has(state.balance).")]
    [InlineData("[1].map(state, 1)", 1, 9, "'state' can't be the name of a variable.")]
    [InlineData("[1].map(x, y)", 1, 12, "There is no 'y'; an expression begins with state, payload, event, entity, a value or a function.")]
    public void An_error_says_where_it_is_and_what_was_expected(string text, int line, int column, string message) =>
        Expressions.Compile(text).ShouldBe(new ExpressionError(line, column, message));

    [Fact]
    public void A_root_that_is_not_to_be_seen_is_an_error()
    {
        Expression.TryCompile("payload.x > 1", ExpressionScope.Rule, 4096, out _, out var error).ShouldBeFalse();
        error.ShouldBe(new ExpressionError(1, 1, "'payload' can't be used here, only state, entity."));
    }

    [Fact]
    public void A_failure_says_where_in_the_expression_it_happened()
    {
        var definition = Definitions.Make("""{"on":{"A":{"x":"1 +\n  (2 / payload.zero)"}}}""");
        var failure = Definitions.NewState(definition).Apply("A", """{"zero":0}""", seq: 3);
        failure.ShouldBe(new FoldFailure(3, "1 +\n  (2 / payload.zero)", 2, 6, "Division by zero."));
    }

    [Theory]
    [InlineData("payload.x", "[1]", "error: There is no member \"x\" in the payload: what it is read from is a list, not a map.")]
    [InlineData("payload", "[1]", "[1]")]
    [InlineData("payload", "1e999", "error: The number 1e999 has more than 28 significant digits or is too large or small to calculate with.")]
    [InlineData("payload.a", """{"a":1,"b":2,"a":3}""", "3")]
    [InlineData("payload.a + payload[\"a\"] + payload.b.c", """{"\u0061":1,"b":{"c":5,"c":6}}""", "8")]
    [InlineData("payload.l == payload.l", """{"l":[1e999]}""", "error: The comparison meets a number outside the range that can be calculated with.")]
    [InlineData("1e2 in payload.l", """{"l":[1e999,100]}""", "true")]
    [InlineData("payload.l.map(x, x)", """{"l":[1e999]}""", "error: The number 1e999 has more than 28 significant digits or is too large or small to calculate with.")]
    [InlineData("payload.l[0]", """{"l":[1e999]}""", "error: The number 1e999 has more than 28 significant digits or is too large or small to calculate with.")]
    [InlineData("max(payload.l)", """{"l":[1,1e999]}""", "error: The number 1e999 has more than 28 significant digits or is too large or small to calculate with.")]
    [InlineData("payload.l", """{"l":[1e999]}""", "[1e999]")]
    [InlineData("[1,2].all(x, x / 0 > 1 || false)", "{}", "error: Division by zero.")]
    [InlineData("[0,1].exists(x, 1 / x == 1)", "{}", "true")]
    [InlineData("[1,2].map(x, [1].map(x, x + 10))", "{}", "[[11],[11]]")]
    [InlineData("a", "{}", "error: There is no 'a'; an expression begins with state, payload, event, entity, a value or a function.")]
    public void Payloads_of_every_kind_are_read(string expression, string payload, string expected) =>
        new Expressions { Payload = payload }.Evaluate(expression).ShouldBe(expected);

    [Fact]
    public void Event_ids_are_given_or_follow_from_life_and_seq()
    {
        new Expressions { Id = "mine" }.Evaluate("event.id").ShouldBe("\"mine\"");
        new Expressions { Seq = 5 }.Evaluate("event.id").ShouldBe($"\"{new Warp.Http.Events.Life(0, 1).EventId(5)}\"");
    }

    [Theory]
    [InlineData("(", ")", 1000)]
    [InlineData("[", "]", 1000)]
    [InlineData("!", "", 2000)]
    [InlineData("-", "", 2000)]
    [InlineData("{'a':", "}", 600)]
    [InlineData("abs(", ")", 600)]
    [InlineData("true ? ", " : 1", 300)]
    [InlineData("state[", "]", 400)]
    public void Deep_nesting_is_refused_before_it_hurts(string open, string close, int depth)
    {
        var text = string.Concat(Enumerable.Repeat(open, depth)) + "1" + string.Concat(Enumerable.Repeat(close, depth));
        Expressions.Compile(text)!.Message.ShouldContain("nested deeper than 64");
    }

    [Theory]
    [InlineData("1", "+1")]
    [InlineData("state", ".a")]
    [InlineData("state", "[0]")]
    [InlineData("true", "&&true")]
    [InlineData("'a'", ".trim()")]
    public void Long_chains_are_refused_before_they_hurt(string first, string next)
    {
        Expressions.Compile(first + string.Concat(Enumerable.Repeat(next, 200))).ShouldBeNull();
        Expressions.Compile(first + string.Concat(Enumerable.Repeat(next, 500)))!.Message.ShouldContain("more than 256 operations");
    }

    [Fact]
    public void A_text_longer_than_the_limit_is_refused() =>
        Expressions.Compile(new string(' ', 4096) + "1")!.Message.ShouldBe("The expression has 4097 characters; at most 4096 are allowed (expressionChars).");

    [Theory]
    [InlineData("payload.l.map(a, payload.l.map(b, payload.l.map(c, payload.l.map(d, a + b + c + d))))")]
    [InlineData("payload.l.map(a, payload.l.map(b, payload.l))")]
    [InlineData("payload.l.map(a, payload.t + payload.t)")]
    [InlineData("payload.l.map(a, payload.t.split(''))")]
    [InlineData("payload.l.map(a, payload.t.replace('a', payload.t))")]
    [InlineData("payload.l.all(a, payload.t.matches('(a|aa)+$'))")]
    [InlineData("payload.l.all(a, payload.t.matches('.*b.{0,900}c'))")]
    [InlineData("payload.l.all(a, payload.l.distinct() == payload.l)")]
    [InlineData("payload.l.all(a, !(payload.t in payload.l) && !payload.t.contains('b'))")]
    public void Hostile_expressions_are_refused(string text)
    {
        var expressions = new Expressions { Payload = $$"""{"l":[{{string.Join(',', Enumerable.Range(0, 1000))}}],"t":"{{new string('a', 20_000)}}"}""" };
        expressions.Evaluate(text).ShouldStartWith("error: ");
    }

    [Fact]
    public void Random_characters_never_crash_the_compiler() =>
        Gen.Char["abefintx.()[]{}'\"\\0123456789+-*/%<>=!&|?:, \n\u00e9\ud83d_r"].Array[0, 60].Sample(chars => Run(new string(chars)), iter: 40_000);

    [Fact]
    public void Mutations_of_a_valid_expression_never_crash_it() =>
        Gen.Select(Gen.Int[0, 200], Gen.Int[0, 30], Gen.Int[0, 200]).Array[1, 6].Sample(cuts =>
        {
            var text = new StringBuilder(Sample);
            foreach (var (from, length, to) in cuts)
            {
                // Moves a piece elsewhere, or doubles it.
                var start = from % text.Length;
                var piece = text.ToString(start, Math.Min(length, text.Length - start));
                if ((from & 1) == 0 && text.Length > piece.Length + 1) text.Remove(start, piece.Length);
                text.Insert(to % text.Length, piece);
            }

            Run(text.ToString());
        }, iter: 25_000);

    [Fact]
    public void Random_valid_expressions_agree_with_a_plain_interpreter() =>
        ExpressionModel.Expressions.Sample(node =>
        {
            var state = """{"a":7,"b":-2.5,"c":"text","d":[1,2,3],"e":true}""";
            var expected = node.Evaluate(new ModelScope(PlainJson.Parse(state)));
            new Expressions { State = state }.Evaluate(node.Text).Split(':')[0].ShouldBe(expected?.Split(':')[0] ?? "error", node.Text);
        }, iter: 25_000);

    private static void Run(string text)
    {
        var error = Expressions.Compile(text);
        if (error is null)
        {
            new Expressions { State = """{"a":1}""", Payload = """{"x":2}""" }.Evaluate(text);
            return;
        }

        error.Line.ShouldBeInRange(1, text.Count(c => c == '\n') + 1);
        error.Column.ShouldBeInRange(1, text.Length + 1);
    }
}
