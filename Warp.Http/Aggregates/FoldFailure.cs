namespace Warp.Http.Aggregates;

/// <summary>Why an event doesn't fold or a rule can't be judged: the problem <c>fold-failed</c>.</summary>
/// <param name="Seq">The event at which it failed; for a rule over a state, the state's seq.</param>
/// <param name="Expression">The text of the expression; null where none was to blame, as for a type that is rejected.</param>
/// <param name="Line">Line in the expression, from 1; 0 without an expression.</param>
/// <param name="Column">Column in that line, from 1; 0 without an expression.</param>
/// <param name="Message">What went wrong, in one sentence.</param>
public sealed record FoldFailure(long Seq, string? Expression, int Line, int Column, string Message)
{
    /// <summary>True if a member was read that isn't there, which some readers take for NULL.</summary>
    public bool IsMissingMember { get; init; }

    /// <summary>True if it was a rule or a condition that could not be judged, of which no event is to blame.</summary>
    public bool IsOfRule { get; init; }

    /// <summary>A failure that no expression is to blame for.</summary>
    internal static FoldFailure OfEvent(long seq, string message) => new(seq, Expression: null, 0, 0, message);

    /// <summary>The failure as one sentence for <c>detail</c>.</summary>
    public override string ToString()
    {
        var place = Expression is null ? "" : $" (line {Line}, column {Column} of the expression \"{Expression}\")";
        return IsOfRule ? $"The rule can't be judged at seq {Seq}: {Message}{place}" : $"Event {Seq} does not fold: {Message}{place}";
    }
}
