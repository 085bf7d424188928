using System.Diagnostics;
using System.Text;
using CsCheck;
using Warp.Http.Aggregates.Expressions;

namespace Warp.Http.Tests.Aggregates;

public sealed class LinearPatternTests
{
    [Theory]
    [InlineData("", "", true)]
    [InlineData("^$", "", true)]
    [InlineData("^a.c$", "abc", true)]
    [InlineData("^a.c$", "a\nc", false)]
    [InlineData("(?s)^a.c$", "a\nc", true)]
    [InlineData("b$", "ab\n", false)]
    [InlineData("(?m)^b$", "a\nb\nc", true)]
    [InlineData("(?i)äÖ", "ÄÖ", true)]
    [InlineData("a(?i)b", "aB", true)]
    [InlineData("(?:a(?i)b)c", "aBC", false)]
    [InlineData("(?i:a)b", "AB", false)]
    [InlineData(@"\bword\b", "a word.", true)]
    [InlineData(@"\bword\b", "words", false)]
    [InlineData(@"o\Br", "word", true)]
    [InlineData(@"\d", "٣", false)]
    [InlineData(@"^\pN$", "٣", true)]
    [InlineData(@"^\p{Lu}\P{Lu}$", "Äö", true)]
    [InlineData(@"^[\p{Lu}\d_-]+$", "ÄB-9_", true)]
    [InlineData(@"^[^\s\d]+$", "a b", false)]
    [InlineData("^[]a-]+$", "]-a", true)]
    [InlineData("^[[:alpha:]]{2}[[:^alpha:]]$", "ab1", true)]
    [InlineData(@"^\x41\x{1F600}\.$", "A😀.", true)]
    [InlineData("^.$", "😀", true)]
    [InlineData("^a{2,3}$", "aaaa", false)]
    [InlineData("^a{2,}$", "aaaa", true)]
    [InlineData("^a{,2}$", "a{,2}", true)]
    [InlineData("^(?P<year>[0-9]{4})-(?<month>[0-9]{2})$", "2026-03", true)]
    [InlineData("^a+?b*?c??$", "aab", true)]
    [InlineData("(|a)+$", "b", true)]
    [InlineData("((a*)*)*b", "aaaa", false)]
    [InlineData("a|b|", "c", true)]
    public void A_pattern_is_found_as_RE2_finds_it(string pattern, string text, bool expected) =>
        LinearPattern.Compile(pattern).IsMatch(Encoding.UTF8.GetBytes(text)).ShouldBe(expected);

