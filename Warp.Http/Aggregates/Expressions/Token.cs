using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

internal enum TokenKind : byte
{
    End,
    Name,
    Literal,
    Sign,
}

/// <summary>A piece of an expression's text with its place.</summary>
/// <param name="Text">The characters of a name or sign; what errors show of a literal.</param>
internal readonly record struct Token(TokenKind Kind, string Text, int Line, int Column, JsonValue Value = default)
{
    public bool Is(string sign) => Kind == TokenKind.Sign && string.Equals(Text, sign, StringComparison.Ordinal);

    public string Shown => Kind == TokenKind.End ? "the end" : $"'{Text}'";
}
