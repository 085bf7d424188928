using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary><c>text.matches(pattern)</c> with an engine whose time is linear in the text (<see
/// cref="RegexOptions.NonBacktracking"/>).</summary>
internal static class PatternFunction
{
    /// <summary>Patterns are small: an automaton grows with their length times their repetitions.</summary>
    private const int CharsMax = 256;

    /// <summary>The product of all numbers in braces: how far they can unfold a pattern, should they stand within each other.</summary>
    private const int RepetitionMax = 1_000;

    /// <summary>Parts of an unfolded pattern that one character may have to be tried on for the price of a step.</summary>
    private const int PartsPerStep = 32;

    /// <summary>Compiled patterns that are kept; when full, all are dropped, which bounds the memory and costs a compilation.</summary>
    private const int CachedMax = 256;

    /// <summary>Steps that compiling a pattern is counted as, so that computed patterns can't hold the thread.</summary>
    private const int CompilationSteps = 500;

    /// <summary>A last resort: linear time makes it unreachable for texts within the steps.</summary>
    private static readonly TimeSpan TimeMax = TimeSpan.FromSeconds(1);

    private static readonly ConcurrentDictionary<string, (Regex Regex, int StepsPerByte)> Cache = new(StringComparer.Ordinal);

    public static Function[] All { get; } = [new("matches", FunctionForms.Method, 2, 2, Matches)];

    private static JsonValue Matches(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments)
    {
        if (arguments[0].Kind != JsonKind.Text) return at.FailArgument(ref e, 0, "a text", arguments[0]);
        if (arguments[1].Kind != JsonKind.Text) return at.FailArgument(ref e, 1, "a pattern as text", arguments[1]);

        var pattern = arguments[1].GetString();
        if (!Cache.TryGetValue(pattern, out var known))
        {
            if (Compile(pattern, out var stepsPerByte, out var error) is not { } compiled) return e.Fail(at.Argument(1), error);
            known = (compiled, stepsPerByte);
            if (Cache.Count >= CachedMax) Cache.Clear();
            Cache[pattern] = known;
        }

        // Charged whether or not it was known, so that an event folds the same whatever was folded before it.
        if (!e.TryCharge(CompilationSteps + (arguments[0].Utf8.Length * (long)known.StepsPerByte))) return e.Exhausted(at);
        try
        {
            return JsonValue.Of(known.Regex.IsMatch(arguments[0].GetString()));
        }
        catch (RegexMatchTimeoutException)
        {
            return e.Exhausted(at);
        }
    }

    private static Regex? Compile(string pattern, out int stepsPerByte, out string error)
    {
        var repetitions = Repetitions(pattern);
        stepsPerByte = 1 + (int)(pattern.Length * Math.Min(repetitions, RepetitionMax) / PartsPerStep);
        error = string.Empty;
        if (pattern.Length > CharsMax) error = $"The pattern has {pattern.Length} characters; at most {CharsMax} are allowed.";
        else if (repetitions > RepetitionMax) error = $"The numbers in the pattern's braces multiply to more than {RepetitionMax}.";
        if (error.Length > 0) return null;
        try
        {
            return new Regex(pattern, RegexOptions.NonBacktracking | RegexOptions.CultureInvariant, TimeMax);
        }
        catch (ArgumentException e)
        {
            error = $"'{pattern}' is not a pattern: {e.Message}";
        }
        catch (NotSupportedException)
        {
            error = $"'{pattern}' is not a pattern that can be searched in linear time.";
        }

        return null;
    }

    private static long Repetitions(string pattern)
    {
        long product = 1;
        for (var i = pattern.IndexOf('{', StringComparison.Ordinal); i >= 0 && product <= RepetitionMax; i = pattern.IndexOf('{', i + 1))
        {
            var numbers = pattern.AsSpan(i + 1);
            var end = numbers.IndexOf('}');
            if (end < 0) break;
            long greatest = 1;
            foreach (var range in numbers[..end].Split(','))
                if (uint.TryParse(numbers[..end][range], out var number)) greatest = Math.Max(greatest, number);
            product *= greatest;
        }

        return product;
    }
}
