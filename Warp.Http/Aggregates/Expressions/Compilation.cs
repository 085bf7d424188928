using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>What the expressions of one definition or one rule share while they are compiled.</summary>
/// <param name="Names">One array for each name of the definition.</param>
/// <param name="Payload">What the rule reads of the payload; the rule's expressions fill it together.</param>
/// <param name="CharsMax">The longest text of an expression (<c>expressionChars</c>).</param>
internal sealed record Compilation(ExpressionScope Scope, Utf8Names Names, PayloadPlan Payload, int CharsMax);
