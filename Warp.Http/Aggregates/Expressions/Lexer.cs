using System.Text;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>Cuts an expression's text into tokens, in one pass and in time linear in its length.</summary>
internal ref partial struct Lexer(string source)
{
    private static readonly string[] LongSigns = ["&&", "||", "==", "!=", "<=", ">="];
    private const string ShortSigns = "+-*/%<>!?:,.()[]{}";

    private readonly string _source = source;
    private int _at;
    private int _line = 1;
    private int _lineStart;

    private readonly int Column => _at - _lineStart + 1;

    public static List<Token> Read(string source)
    {
        var lexer = new Lexer(source);
        var tokens = new List<Token>();
        do tokens.Add(lexer.Next());
        while (tokens[^1].Kind != TokenKind.End);
        return tokens;
    }

    private Token Next()
    {
        SkipBlanks();
        var column = Column;
        if (_at == _source.Length) return new Token(TokenKind.End, string.Empty, _line, column);
        var c = _source[_at];
        if (char.IsAsciiDigit(c) || (c == '.' && _at + 1 < _source.Length && char.IsAsciiDigit(_source[_at + 1])))
            return ReadNumber(column);
        if (c is '"' or '\'') return ReadString(column, isRaw: false);
        if (c is 'r' or 'R' && _at + 1 < _source.Length && _source[_at + 1] is '"' or '\'')
        {
            _at++;
            return ReadString(column, isRaw: true);
        }

        if (char.IsAsciiLetter(c) || c == '_') return ReadName(column);
        foreach (var sign in LongSigns)
        {
            if (!_source.AsSpan(_at).StartsWith(sign, StringComparison.Ordinal)) continue;
            _at += 2;
            return new Token(TokenKind.Sign, sign, _line, column);
        }

        if (!ShortSigns.Contains(c, StringComparison.Ordinal)) throw Error(column, $"'{Show(c)}' is not part of an expression.");
        _at++;
        return new Token(TokenKind.Sign, c.ToString(), _line, column);
    }

    private void SkipBlanks()
    {
        for (; _at < _source.Length; _at++)
        {
            var c = _source[_at];
            if (c == '\n')
            {
                _line++;
                _lineStart = _at + 1;
            }
            else if (c == '/' && _at + 1 < _source.Length && _source[_at + 1] == '/')
            {
                // A comment reaches to the end of its line.
                var end = _source.IndexOf('\n', _at);
                _at = (end < 0 ? _source.Length : end) - 1;
            }
            else if (c is not (' ' or '\t' or '\r' or '\f'))
            {
                return;
            }
        }
    }

    private Token ReadName(int column)
    {
        var start = _at;
        while (_at < _source.Length && (char.IsAsciiLetterOrDigit(_source[_at]) || _source[_at] == '_')) _at++;
        var name = _source[start.._at];
        return name switch
        {
            "null" => new Token(TokenKind.Literal, name, _line, column, JsonValue.Null),
            "true" => new Token(TokenKind.Literal, name, _line, column, JsonValue.True),
            "false" => new Token(TokenKind.Literal, name, _line, column, JsonValue.False),
            _ => new Token(TokenKind.Name, name, _line, column),
        };
    }

    private Token ReadNumber(int column)
    {
        var start = _at;
        if (_source[_at] == '0' && _at + 1 < _source.Length && _source[_at + 1] is 'x' or 'X') return ReadHexadecimal(column);
        SkipDigits();
        if (_at + 1 < _source.Length && _source[_at] == '.' && char.IsAsciiDigit(_source[_at + 1]))
        {
            _at++;
            SkipDigits();
        }

        if (_at < _source.Length && _source[_at] is 'e' or 'E')
        {
            _at++;
            if (_at < _source.Length && _source[_at] is '+' or '-') _at++;
            if (_at == _source.Length || !char.IsAsciiDigit(_source[_at])) throw Error(column, "An exponent has digits after the e.");
            SkipDigits();
        }

        var text = _source[start.._at];
        if (_at < _source.Length && (char.IsAsciiLetterOrDigit(_source[_at]) || _source[_at] == '_'))
            throw Error(column, $"The number {text} is followed by '{_source[_at]}'.");
        if (!Number.TryParse(Encoding.ASCII.GetBytes(text), out var number, out _))
            throw Error(column, $"The number {text} has more than {Number.DigitsMax} significant digits or is too large or small.");
        return new Token(TokenKind.Literal, text, _line, column, new JsonValue(number));
    }

    private Token ReadHexadecimal(int column)
    {
        var start = _at;
        _at += 2;
        while (_at < _source.Length && char.IsAsciiLetterOrDigit(_source[_at])) _at++;
        var text = _source[start.._at];
        if (!long.TryParse(text.AsSpan(2), System.Globalization.NumberStyles.AllowHexSpecifier, provider: null, out var value) || value < 0)
            throw Error(column, $"{text} is not a hexadecimal number of at most 63 bits.");
        return new Token(TokenKind.Literal, text, _line, column, JsonValue.Of(value));
    }

    private void SkipDigits()
    {
        while (_at < _source.Length && char.IsAsciiDigit(_source[_at])) _at++;
    }

    private readonly ExpressionSyntaxException Error(int column, string message) => new(_line, column, message);

    private static string Show(char c) => c is < ' ' or > '~' ? $"\\u{(int)c:x4}" : c.ToString();
}
