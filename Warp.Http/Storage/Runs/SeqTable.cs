namespace Warp.Http.Storage;

/// <summary>The last seq seen of each entity: 8 bytes apiece, because an entity's numbers are given one after another.</summary>
internal sealed class SeqTable
{
    private const int ChunkBits = 16;

    private readonly Dictionary<long, long[]> _chunks = [];

    public long Entities { get; private set; }

    /// <summary>A part of the history could not be read: a gap behind it says nothing new.</summary>
    public bool HasHoles { get; set; }

    public long this[long entity]
    {
        get => _chunks.TryGetValue(entity >> ChunkBits, out var chunk) ? chunk[entity & ((1 << ChunkBits) - 1)] : 0;
        set
        {
            if (!_chunks.TryGetValue(entity >> ChunkBits, out var chunk)) _chunks[entity >> ChunkBits] = chunk = new long[1 << ChunkBits];
            ref var seq = ref chunk[entity & ((1 << ChunkBits) - 1)];
            if (seq == 0) Entities++;
            seq = value;
        }
    }
}
