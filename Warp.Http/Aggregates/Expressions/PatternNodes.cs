namespace Warp.Http.Aggregates.Expressions;

/// <summary>A part of a pattern, before its repetitions are unfolded.</summary>
internal abstract record PatternNode;

internal sealed record PatternSet(CharacterSet Set) : PatternNode;

internal sealed record PatternAssertion(PatternOp Op) : PatternNode;

internal sealed record PatternSequence(List<PatternNode> Items) : PatternNode;

internal sealed record PatternChoice(List<PatternNode> Options) : PatternNode;

/// <param name="Max">-1 for no end.</param>
internal sealed record PatternRepeat(PatternNode Item, int Min, int Max) : PatternNode;

internal enum PatternOp : byte
{
    /// <summary>Takes one character of a set.</summary>
    Set,

    /// <summary>Goes on at two places.</summary>
    Split,

    /// <summary>Goes on elsewhere.</summary>
    Jump,

    TextBegin,
    TextEnd,
    LineBegin,
    LineEnd,
    WordBoundary,
    NoWordBoundary,

    /// <summary>The pattern was found.</summary>
    Match,
}
