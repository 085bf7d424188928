using System.Globalization;
using System.Text;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <content>String literals as in CEL: single, double and triple quotes, raw strings, and the escapes of its language definition.</content>
internal ref partial struct Lexer
{
    private Token ReadString(int column, bool isRaw)
    {
        var line = _line;
        var quote = _source[_at];
        var triple = new string(quote, 3);
        var isTriple = _source.AsSpan(_at).StartsWith(triple, StringComparison.Ordinal);
        _at += isTriple ? 3 : 1;
        var text = new StringBuilder();
        while (true)
        {
            if (_at >= _source.Length) throw new ExpressionSyntaxException(line, column, "The string has no end: its quote is missing.");
            var c = _source[_at];
            if (c == quote && (!isTriple || _source.AsSpan(_at).StartsWith(triple, StringComparison.Ordinal)))
            {
                _at += isTriple ? 3 : 1;
                return MakeText(text.ToString(), line, column);
            }

            if (c == '\n')
            {
                if (!isTriple) throw new ExpressionSyntaxException(line, column, "The string has no end in its line.");
                _line++;
                _lineStart = _at + 1;
            }

            _at++;
            if (c == '\\' && !isRaw) ReadEscape(text);
            else text.Append(c);
        }
    }

    private static Token MakeText(string text, int line, int column)
    {
        try
        {
            var utf8 = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true).GetBytes(text);
            return new Token(TokenKind.Literal, text, line, column, JsonValue.Of(utf8));
        }
        catch (EncoderFallbackException)
        {
            throw new ExpressionSyntaxException(line, column, "The string has a surrogate that is not one of a pair.");
        }
    }

    private void ReadEscape(StringBuilder text)
    {
        var column = Column - 1;
        if (_at == _source.Length) throw Error(column, "An escape is cut off.");
        var c = _source[_at++];
        switch (c)
        {
            case '\\' or '"' or '\'' or '`' or '?':
                text.Append(c);
                break;
            case 'n':
                text.Append('\n');
                break;
            case 'r':
                text.Append('\r');
                break;
            case 't':
                text.Append('\t');
                break;
            case 'a':
                text.Append('\a');
                break;
            case 'b':
                text.Append('\b');
                break;
            case 'f':
                text.Append('\f');
                break;
            case 'v':
                text.Append('\v');
                break;
            case 'x' or 'X':
                AppendCode(text, ReadHex(2, column), column);
                break;
            case 'u':
                AppendCode(text, ReadHex(4, column), column);
                break;
            case 'U':
                AppendCode(text, ReadHex(8, column), column);
                break;
            case >= '0' and <= '3':
                AppendCode(text, ReadOctal(c, column), column);
                break;
            default:
                throw Error(column, $"\\{Show(c)} is not an escape; a backslash is written \\\\.");
        }
    }

    private uint ReadHex(int digits, int column)
    {
        if (_source.Length - _at < digits
            || !uint.TryParse(_source.AsSpan(_at, digits), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code))
            throw Error(column, $"This escape has {digits} hexadecimal digits.");
        _at += digits;
        return code;
    }

    private uint ReadOctal(char first, int column)
    {
        if (_source.Length - _at < 2 || _source[_at] is < '0' or > '7' || _source[_at + 1] is < '0' or > '7')
            throw Error(column, "An octal escape has three digits.");
        var code = (uint)(((first - '0') << 6) | ((_source[_at] - '0') << 3) | (_source[_at + 1] - '0'));
        _at += 2;
        return code;
    }

    private readonly void AppendCode(StringBuilder text, uint code, int column)
    {
        if (!Rune.IsValid(code)) throw Error(column, $"U+{code:X4} is not a character.");
        text.Append(new Rune(code).ToString());
    }
}
