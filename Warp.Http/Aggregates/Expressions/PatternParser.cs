using System.Globalization;
using System.Text;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>Why a text is no pattern, in one sentence without its subject.</summary>
internal sealed class PatternSyntaxException(string message) : Exception(message);

/// <summary>Reads a pattern in the syntax of RE2 (<see href="https://github.com/google/re2/wiki/Syntax"/>), which is CEL's.</summary>
/// <remarks>Recursion is bounded by the length of a pattern. Groups capture nothing: only whether there is a match is asked.</remarks>
internal sealed class PatternParser(string pattern)
{
    private const int RepetitionMax = 1_000;

    private readonly int[] _runes = [.. pattern.EnumerateRunes().Select(rune => rune.Value)];
    private int _at;
    private bool _ignoresCase;
    private bool _isMultiline;
    private bool _dotTakesNewline;

    private bool IsAtEnd => _at >= _runes.Length;

    public PatternNode Parse()
    {
        var node = ParseChoice();
        if (!IsAtEnd) throw new PatternSyntaxException("a ) has no (");
        return node;
    }

    private PatternNode ParseChoice()
    {
        var options = new List<PatternNode> { ParseSequence() };
        while (TryTake('|')) options.Add(ParseSequence());
        return options.Count == 1 ? options[0] : new PatternChoice(options);
    }

    private PatternSequence ParseSequence()
    {
        var items = new List<PatternNode>();
        while (!IsAtEnd && _runes[_at] is not ('|' or ')'))
            if (ParseAtom() is { } atom) items.Add(ParseRepeat(atom));
        return new PatternSequence(items);
    }

    private PatternNode ParseRepeat(PatternNode atom)
    {
        if (!TryTakeRepeat(out var min, out var max)) return atom;
        TryTake('?'); // the shortest match is a match
        if (TryTakeRepeat(out _, out _)) throw new PatternSyntaxException("a repetition follows a repetition");
        return new PatternRepeat(atom, min, max);
    }

    private bool TryTakeRepeat(out int min, out int max)
    {
        (min, max) = (0, -1);
        if (TryTake('*')) return true;
        if (TryTake('+'))
        {
            min = 1;
            return true;
        }

        if (TryTake('?'))
        {
            max = 1;
            return true;
        }

        var start = _at;
        if (TryTake('{') && TryTakeNumber(out min))
        {
            max = min;
            if (TryTake(',') && !TryTakeNumber(out max)) max = -1;
            if (TryTake('}'))
            {
                if (min > RepetitionMax || max > RepetitionMax) throw new PatternSyntaxException($"a part is repeated more than {RepetitionMax} times");
                if (max >= 0 && max < min) throw new PatternSyntaxException("a repetition ends before it begins");
                return true;
            }
        }

        _at = start; // braces that are none stand for themselves
        return false;
    }

    private bool TryTakeNumber(out int number)
    {
        number = 0;
        var start = _at;
        while (!IsAtEnd && _runes[_at] is >= '0' and <= '9') number = Math.Min(RepetitionMax + 1, (number * 10) + _runes[_at++] - '0');
        return _at > start;
    }

    /// <summary>Null for what only sets flags.</summary>
    private PatternNode? ParseAtom()
    {
        var c = _runes[_at++];
        switch (c)
        {
            case '(':
                return ParseGroup();
            case '[':
                return new PatternSet(ParseClass());
            case '.':
                return new PatternSet((_dotTakesNewline ? new CharacterSet { IsNegated = true } : new CharacterSet { IsNegated = true }.Add('\n', '\n')).Seal());
            case '^':
                return new PatternAssertion(_isMultiline ? PatternOp.LineBegin : PatternOp.TextBegin);
            case '$':
                return new PatternAssertion(_isMultiline ? PatternOp.LineEnd : PatternOp.TextEnd);
            case '*' or '+' or '?':
                throw new PatternSyntaxException($"nothing stands before {(char)c}");
            case '\\':
                return ParseEscape();
            default:
                return Character(c);
        }
    }

