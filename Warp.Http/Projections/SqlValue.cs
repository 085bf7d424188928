using System.Globalization;
using Warp.Http.Events;

namespace Warp.Http.Projections;

internal enum SqlKind : byte
{
    Null,
    Integer,
    Real,
    Text,
}

/// <summary>One value of a row, as SQLite keeps it. There are no blobs.</summary>
internal readonly struct SqlValue : IEquatable<SqlValue>
{
    private readonly long _number;
    private readonly byte[]? _text;

    private SqlValue(SqlKind kind, long number, byte[]? text)
    {
        Kind = kind;
        _number = number;
        _text = text;
    }

    public static SqlValue Null => default;

    public SqlKind Kind { get; }

    public long Integer => _number;

    public double Real => BitConverter.Int64BitsToDouble(_number);

    /// <summary>UTF-8. Shared: never write into it.</summary>
    public ReadOnlySpan<byte> Text => _text;

    public static SqlValue Of(long integer) => new(SqlKind.Integer, integer, null);

    public static SqlValue Of(double real) => new(SqlKind.Real, BitConverter.DoubleToInt64Bits(real), null);

    /// <param name="utf8">Not copied.</param>
    public static SqlValue Of(byte[] utf8) => new(SqlKind.Text, 0, utf8);

    public static SqlValue Of(string text) => Of(System.Text.Encoding.UTF8.GetBytes(text));

    /// <summary>NULL, or an infinite REAL: JSON has no number for it.</summary>
    public bool IsNullInJson => Kind == SqlKind.Null || (Kind == SqlKind.Real && !double.IsFinite(Real));

    /// <summary>As JSON. A REAL keeps a point or an exponent, or it would come back as an INTEGER.</summary>
    public void WriteTo(JsonBuffer json)
    {
        if (IsNullInJson) json.Raw("null"u8);
        else if (Kind == SqlKind.Text) json.Text(Text);
        else if (Kind == SqlKind.Integer) json.Number(Integer);
        else WriteReal(json);
    }

    public bool Equals(SqlValue other) => Kind == other.Kind && _number == other._number && Text.SequenceEqual(other.Text);

    public override bool Equals(object? obj) => obj is SqlValue other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(Kind, _number, _text?.Length);

    public override string ToString() => Kind switch
    {
        SqlKind.Null => "NULL",
        SqlKind.Integer => Integer.ToString(),
        SqlKind.Real => Real.ToString("R"),
        _ => System.Text.Encoding.UTF8.GetString(Text),
    };

    private void WriteReal(JsonBuffer json)
    {
        var text = Real.ToString("R", CultureInfo.InvariantCulture);
        json.Raw(System.Text.Encoding.ASCII.GetBytes(text.AsSpan().ContainsAny('.', 'E') ? text : text + ".0"));
    }
}
