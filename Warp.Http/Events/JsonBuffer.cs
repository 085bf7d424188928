using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics;

namespace Warp.Http.Events;

/// <summary>UTF-8 text under construction in a rented buffer: how answers are written without a serializer.</summary>
/// <remarks>One thread at a time. <see cref="Rent"/> and <see cref="Dispose"/> keep one per thread, so short answers allocate nothing.</remarks>
public sealed class JsonBuffer : IBufferWriter<byte>, IDisposable
{
    /// <summary>Larger buffers go back to the shared pool; an event page is rare, an append's answer is not.</summary>
    private const int KeptBytesMax = 16 * 1024;

    private const byte Quote = (byte)'"';

    /// <summary>What RFC 8259 section 7 says must be escaped.</summary>
    private static readonly SearchValues<byte> Escaped = SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(i => (byte)i), Quote, (byte)'\\']);

    [ThreadStatic]
    private static JsonBuffer? t_spare;

    private byte[] _bytes = new byte[1024];

    private JsonBuffer()
    {
    }

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Length);

    public ReadOnlyMemory<byte> WrittenMemory => _bytes.AsMemory(0, Length);

    public static JsonBuffer Rent()
    {
        var buffer = t_spare ?? new JsonBuffer();
        t_spare = null;
        return buffer;
    }

    public void Dispose()
    {
        Clear();
        if (_bytes.Length > KeptBytesMax)
        {
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = new byte[1024];
        }

        t_spare = this;
    }

    public void Clear() => Length = 0;

    /// <summary>Takes back what was written after <paramref name="length"/>.</summary>
    public void Truncate(int length)
    {
        Debug.Assert(length <= Length, "Truncating never lengthens.");
        Length = length;
    }

    /// <summary>Appends bytes as they are: punctuation, or JSON that is complete already.</summary>
    public void Raw(ReadOnlySpan<byte> json)
    {
        json.CopyTo(GetSpan(json.Length));
        Length += json.Length;
    }

    public void Raw(byte b)
    {
        GetSpan(1)[0] = b;
        Length++;
    }

    /// <summary>Appends a JSON string of plain UTF-8 text.</summary>
    public void Text(ReadOnlySpan<byte> utf8)
    {
        Raw(Quote);
        while (utf8.IndexOfAny(Escaped) is >= 0 and var i)
        {
            Raw(utf8[..i]);
            Escape(utf8[i]);
            utf8 = utf8[(i + 1)..];
        }

        Raw(utf8);
        Raw(Quote);
    }

    public void Text(ReadOnlySpan<char> text)
    {
        var bytes = ArrayPool<byte>.Shared.Rent(System.Text.Encoding.UTF8.GetMaxByteCount(text.Length));
        Text(bytes.AsSpan(0, System.Text.Encoding.UTF8.GetBytes(text, bytes)));
        ArrayPool<byte>.Shared.Return(bytes);
    }

    public void Number(long value)
    {
        Utf8Formatter.TryFormat(value, GetSpan(20), out var written);
        Length += written;
    }

    /// <summary>Appends Unix milliseconds as a JSON string in RFC 3339.</summary>
    public void Time(long unixMs)
    {
        var span = GetSpan(Rfc3339.LengthMax + 2);
        span[0] = Quote;
        var length = Rfc3339.Format(unixMs, span[1..]);
        span[length + 1] = Quote;
        Length += length + 2;
    }

    public void Life(Life life)
    {
        var span = GetSpan(16);
        span[0] = Quote;
        var length = life.Format(span[1..]);
        span[length + 1] = Quote;
        Length += length + 2;
    }

    public void Advance(int count) => Length += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 1));
        return _bytes.AsMemory(Length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(Math.Max(sizeHint, 1));
        return _bytes.AsSpan(Length);
    }

    private void Escape(byte b)
    {
        ReadOnlySpan<byte> hex = "0123456789abcdef"u8;
        switch (b)
        {
            case Quote: Raw("\\\""u8); break;
            case (byte)'\\': Raw("\\\\"u8); break;
            case (byte)'\n': Raw("\\n"u8); break;
            case (byte)'\r': Raw("\\r"u8); break;
            case (byte)'\t': Raw("\\t"u8); break;
            default: Raw([(byte)'\\', (byte)'u', (byte)'0', (byte)'0', hex[b >> 4], hex[b & 15]]); break;
        }
    }

    private void Reserve(int more)
    {
        if (_bytes.Length - Length >= more) return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(Length + more, _bytes.Length * 2));
        Written.CopyTo(larger);
        if (_bytes.Length > KeptBytesMax) ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
