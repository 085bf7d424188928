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
}
