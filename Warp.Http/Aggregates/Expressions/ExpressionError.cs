namespace Warp.Http.Aggregates.Expressions;

/// <summary>Why a text is no expression.</summary>
/// <param name="Line">From 1.</param>
/// <param name="Column">Characters from the line's start, from 1.</param>
/// <param name="Message">What was expected and what was found, in one sentence.</param>
public sealed record ExpressionError(int Line, int Column, string Message)
{
    public override string ToString() => $"Line {Line}, column {Column}: {Message}";
}

/// <summary>Carries an <see cref="ExpressionError"/> out of the parser's recursion; never leaves <see cref="Expression"/>.</summary>
internal sealed class ExpressionSyntaxException(int line, int column, string message) : Exception(message)
{
    public ExpressionError Error { get; } = new(line, column, message);
}
