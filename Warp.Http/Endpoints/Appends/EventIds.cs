using System.Buffers;
using System.IO.Hashing;
using System.Security.Cryptography;
using System.Text;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>Finds an id that an append gives twice, in linear time and a rented table.</summary>
internal static class EventIds
{
    /// <summary>Drawn at start, so that nobody can choose ids that all fall into one place of the table.</summary>
    private static readonly long s_seed = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(sizeof(long)));

    /// <summary>An id of these records that occurs twice, or null. 64 bits of hash stand for an id: 10,000 of them collide once in 10^11 appends.</summary>
    public static string? FindTwice(ReadOnlySpan<byte> records, int count)
    {
        var size = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)count * 2);
        var table = ArrayPool<ulong>.Shared.Rent(size);
        var slots = table.AsSpan(0, size);
        slots.Clear();
        string? twice = null;
        while (twice is null && !records.IsEmpty)
        {
            var id = EventRecord.Read(ref records).Id;
            if (!id.IsEmpty && !TryAdd(slots, XxHash3.HashToUInt64(id, s_seed))) twice = Encoding.ASCII.GetString(id);
        }

        ArrayPool<ulong>.Shared.Return(table);
        return twice;
    }

    private static bool TryAdd(Span<ulong> slots, ulong hash)
    {
        if (hash == 0) hash = 1; // 0 marks a free slot.
        var mask = slots.Length - 1;
        for (var i = (int)hash & mask; ; i = (i + 1) & mask)
        {
            if (slots[i] == hash) return false;
            if (slots[i] != 0) continue;
            slots[i] = hash;
            return true;
        }
    }
}
