using System.Globalization;
using System.Text;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>A part of a pattern, before its repetitions are unfolded.</summary>
internal abstract record PatternNode;

internal sealed record PatternSet(CharacterSet Set) : PatternNode;

internal sealed record PatternAssertion(PatternOp Op) : PatternNode;

internal sealed record PatternSequence(List<PatternNode> Items) : PatternNode;

internal sealed record PatternChoice(List<PatternNode> Options) : PatternNode;

/// <param name="Max">-1 for no end.</param>
internal sealed record PatternRepeat(PatternNode Item, int Min, int Max) : PatternNode;

internal enum PatternOp : byte
{
    /// <summary>Takes one character of a set.</summary>
    Set,

    /// <summary>Goes on at two places.</summary>
    Split,

    /// <summary>Goes on elsewhere.</summary>
    Jump,

    TextBegin,
    TextEnd,
    LineBegin,
    LineEnd,
    WordBoundary,
    NoWordBoundary,

    /// <summary>The pattern was found.</summary>
    Match,
}

/// <summary>A set of characters: ranges, general categories, and other sets.</summary>
internal sealed class CharacterSet
{
    private readonly List<(int From, int To)> _ranges = [];
    private readonly List<(string Category, bool Negated)> _categories = [];
    private readonly List<CharacterSet> _parts = [];
    private UInt128 _ascii;

    public bool IsNegated { get; set; }

    public bool IgnoresCase { get; init; }

    public CharacterSet Add(int from, int to)
    {
        _ranges.Add((from, to));
        return this;
    }

    public void Add(CharacterSet part) => _parts.Add(part);

    /// <param name="category">A general category as Unicode abbreviates it, or the first letter of several: <c>Lu</c>, <c>L</c>.</param>
    public void AddCategory(string category, bool negated) => _categories.Add((category, negated));

    /// <summary>Settles ASCII, of which nearly every text is.</summary>
    public CharacterSet Seal()
    {
        for (var c = 0; c < 128; c++)
            if (Find(c)) _ascii |= UInt128.One << c;
        return this;
    }

    public bool Contains(int c) => c < 128 ? ((_ascii >> c) & 1) != 0 : Find(c);

    private bool Find(int c)
    {
        var found = FindExactly(c);
        if (!found && IgnoresCase && Rune.IsValid(c))
        {
            var rune = new Rune(c);
            found = FindExactly(Rune.ToLowerInvariant(rune).Value) || FindExactly(Rune.ToUpperInvariant(rune).Value);
        }

        return found != IsNegated;
    }

    private bool FindExactly(int c)
    {
        foreach (var (from, to) in _ranges)
            if (c >= from && c <= to) return true;
        foreach (var part in _parts)
            if (part.Find(c)) return true;
        foreach (var (category, negated) in _categories)
            if (Abbreviation(CharUnicodeInfo.GetUnicodeCategory(c)).StartsWith(category, StringComparison.Ordinal) != negated) return true;
        return false;
    }

    private static string Abbreviation(UnicodeCategory category) => category switch
    {
        UnicodeCategory.UppercaseLetter => "Lu",
        UnicodeCategory.LowercaseLetter => "Ll",
        UnicodeCategory.TitlecaseLetter => "Lt",
        UnicodeCategory.ModifierLetter => "Lm",
        UnicodeCategory.OtherLetter => "Lo",
        UnicodeCategory.NonSpacingMark => "Mn",
        UnicodeCategory.SpacingCombiningMark => "Mc",
        UnicodeCategory.EnclosingMark => "Me",
        UnicodeCategory.DecimalDigitNumber => "Nd",
        UnicodeCategory.LetterNumber => "Nl",
        UnicodeCategory.OtherNumber => "No",
        UnicodeCategory.SpaceSeparator => "Zs",
        UnicodeCategory.LineSeparator => "Zl",
        UnicodeCategory.ParagraphSeparator => "Zp",
        UnicodeCategory.Control => "Cc",
        UnicodeCategory.Format => "Cf",
        UnicodeCategory.Surrogate => "Cs",
        UnicodeCategory.PrivateUse => "Co",
        UnicodeCategory.ConnectorPunctuation => "Pc",
        UnicodeCategory.DashPunctuation => "Pd",
        UnicodeCategory.OpenPunctuation => "Ps",
        UnicodeCategory.ClosePunctuation => "Pe",
        UnicodeCategory.InitialQuotePunctuation => "Pi",
        UnicodeCategory.FinalQuotePunctuation => "Pf",
        UnicodeCategory.OtherPunctuation => "Po",
        UnicodeCategory.MathSymbol => "Sm",
        UnicodeCategory.CurrencySymbol => "Sc",
        UnicodeCategory.ModifierSymbol => "Sk",
        UnicodeCategory.OtherSymbol => "So",
        _ => "Cn",
    };
}