    [Theory]
    [InlineData("(")]
    [InlineData(")")]
    [InlineData("[a")]
    [InlineData("[b-a]")]
    [InlineData("*")]
    [InlineData("a**")]
    [InlineData("a{2}{3}")]
    [InlineData("a{3,2}")]
    [InlineData("a{1001}")]
    [InlineData("(a{1000}){1000}")]
    [InlineData("(?=a)")]
    [InlineData("(?<!a)")]
    [InlineData("(?>a)")]
    [InlineData(@"(a)\1")]
    [InlineData(@"\")]
    [InlineData(@"[\")]
    [InlineData(@"\k")]
    [InlineData(@"\Qa\E")]
    [InlineData(@"\x4")]
    [InlineData(@"\x{110000}")]
    [InlineData(@"\p{Greek}")]
    [InlineData(@"\p")]
    [InlineData("[[:nothing:]]")]
    public void What_is_no_pattern_is_told(string pattern) => Should.Throw<PatternSyntaxException>(() => LinearPattern.Compile(pattern)).Message.ShouldNotBeEmpty();

    [Fact]
    public void What_is_empty_may_be_repeated_a_thousand_times_a_thousand()
    {
        LinearPattern.Compile("((((((){1000}){1000}){1000}){1000}){1000})").IsMatch(""u8).ShouldBeTrue();
        LinearPattern.Compile("(((((x{0}){1000}){1000}){1000}){1000})y").IsMatch("xy"u8).ShouldBeTrue();
    }

    [Fact]
    public void Random_patterns_agree_with_sets_of_places() =>
        Gen.Select(PatternModel.Patterns, Gen.Char["abcAB \n1"].Array[0, 12]).Sample((pattern, characters) =>
        {
            var text = new string(characters);
            var expected = Enumerable.Range(0, text.Length + 1).Any(start => pattern.Ends(text, start).Count > 0);
            LinearPattern.Compile(pattern.Text).IsMatch(Encoding.UTF8.GetBytes(text)).ShouldBe(expected, $"'{pattern.Text}' in '{text}'");
        }, iter: 15_000);

    [Fact]
    public void Random_characters_are_a_pattern_or_are_refused() =>
        Gen.Char["ab()[]{}*+?|^$.\\,:-<>=!PpQEdxisz19é\ud83d\n"].Array[0, 40].Sample(characters =>
        {
            try
            {
                LinearPattern.Compile(new string(characters)).IsMatch("ab1\n"u8);
            }
            catch (PatternSyntaxException)
            {
                // The only exception there is.
            }
        }, iter: 40_000);

    /// <summary>What makes one set dearer than another is charged, so that no pattern is a cheaper way to hold a thread than the plainest one.</summary>
    [Fact]
    public void Sets_of_many_ranges_that_ignore_case_are_charged_what_they_cost()
    {
        var text = Encoding.UTF8.GetBytes(new string('ж', 1_000));
        var plain = Steps("(?:[^b]{0,40}){0,24}b");
        Steps($"(?:[^{Ranges}b]{{0,40}}){{0,24}}b").ShouldBeGreaterThan(plain * 3 / 2);
        Steps($"(?i)(?:[^{Ranges}b]{{0,40}}){{0,24}}b").ShouldBeGreaterThan(plain * 4);
        PatternFunction.StepsOf(LinearPattern.Compile("[a-z]+b"), "aaaa"u8).ShouldBe(5, "ASCII is settled beforehand");

        long Steps(string pattern) => PatternFunction.StepsOf(LinearPattern.Compile(pattern), text);
    }

    /// <summary>The same by the clock, which on a busy machine says nothing: with <c>WARP_TEST_FUZZ</c> only.</summary>
    [Fact]
    public void A_step_of_a_hostile_pattern_takes_as_long_as_one_of_a_plain_pattern()
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("WARP_TEST_FUZZ") is { Length: > 0 }, "It looks at the clock.");
        var text = new string('ж', 5_000);
        var plain = NanosecondsPerStep("b", new string('a', 5_000));
        (string Pattern, string Text)[] hostile =
        [
            ("(?:a.{0,20}){0,45}b", new string('a', 5_000)),
            ("(?:[ж].{0,20}){0,45}b", text),
            ($"(?i)(?:[^{Ranges}b]{{0,40}}){{0,24}}b", text),
            ($"(?i)(?:[^{Ranges}b]{{0,40}}){{0,24}}b", string.Concat(Enumerable.Range(0, 5_000).Select(i => (char)(0x500 + (i * 7 % 6_000))))),
            (@"(?i)(?:[\p{Ll}\p{Lu}\s]{0,40}){0,24}b", text),
            (@"(?i)(?:[\W\PL]{0,40}){0,24}\x01", text),
            ("(?i)" + new string('ж', 120), text),
        ];
        foreach (var (pattern, against) in hostile) NanosecondsPerStep(pattern, against).ShouldBeLessThan(plain * 8, pattern);
    }

    /// <summary>Letters apart from each other, so that each is a range.</summary>
    private static string Ranges => string.Concat(Enumerable.Range(0, 60).Select(i => (char)(0x400 + (i * 4))));

    private static double NanosecondsPerStep(string pattern, string text)
    {
        var compiled = LinearPattern.Compile(pattern);
        var utf8 = Encoding.UTF8.GetBytes(text);
        var best = TimeSpan.MaxValue;
        for (var i = 0; i < 9; i++)
        {
            var watch = Stopwatch.StartNew();
            compiled.IsMatch(utf8);
            if (watch.Elapsed < best) best = watch.Elapsed;
        }

        return best.TotalNanoseconds / PatternFunction.StepsOf(compiled, utf8);
    }

    /// <summary>A pattern, and the plain way to where it can end when it begins at a place.</summary>
    private sealed record PatternModel(string Text, Func<string, int, HashSet<int>> Ends)
    {
        public static Gen<PatternModel> Patterns { get; } = Tree(3);

        private static Gen<PatternModel> Tree(int depth)
        {
            var atoms = Gen.OneOf(
                One("a", c => c == 'a'), One("[ab]", c => c is 'a' or 'b'), One("[^a]", c => c != 'a'), One(".", c => c != '\n'), One(@"\d", char.IsAsciiDigit),
                One(@"\W", c => !char.IsAsciiLetterOrDigit(c)), One("(?i:b)", c => c is 'b' or 'B'), At("^", (_, at) => at == 0), At("$", (text, at) => at == text.Length),
                At(@"\b", (text, at) => IsWord(text, at - 1) != IsWord(text, at)), At("", (_, _) => true));
            if (depth == 0) return atoms;
            var inner = Tree(depth - 1);
            return Gen.Frequency(
                (2, atoms),
                (3, Gen.Select(inner, inner, (left, right) => new PatternModel(left.Text + right.Text, (text, at) => [.. left.Ends(text, at).SelectMany(end => right.Ends(text, end))]))),
                (2, Gen.Select(inner, inner, (left, right) => new PatternModel($"(?:{left.Text}|{right.Text})", (text, at) => [.. left.Ends(text, at), .. right.Ends(text, at)]))),
                (2, Gen.Select(inner, Gen.OneOf(("*", 0, 99), ("+", 1, 99), ("?", 0, 1), ("{2}", 2, 2), ("{0,2}", 0, 2), ("{1,}", 1, 99), ("*?", 0, 99)), Repeat)));
        }

        private static PatternModel Repeat(PatternModel item, (string Text, int Min, int Max) times) => new($"(?:{item.Text}){times.Text}", (text, at) =>
        {
            HashSet<int> reached = [at];
            HashSet<int> ends = times.Min == 0 ? [at] : [];

            // More often than the text is long it can only be empty.
            for (var i = 1; i <= Math.Min(times.Max, text.Length + 2); i++)
            {
                reached = [.. reached.SelectMany(place => item.Ends(text, place))];
                if (i >= times.Min) ends.UnionWith(reached);
            }

            return ends;
        });

        private static PatternModel One(string pattern, Func<char, bool> takes) => new(pattern, (text, at) => at < text.Length && takes(text[at]) ? [at + 1] : []);

        private static PatternModel At(string pattern, Func<string, int, bool> holds) => new(pattern, (text, at) => holds(text, at) ? [at] : []);

        private static bool IsWord(string text, int at) => at >= 0 && at < text.Length && char.IsAsciiLetterOrDigit(text[at]);
    }
}
