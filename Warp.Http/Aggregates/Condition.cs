using Warp.Http.Aggregates.Expressions;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates;

/// <summary>An expression over state and entity that is true or false: <c>expect.when</c> and the rules of invariants.</summary>
public sealed class Condition
{
    private readonly Expression _expression;

    internal Condition(Expression expression) => _expression = expression;

    public string Text => _expression.Text;

    /// <param name="charsMax">The longest text allowed (<c>expressionChars</c>).</param>
    public static bool TryCompile(string text, int charsMax, out Condition? condition, out ExpressionError? error)
    {
        condition =
            Expression.TryCompile(text, ExpressionScope.Rule, charsMax, out var expression, out error) ? new Condition(expression!) : null;
        return condition is not null;
    }

    /// <summary>Judges a state.</summary>
    /// <param name="seq">The entity's last seq, which <c>entity.seq</c> is.</param>
    /// <param name="holds">Whether the condition is true.</param>
    /// <param name="failure">Set if the condition can't be judged: a member is missing, or the answer is not a truth value.</param>
    /// <returns>False if it can't be judged.</returns>
    public bool TryEvaluate(FoldState state, long seq, out bool holds, out FoldFailure? failure)
    {
        var e = state.Evaluate(seq);
        var answer = _expression.Root.Evaluate(ref e);
        holds = answer.Kind == JsonKind.True;
        failure = null;
        if (answer.IsBool) return true;
        var reason = answer.IsError ? _expression.Failure(e) : new FoldFailure(seq, Text, 1, 1, $"A condition is true or false, not {Node.Name(answer)}.");
        failure = reason with { IsOfRule = true };
        return false;
    }
}
