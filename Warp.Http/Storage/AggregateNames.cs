using System.Buffers;
using System.Text;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>The set of aggregates that a piece's events name, as text lengths and texts. An event that names none adds the empty name.</summary>
internal sealed class AggregateNames
{
    private readonly List<byte[]> _names = [];
    private readonly ArrayBufferWriter<byte> _bytes = new(64);

    public ReadOnlySpan<byte> Bytes => _bytes.WrittenSpan;

    public int Count => _names.Count;

    public IReadOnlyList<string> Names => _names.ConvertAll(Encoding.UTF8.GetString);

    public void Add(ReadOnlySpan<byte> name)
    {
        // An entity has one or two aggregates as a rule: the scan is shorter than a hash.
        foreach (var known in _names)
            if (name.SequenceEqual(known)) return;
        _names.Add(name.ToArray());
        _bytes.Advance(Varint.Write(_bytes.GetSpan(10), (ulong)name.Length));
        _bytes.Write(name);
    }

    public void AddAll(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            var length = (int)Varint.Read(ref bytes);
            Add(bytes[..length]);
            bytes = bytes[length..];
        }
    }

    public void Clear()
    {
        _names.Clear();
        _bytes.ResetWrittenCount();
    }
}
