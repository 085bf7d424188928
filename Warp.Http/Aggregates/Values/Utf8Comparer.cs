using System.Diagnostics.CodeAnalysis;
using System.IO.Hashing;

namespace Warp.Http.Aggregates.Values;

/// <summary>Compares UTF-8 names byte for byte; a span finds an array's entry without being copied.</summary>
public sealed class Utf8Comparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
{
    public static Utf8Comparer Instance { get; } = new();

    public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

    public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

    public int GetHashCode([DisallowNull] byte[] obj) => GetHashCode(obj.AsSpan());

    public int GetHashCode(ReadOnlySpan<byte> alternate) => (int)XxHash3.HashToUInt64(alternate);

    public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
}

/// <summary>Gives each name one array, so that comparing references settles most look-ups. Used while a definition is compiled.</summary>
internal sealed class Utf8Names
{
    private readonly Dictionary<string, byte[]> _names = new(StringComparer.Ordinal);

    public byte[] Get(string name)
    {
        if (!_names.TryGetValue(name, out var utf8)) _names.Add(name, utf8 = System.Text.Encoding.UTF8.GetBytes(name));
        return utf8;
    }
}