    private PatternNode? ParseGroup()
    {
        var flags = (_ignoresCase, _isMultiline, _dotTakesNewline);
        if (TryTake('?') && !TryTakeName())
        {
            ReadFlags();
            if (TryTake(')')) return null; // until the end of the group around it
            if (!TryTake(':')) throw new PatternSyntaxException("look-around and other groups with ? are not known");
        }

        var inner = ParseChoice();
        if (!TryTake(')')) throw new PatternSyntaxException("a ( has no )");
        (_ignoresCase, _isMultiline, _dotTakesNewline) = flags;
        return inner;
    }

    private bool TryTakeName()
    {
        var start = _at;
        TryTake('P');
        if (TryTake('<'))
        {
            var name = _at;
            while (!IsAtEnd && _runes[_at] < 128 && (char.IsAsciiLetterOrDigit((char)_runes[_at]) || _runes[_at] == '_')) _at++;
            if (_at > name && TryTake('>')) return true;
        }

        _at = start;
        return false;
    }

    private void ReadFlags()
    {
        var on = true;
        while (!IsAtEnd && _runes[_at] is 'i' or 'm' or 's' or 'U' or '-')
        {
            switch (_runes[_at++])
            {
                case 'i': _ignoresCase = on; break;
                case 'm': _isMultiline = on; break;
                case 's': _dotTakesNewline = on; break;
                case '-': on = false; break;
                default: break; // U changes which match is found, not whether there is one
            }
        }
    }

    private PatternNode ParseEscape()
    {
        if (IsAtEnd) throw new PatternSyntaxException("it ends with \\");
        switch (_runes[_at])
        {
            case 'A': _at++; return new PatternAssertion(PatternOp.TextBegin);
            case 'z': _at++; return new PatternAssertion(PatternOp.TextEnd);
            case 'b': _at++; return new PatternAssertion(PatternOp.WordBoundary);
            case 'B': _at++; return new PatternAssertion(PatternOp.NoWordBoundary);
            default:
                var set = new CharacterSet { IgnoresCase = _ignoresCase };
                if (!TryReadSetEscape(set))
                {
                    var c = ReadCharacterEscape();
                    set.Add(c, c);
                }

                return new PatternSet(set.Seal());
        }
    }

    private CharacterSet ParseClass()
    {
        var set = new CharacterSet { IgnoresCase = _ignoresCase, IsNegated = TryTake('^') };
        for (var isFirst = true; isFirst || IsAtEnd || _runes[_at] != ']'; isFirst = false)
        {
            if (IsAtEnd) throw new PatternSyntaxException("a [ has no ]");
            if (TryReadNamedClass(set)) continue;
            if (TryTake('\\'))
            {
                if (IsAtEnd) throw new PatternSyntaxException("a [ has no ]");
                if (TryReadSetEscape(set)) continue;
                _at--;
            }

            var from = ReadClassCharacter();
            var to = from;
            if (_at + 1 < _runes.Length && _runes[_at] == '-' && _runes[_at + 1] != ']')
            {
                _at++;
                to = ReadClassCharacter();
            }

            if (to < from) throw new PatternSyntaxException("a range ends before it begins");
            set.Add(from, to);
        }

        _at++;
        return set.Seal();
    }

    private int ReadClassCharacter()
    {
        var c = _runes[_at++];
        if (c != '\\') return c;
        if (IsAtEnd) throw new PatternSyntaxException("a [ has no ]");
        return ReadCharacterEscape();
    }

    private bool TryReadNamedClass(CharacterSet set)
    {
        if (_at + 1 >= _runes.Length || _runes[_at] != '[' || _runes[_at + 1] != ':') return false;
        var end = Array.IndexOf(_runes, ']', _at + 2);
        if (end < _at + 3 || _runes[end - 1] != ':') return false;
        var name = string.Concat(_runes[(_at + 2)..(end - 1)].Select(c => new Rune(c).ToString()));
        set.Add(NamedClass(name.TrimStart('^')), negated: name.StartsWith('^'));
        _at = end + 1;
        return true;
    }

