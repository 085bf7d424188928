using System.IO.Hashing;
using System.Numerics;
using System.Security.Cryptography;

namespace Warp.Http.Aggregates.Values;

/// <content>The hash index of maps with many members: open addressing over places in the members' array.</content>
public sealed partial class JsonMap
{
    /// <summary>Up to here a linear search over names is faster than hashing one.</summary>
    private const int IndexedFrom = 8;

    // Names come from clients: a seed that they don't know keeps them from choosing names that collide.
    private static readonly long Seed = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(8));

    private int[]? _index; // place + 1; 0 is free

    private static uint Hash(ReadOnlySpan<byte> name) => (uint)XxHash3.HashToUInt64(name, Seed);

    /// <summary>The place of a member that is there, or -1.</summary>
    private int IndexOf(ReadOnlySpan<byte> name)
    {
        if (_index is null)
        {
            var members = _members.AsSpan(0, _used);
            for (var i = 0; i < members.Length; i++)
                if (name.SequenceEqual(members[i].Name)) return i;
            return -1;
        }

        var mask = _index.Length - 1;
        for (var slot = (int)Hash(name) & mask; _index[slot] != 0; slot = (slot + 1) & mask)
        {
            ref readonly var member = ref _members[_index[slot] - 1];

            // A removed member's name may stand here beside the same name added again later.
            if (!member.Value.IsMissing && name.SequenceEqual(member.Name)) return _index[slot] - 1;
        }

        return -1;
    }

    private void AddToIndex(int at)
    {
        var mask = _index!.Length - 1;
        var slot = (int)Hash(_members[at].Name) & mask;
        while (_index[slot] != 0) slot = (slot + 1) & mask;
        _index[slot] = at + 1;
    }

    private void Grow()
    {
        // Members that came and went must not make the array grow for ever.
        if (_removed > _used / 4)
        {
            Compact();
            return;
        }

        Array.Resize(ref _members, Math.Max(4, _members.Length * 2));
        if (_index is not null) Reindex();
    }

    private void Compact()
    {
        var kept = 0;
        for (var i = 0; i < _used; i++)
        {
            if (!_members[i].Value.IsMissing) _members[kept++] = _members[i];
        }

        _members.AsSpan(kept).Clear();
        _used = kept;
        _removed = 0;
        Reindex();
    }

    private void Reindex()
    {
        // Twice the members' room keeps probes short; a power of two makes the remainder a mask.
        _index = new int[BitOperations.RoundUpToPowerOf2((uint)_members.Length * 2)];
        for (var i = 0; i < _used; i++) AddToIndex(i);
    }
}
