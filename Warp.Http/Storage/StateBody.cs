using System.Buffers.Binary;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>
/// A folded state as it is stored, version 1: <c>version u8 | seq varint | lastMs varint | flags u8 | fingerprint u64 | aggregate (varint length, UTF-8) |
/// state (rest)</c>, little endian. The same bytes stand in journals, memtables and runs; what the state means is for whoever folds it.
/// </summary>
internal readonly ref struct StateBody
{
    private const byte Version = 1;
    private const int FixedBytes = 1 + 1 + sizeof(ulong);

    /// <summary>The entity's seq up to which the state is folded.</summary>
    public required long Seq { get; init; }

    /// <summary>When the event of that seq was committed, Unix milliseconds.</summary>
    public required long LastMs { get; init; }

    public required byte Flags { get; init; }

    /// <summary>A hash of whatever decides how the state folds: a state of another fingerprint is of no use.</summary>
    public required ulong Fingerprint { get; init; }

    public required ReadOnlySpan<byte> Aggregate { get; init; }

    public required ReadOnlySpan<byte> State { get; init; }

    public int Size => FixedBytes + Varint.SizeOf((ulong)Seq) + Varint.SizeOf((ulong)LastMs) + Varint.SizeOf((ulong)Aggregate.Length) + Aggregate.Length + State.Length;

    /// <summary>Writes it at the start of <paramref name="destination"/> and answers its length.</summary>
    public int Write(Span<byte> destination)
    {
        destination[0] = Version;
        var at = 1;
        at += Varint.Write(destination[at..], (ulong)Seq);
        at += Varint.Write(destination[at..], (ulong)LastMs);
        destination[at++] = Flags;
        BinaryPrimitives.WriteUInt64LittleEndian(destination[at..], Fingerprint);
        at += sizeof(ulong);
        at += Varint.Write(destination[at..], (ulong)Aggregate.Length);
        Aggregate.CopyTo(destination[at..]);
        at += Aggregate.Length;
        State.CopyTo(destination[at..]);
        return at + State.Length;
    }

    /// <exception cref="DamagedDataException">The bytes are not a stored state.</exception>
    public static StateBody Read(ReadOnlySpan<byte> body)
    {
        try
        {
            if (body is not [Version, .. var rest]) throw new DamagedDataException("A stored state has an unknown version.");
            var seq = (long)Varint.Read(ref rest);
            var lastMs = (long)Varint.Read(ref rest);
            if (rest.Length < 1 + sizeof(ulong)) throw new DamagedDataException("A stored state is cut off.");
            var flags = rest[0];
            var fingerprint = BinaryPrimitives.ReadUInt64LittleEndian(rest[1..]);
            rest = rest[(1 + sizeof(ulong))..];
            var length = Varint.Read(ref rest);
            if (length > (ulong)rest.Length) throw new DamagedDataException("A stored state's aggregate is cut off.");
            return new StateBody { Seq = seq, LastMs = lastMs, Flags = flags, Fingerprint = fingerprint, Aggregate = rest[..(int)length], State = rest[(int)length..] };
        }
        catch (InvalidDataException e)
        {
            throw new DamagedDataException("A stored state cannot be read.", e);
        }
    }
}

/// <summary>A stored state that was found, with bytes of its own.</summary>
public readonly record struct StoredState(long Seq, long LastMs, byte Flags, ReadOnlyMemory<byte> State);
