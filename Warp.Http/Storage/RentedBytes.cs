using System.Buffers;

namespace Warp.Http.Storage;

/// <summary>Bytes that pages copy out of memtables and runs, one behind the other in an array of the shared pool.</summary>
/// <remarks>A field of its page, never copied: two copies would give the array back twice.</remarks>
internal struct RentedBytes : IDisposable
{
    private const int BytesMin = 4096;

    private byte[]? _bytes;

    public int Length { get; private set; }

    public readonly ReadOnlySpan<byte> Slice(int at, int length) => _bytes.AsSpan(at, length);

    /// <summary>Copies the bytes to the end and answers where they begin.</summary>
    public int Append(ReadOnlySpan<byte> bytes)
    {
        var at = Length;
        if ((_bytes?.Length ?? 0) - at < bytes.Length) Grow(at + bytes.Length);
        bytes.CopyTo(_bytes.AsSpan(at));
        Length = at + bytes.Length;
        return at;
    }

    public void Dispose()
    {
        if (_bytes is not null) ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = null;
        Length = 0;
    }

    private void Grow(int needed)
    {
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, Math.Max(BytesMin, (_bytes?.Length ?? 0) * 2)));
        _bytes.AsSpan(0, Length).CopyTo(larger);
        if (_bytes is not null) ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