    private static (int From, int To)[] NamedClass(string name) => name switch
    {
        "alnum" => [('0', '9'), ('A', 'Z'), ('a', 'z')],
        "alpha" => [('A', 'Z'), ('a', 'z')],
        "ascii" => [(0, 127)],
        "blank" => [('\t', '\t'), (' ', ' ')],
        "cntrl" => [(0, 31), (127, 127)],
        "digit" => [('0', '9')],
        "graph" => [('!', '~')],
        "lower" => [('a', 'z')],
        "print" => [(' ', '~')],
        "punct" => [('!', '/'), (':', '@'), ('[', '`'), ('{', '~')],
        "space" => [('\t', '\r'), (' ', ' ')],
        "upper" => [('A', 'Z')],
        "word" => [('0', '9'), ('A', 'Z'), ('_', '_'), ('a', 'z')],
        "xdigit" => [('0', '9'), ('A', 'F'), ('a', 'f')],
        _ => throw new PatternSyntaxException($"there is no class [:{name}:]"),
    };

    /// <summary>After a backslash: <c>d</c>, <c>w</c>, <c>s</c>, <c>p{L}</c> and their opposites.</summary>
    private bool TryReadSetEscape(CharacterSet set)
    {
        var c = _runes[_at];
        if (c is 'p' or 'P')
        {
            _at++;
            set.AddCategory(ReadCategory(), negated: c == 'P');
            return true;
        }

        (int From, int To)[]? ranges = c switch
        {
            'd' or 'D' => [('0', '9')],
            's' or 'S' => [('\t', '\n'), ('\f', '\r'), (' ', ' ')],
            'w' or 'W' => NamedClass("word"),
            _ => null,
        };
        if (ranges is null) return false;
        _at++;
        set.Add(ranges, negated: c is 'D' or 'S' or 'W');
        return true;
    }

    private string ReadCategory()
    {
        var end = !IsAtEnd && _runes[_at] == '{' ? Array.IndexOf(_runes, '}', _at) : _at;
        if (IsAtEnd || end < 0) throw new PatternSyntaxException("\\p has no category");
        var name = string.Concat(_runes[(end > _at ? _at + 1 : _at)..(end > _at ? end : end + 1)].Select(c => new Rune(c).ToString()));
        _at = end + 1;
        if (name.Length is < 1 or > 2 || !"LMNPSZC".Contains(name[0], StringComparison.Ordinal) || (name.Length == 2 && !char.IsAsciiLetterLower(name[1])))
            throw new PatternSyntaxException("\\p takes a general category, as in \\p{Lu}");
        return name;
    }

    private int ReadCharacterEscape()
    {
        var c = _runes[_at++];
        switch (c)
        {
            case 'a': return 7;
            case 'f': return '\f';
            case 'n': return '\n';
            case 'r': return '\r';
            case 't': return '\t';
            case 'v': return '\v';
            case 'x': return ReadHex();
            default:
                if (c >= 128 || char.IsAsciiLetterOrDigit((char)c)) throw new PatternSyntaxException($"\\{new Rune(c)} is not known");
                return c;
        }
    }

    private int ReadHex()
    {
        var isBraced = TryTake('{');
        var start = _at;
        while (!IsAtEnd && _at - start < (isBraced ? 6 : 2) && _runes[_at] < 128 && char.IsAsciiHexDigit((char)_runes[_at])) _at++;
        var digits = string.Concat(_runes[start.._at].Select(digit => (char)digit));
        if (!int.TryParse(digits, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value)
            || (isBraced ? !TryTake('}') : digits.Length != 2) || !Rune.IsValid(value))
            throw new PatternSyntaxException("\\x takes a character's number, as in \\x41 or \\x{1F600}");
        return value;
    }

    private PatternSet Character(int c) => new(new CharacterSet { IgnoresCase = _ignoresCase }.Add(c, c).Seal());

    private bool TryTake(char c)
    {
        if (IsAtEnd || _runes[_at] != c) return false;
        _at++;
        return true;
    }
}
