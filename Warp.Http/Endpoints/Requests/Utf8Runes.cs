using System.Text;

namespace Warp.Http.Endpoints;

/// <summary>Enumerates the characters (Unicode scalar values) of UTF-8 that is known to be valid.</summary>
internal ref struct Utf8Runes(ReadOnlySpan<byte> utf8)
{
    private ReadOnlySpan<byte> _rest = utf8;

    public Rune Current { get; private set; }

    public readonly Utf8Runes GetEnumerator() => this;

    public bool MoveNext()
    {
        if (_rest.IsEmpty) return false;
        Rune.DecodeFromUtf8(_rest, out var rune, out var length);
        Current = rune;
        _rest = _rest[length..];
        return true;
    }
}
