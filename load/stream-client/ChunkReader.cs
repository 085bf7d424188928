using System.Buffers.Text;
using System.Text;

namespace Warp.Http.StreamClient;

/// <summary>Takes an HTTP/1.1 answer as it comes off the socket, and gives its body on without the chunks around it.</summary>
internal sealed class ChunkReader(ReadOnlySpanAction body)
{
    private readonly StringBuilder _head = new();
    private readonly byte[] _size = new byte[32];
    private Part _part = Part.Head;
    private int _sizeLength;
    private int _left; // of the chunk

    private enum Part
    {
        Head,
        Size,
        Data,
        EndOfData,
    }

    public bool IsEnded { get; private set; }

    public void Take(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty && !IsEnded)
        {
            switch (_part)
            {
                case Part.Head:
                    TakeHead(ref bytes);
                    break;
                case Part.Data:
                    var data = bytes[..Math.Min(_left, bytes.Length)];
                    body(data);
                    bytes = bytes[data.Length..];
                    _left -= data.Length;
                    if (_left == 0) _part = Part.EndOfData;
                    break;
                default:
                    TakeSize(ref bytes);
                    break;
            }
        }
    }

    private void TakeHead(ref ReadOnlySpan<byte> bytes)
    {
        var before = _head.Length;
        _head.Append(Encoding.ASCII.GetString(bytes));
        var text = _head.ToString();
        var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        if (end < 0)
        {
            bytes = default;
            return;
        }

        bytes = bytes[(end + 4 - before)..];
        _head.Clear();
        if (text.StartsWith("HTTP/1.1 100 ", StringComparison.Ordinal)) return;
        if (!text.StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal)) throw new InvalidDataException($"The service answered {text}");
        if (!text[..end].Contains("Transfer-Encoding: chunked", StringComparison.OrdinalIgnoreCase)) throw new InvalidDataException("The answer is not chunked.");
        _part = Part.Size;
    }

    /// <summary>The line break that ends a chunk's data, then the next one's size.</summary>
    private void TakeSize(ref ReadOnlySpan<byte> bytes)
    {
        var end = bytes.IndexOf((byte)'\n');
        var taken = end < 0 ? bytes : bytes[..(end + 1)];
        bytes = bytes[taken.Length..];
        if (taken.Length > _size.Length - _sizeLength) throw new InvalidDataException("A chunk of the answer has no readable size.");
        taken.CopyTo(_size.AsSpan(_sizeLength));
        _sizeLength += taken.Length;
        if (end < 0) return;
        var isSize = _part == Part.Size;
        _part = Part.Size;
        var size = _size.AsSpan(0, _sizeLength);
        _sizeLength = 0;
        if (!isSize) return;
        if (!Utf8Parser.TryParse(size, out _left, out _, 'x')) throw new InvalidDataException("A chunk of the answer has no readable size.");
        if (_left == 0) IsEnded = true;
        else _part = Part.Data;
    }
}

internal delegate void ReadOnlySpanAction(ReadOnlySpan<byte> bytes);
