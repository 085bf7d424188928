namespace Warp.Http.Aggregates.Expressions;

/// <summary>A compiled expression. Immutable: any thread may evaluate it.</summary>
public sealed class Expression
{
    internal Expression(string text, Node root)
    {
        Text = text;
        Root = root;
    }

    public string Text { get; }

    internal Node Root { get; }

    /// <summary>Compiles a text by itself; those of a definition share their <see cref="Compilation"/>.</summary>
    /// <param name="charsMax">The longest text allowed (<c>expressionChars</c>).</param>
    public static bool TryCompile(string text, ExpressionScope scope, int charsMax, out Expression? expression, out ExpressionError? error) =>
        TryCompile(text, new Compilation(scope, new Values.Utf8Names(), new PayloadPlan(), charsMax), out expression, out error);

    internal static bool TryCompile(string text, Compilation compilation, out Expression? expression, out ExpressionError? error)
    {
        expression = null;
        error = null;
        if (text.Length > compilation.CharsMax)
        {
            error = new ExpressionError(1, 1, $"The expression has {text.Length} characters; at most {compilation.CharsMax} are allowed (expressionChars).");
            return false;
        }

        try
        {
            expression = new Expression(text, new Parser(Lexer.Read(text), compilation).ParseWhole());
            return true;
        }
        catch (ExpressionSyntaxException e)
        {
            error = e.Error;
            return false;
        }
    }

    /// <summary>What a failed evaluation left, as the caller reports it.</summary>
    internal FoldFailure Failure(in Evaluation e)
    {
        var fault = e.Fault!;
        return new FoldFailure(e.Seq, Text, fault.At.Line, fault.At.Column, fault.Message) { IsMissingMember = fault.IsMissingMember };
    }
}
