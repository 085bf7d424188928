using System.Buffers;
using System.Diagnostics;

namespace Warp.Http.Events;

/// <summary>The events of one append in their stored form, in a rented buffer that grows. Made by the request, copied by the writer.</summary>
/// <remarks>One thread at a time: the request fills it and hands it over with its command; whoever completes the command resets it.</remarks>
public sealed class EncodedEvents
{
    /// <summary>Buffers above this are given back at <see cref="Reset"/>; smaller ones stay with the pooled command.</summary>
    private const int KeptBytesMax = 4096;

    private byte[] _buffer = [];

    public int Count { get; private set; }

    public int Length { get; private set; }

    /// <summary>True if any event carries an id of the caller's, so that it must be compared with what is stored.</summary>
    public bool HasIds { get; private set; }

    /// <summary>CRC-32C over <see cref="Bytes"/>; valid after <see cref="Seal"/>.</summary>
    public uint Crc { get; private set; }

    public ReadOnlySpan<byte> Bytes => _buffer.AsSpan(0, Length);

    public void Add(in EventFields e)
    {
        Debug.Assert(!e.Type.IsEmpty && !e.Payload.IsEmpty, "Type and payload are never absent in a checked event.");
        Reserve(EventRecord.SizeMax(e));
        Length += EventRecord.Write(_buffer.AsSpan(Length), e);
        Count++;
        HasIds |= !e.Id.IsEmpty;
    }

    /// <summary>Computes the checksum, once all events are in.</summary>
    public void Seal() => Crc = Crc32C.Compute(Bytes);

    public void Reset()
    {
        if (_buffer.Length > KeptBytesMax)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
        }

        Count = 0;
        Length = 0;
        HasIds = false;
        Crc = 0;
    }

    private void Reserve(int more)
    {
        if (_buffer.Length - Length >= more) return;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(Length + more, Math.Max(256, _buffer.Length * 2)));
        Bytes.CopyTo(larger);
        if (_buffer.Length > 0) ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
