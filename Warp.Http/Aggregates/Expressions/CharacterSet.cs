using System.Globalization;
using System.Numerics;
using System.Text;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>A character of a text, with what sets may ask about it: found out once a character and not once a set.</summary>
internal readonly struct PatternCharacter
{
    /// <param name="code">The code point, or -1 at the end of the text.</param>
    public PatternCharacter(int code, bool foldsCase, bool readsCategory)
    {
        Code = code;
        if (code < 128) return; // sets have ASCII settled
        Lower = foldsCase ? Rune.ToLowerInvariant(new Rune(code)).Value : code;
        Upper = foldsCase ? Rune.ToUpperInvariant(new Rune(code)).Value : code;
        Categories = readsCategory ? CharacterSet.Categories.Of(code) | CharacterSet.Categories.Of(Lower) | CharacterSet.Categories.Of(Upper) : 0;
        OwnCategory = readsCategory ? CharacterSet.Categories.Of(code) : 0;
    }

    public int Code { get; }

    public int Lower { get; }

    public int Upper { get; }

    /// <summary>Of the character and of both its cases, a bit each.</summary>
    public uint Categories { get; }

    public uint OwnCategory { get; }
}

/// <summary>A set of characters: ranges and general categories.</summary>
/// <remarks>Filled, then sealed: from then on a character is looked for in ordered ranges that don't overlap.</remarks>
internal sealed class CharacterSet
{
    private const int CodePoints = 0x110000;

    private readonly List<(int From, int To)> _ranges = [];
    private int[] _bounds = []; // the first of a range and the first behind it, in turn
    private uint _categories;
    private UInt128 _ascii;

    public bool IsNegated { get; init; }

    public bool IgnoresCase { get; init; }

    public bool HasCategories => _categories != 0;

    /// <summary>Comparisons that a character beyond ASCII may take.</summary>
    public int Comparisons => (IgnoresCase ? 3 : 1) * (1 + BitOperations.Log2((uint)_bounds.Length + 1));

    public CharacterSet Add(int from, int to)
    {
        _ranges.Add((from, to));
        return this;
    }

    public void Add(ReadOnlySpan<(int From, int To)> ranges, bool negated)
    {
        if (!negated)
        {
            _ranges.AddRange(ranges);
            return;
        }

        var bounds = Merge([.. ranges]);
        var from = 0;
        for (var i = 0; i < bounds.Length; i += 2)
        {
            if (bounds[i] > from) Add(from, bounds[i] - 1);
            from = bounds[i + 1];
        }

        if (from < CodePoints) Add(from, CodePoints - 1);
    }

    /// <param name="category">A general category as Unicode abbreviates it, or the first letter of several: <c>Lu</c>, <c>L</c>.</param>
    public void AddCategory(string category, bool negated)
    {
        var named = Categories.Named(category);
        _categories |= negated ? ~named : named;
    }

    /// <summary>Settles ASCII, of which nearly every text is.</summary>
    public CharacterSet Seal()
    {
        _bounds = Merge(_ranges);
        for (var i = 0; i < _bounds.Length && _bounds[i] < 128; i += 2)
            _ascii |= Below(_bounds[i + 1]) & ~Below(_bounds[i]);
        for (var rest = _categories; rest != 0; rest &= rest - 1) _ascii |= Categories.Ascii(BitOperations.TrailingZeroCount(rest));
        if (IgnoresCase)
        {
            var upper = Below('Z' + 1) & ~Below('A');
            _ascii |= ((_ascii & upper) << 32) | ((_ascii >> 32) & upper);
        }

        if (IsNegated) _ascii = ~_ascii;
        return this;
    }

    public bool Contains(in PatternCharacter c) => c.Code < 128 ? c.Code >= 0 && ((_ascii >> c.Code) & 1) != 0 : FindBeyondAscii(c) != IsNegated;

    private bool FindBeyondAscii(in PatternCharacter c)
    {
        if ((_categories & (IgnoresCase ? c.Categories : c.OwnCategory)) != 0 || IsInRanges(c.Code)) return true;
        return IgnoresCase && (IsInRanges(c.Lower) || IsInRanges(c.Upper));
    }

    private bool IsInRanges(int code)
    {
        var at = Array.BinarySearch(_bounds, code);
        return at >= 0 ? at % 2 == 0 : ~at % 2 == 1;
    }

    private static int[] Merge(List<(int From, int To)> ranges)
    {
        ranges.Sort();
        var bounds = new List<int>(ranges.Count * 2);
        foreach (var (from, to) in ranges)
        {
            if (bounds.Count > 0 && from <= bounds[^1]) bounds[^1] = Math.Max(bounds[^1], to + 1);
            else bounds.AddRange([from, to + 1]);
        }

        return [.. bounds];
    }

    private static UInt128 Below(int code) => code >= 128 ? UInt128.MaxValue : (UInt128.One << code) - 1;

    /// <summary>General categories as bits.</summary>
    internal static class Categories
    {
        /// <summary>By the number of <see cref="UnicodeCategory"/>.</summary>
        private static readonly string[] Abbreviations =
        [
            "Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po",
            "Sm", "Sc", "Sk", "So", "Cn",
        ];

        private static readonly UInt128[] AsciiOf = FindAscii();

        public static uint Of(int code) => 1u << (int)CharUnicodeInfo.GetUnicodeCategory(code);

        public static UInt128 Ascii(int category) => category < AsciiOf.Length ? AsciiOf[category] : 0;

        public static uint Named(string category)
        {
            uint named = 0;
            for (var i = 0; i < Abbreviations.Length; i++)
                if (Abbreviations[i].StartsWith(category, StringComparison.Ordinal)) named |= 1u << i;
            return named;
        }

        private static UInt128[] FindAscii()
        {
            var found = new UInt128[Abbreviations.Length];
            for (var c = 0; c < 128; c++) found[(int)CharUnicodeInfo.GetUnicodeCategory(c)] |= UInt128.One << c;
            return found;
        }
    }
}
