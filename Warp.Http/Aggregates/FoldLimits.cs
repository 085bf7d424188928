namespace Warp.Http.Aggregates;

/// <summary>What bounds an expression and a state, so that no definition and no history can hold a thread or fill the memory.</summary>
public static class FoldLimits
{
    /// <summary>
    /// Steps for all expressions of one event together: one for an item that a function or macro visits (times the nodes of a macro's
    /// body) and for every 64 bytes of text. About 5 ms; a list of 10,000 items can be filtered by a rule of a dozen nodes.
    /// </summary>
    public const int Steps = 250_000;

    /// <summary>Bytes of a state, or of one value on the way to it, estimated as kept in memory.</summary>
    public const long ValueBytes = 16 * 1024 * 1024;

    /// <summary>Levels of lists and maps in a state: a body may be configured to 512, and an expression may wrap what it read.</summary>
    public const int ValueDepth = 640;

    /// <summary>Levels of parentheses, operands and calls in an expression's text: what the parser recurses through.</summary>
    public const int SourceDepth = 64;

    /// <summary>Levels of an expression's tree: <c>a + b + c</c> has one for each sign. What evaluation recurses through.</summary>
    public const int TreeDepth = 256;

    /// <summary>Macros within macros, and so variables at one time.</summary>
    public const int Variables = 8;

    /// <summary>Arguments of a call.</summary>
    public const int Arguments = 8;
}
