using ZstdSharp;

namespace Warp.Http.Storage;

/// <summary>Compresses pieces, in merges only: sealing keeps pace with appends, and most of what it writes is merged soon. Used by one thread.</summary>
internal sealed class PieceCompressor : IDisposable
{
    /// <summary>Below this a frame's own bytes eat what it saves.</summary>
    public const int RawBytesMin = 256;

    /// <summary>The fastest: merges run beside appends, and higher levels gain a few percent (storage design: 0.27 with 1).</summary>
    private const int Level = 1;

    private readonly Compressor _compressor = new(Level);
    private byte[] _buffer = [];

    /// <summary>The compressed form; empty if that saves less than a sixteenth.</summary>
    public ReadOnlySpan<byte> Compress(ReadOnlySpan<byte> raw)
    {
        if (raw.Length < RawBytesMin) return default;
        var wanted = raw.Length - (raw.Length / 16);
        if (_buffer.Length < wanted) _buffer = new byte[Math.Max(wanted, Piece.RawBytesMax)];
        return _compressor.TryWrap(raw, _buffer.AsSpan(0, wanted), out var written) ? _buffer.AsSpan(0, written) : default;
    }

    public void Dispose() => _compressor.Dispose();
}

/// <summary>Gives a piece's raw bytes; they are valid until the next call. Used by one thread at a time.</summary>
internal sealed class PieceOpener : IDisposable
{
    private Decompressor? _decompressor;
    private byte[] _buffer = [];

    /// <exception cref="DamagedDataException">The piece is not what was written.</exception>
    public ReadOnlySpan<byte> Open(in PieceHead head, ReadOnlySpan<byte> body)
    {
        head.Check(body);
        if (head.Codec == PieceCodec.Plain)
            return body.Length == head.RawLength ? body : throw new DamagedDataException($"A piece has {body.Length} bytes where {head.RawLength} are due.");
        if (_buffer.Length < head.RawLength) _buffer = new byte[Math.Max(head.RawLength, 16 * 1024)];
        _decompressor ??= new Decompressor();
        var length = _decompressor.TryUnwrap(body, _buffer, out var written) ? written : -1;
        if (length != head.RawLength) throw new DamagedDataException("A compressed piece cannot be unpacked.");
        return _buffer.AsSpan(0, length);
    }

    public void Dispose() => _decompressor?.Dispose();
}
