using System.Collections.Concurrent;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary><c>text.matches(pattern)</c>, in time that is known beforehand (<see cref="LinearPattern"/>).</summary>
internal static class PatternFunction
{
    private const int CharsMax = 256;

    /// <summary>Instructions of a pattern that one byte may have to be tried on for the price of a step.</summary>
    private const int InstructionsPerStep = 8;

    /// <summary>Comparisons with bounds of a set's ranges for the price of a step.</summary>
    private const int ComparisonsPerStep = 8;

    /// <summary>Computed patterns that are kept; when full, all are dropped, which bounds the memory and costs a compilation.</summary>
    private const int CachedMax = 256;

    /// <summary>Steps that a computed pattern is counted as for its compilation, so that they can't hold the thread.</summary>
    private const int CompilationSteps = 2_000;

    private static readonly ConcurrentDictionary<string, LinearPattern> Cache = new(StringComparer.Ordinal);

    public static Function[] All { get; } = [new("matches", FunctionForms.Method, 2, 2, Matches)];

    private static JsonValue Matches(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments)
    {
        if (arguments[0].Kind != JsonKind.Text) return at.FailArgument(ref e, 0, "a text", arguments[0]);
        if (arguments[1].Kind != JsonKind.Text) return at.FailArgument(ref e, 1, "a pattern as text", arguments[1]);

        // A pattern that is written in the expression is compiled once. Others are charged for it whether or not they are known still, so
        // that an event folds the same whatever was folded before it.
        var isWritten = at.Argument(1) is LiteralNode;
        if (!isWritten && !e.TryCharge(CompilationSteps)) return e.Exhausted(at);
        var pattern = at.Memo as LinearPattern;
        if (pattern is null)
        {
            if (Compile(arguments[1], isWritten, out var error) is not { } compiled)
                return e.TryCharge(CompilationSteps) ? e.Fail(at.Argument(1), error) : e.Exhausted(at);
            pattern = compiled;
            if (isWritten) at.Memo = pattern;
        }

        return e.TryCharge(StepsOf(pattern, arguments[0].Utf8)) ? JsonValue.Of(pattern.IsMatch(arguments[0].Utf8)) : e.Exhausted(at);
    }

    /// <summary>What a search is charged: each byte may visit each instruction, and each character beyond ASCII is looked for in each set's ranges.</summary>
    internal static long StepsOf(LinearPattern pattern, ReadOnlySpan<byte> text)
    {
        var steps = (1 + text.Length) * (1 + ((long)pattern.Instructions / InstructionsPerStep));
        var beyondAscii = 0;
        foreach (var b in text)
            if (b >= 0xC0) beyondAscii++; // the first byte of each
        return steps + (beyondAscii * (long)pattern.Comparisons / ComparisonsPerStep);
    }

    private static LinearPattern? Compile(in JsonValue text, bool isWritten, out string error)
    {
        error = string.Empty;
        if (text.Utf8.Length > CharsMax)
        {
            error = $"The pattern has {text.Utf8.Length} bytes; at most {CharsMax} are allowed.";
            return null;
        }

        var pattern = text.GetString();
        if (!isWritten && Cache.TryGetValue(pattern, out var known)) return known;
        try
        {
            var compiled = LinearPattern.Compile(pattern);
            if (isWritten) return compiled;
            if (Cache.Count >= CachedMax) Cache.Clear();
            Cache[pattern] = compiled;
            return compiled;
        }
        catch (PatternSyntaxException e)
        {
            error = $"'{pattern}' is not a pattern: {e.Message}.";
            return null;
        }
    }
}
