using System.Runtime.InteropServices;

namespace Warp.Http.Entities;

/// <summary>Where caller-given ids of one life may stand: hash to seqs. A hit is verified against the stored event, so collisions cost a read.</summary>
/// <remarks>Belongs to the actor's drainer.</remarks>
internal sealed class IdIndex
{
    private readonly Dictionary<ulong, int> _newest = [];
    private readonly List<(long Seq, int Older)> _entries = [];

    public bool IsEmpty => _entries.Count == 0;

    public void Add(ulong hash, long seq)
    {
        ref var newest = ref CollectionsMarshal.GetValueRefOrAddDefault(_newest, hash, out var known);
        _entries.Add((seq, known ? newest : -1));
        newest = _entries.Count - 1;
    }

    /// <summary>The next candidate: begin with <paramref name="at"/> = <see cref="Newest"/> and go on until it is negative.</summary>
    public long Candidate(ref int at)
    {
        var (seq, older) = _entries[at];
        at = older;
        return seq;
    }

    /// <summary>Where the candidates for a hash begin; negative = there is none.</summary>
    public int Newest(ulong hash) => _newest.TryGetValue(hash, out var at) ? at : -1;
}
