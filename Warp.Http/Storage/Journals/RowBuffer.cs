namespace Warp.Http.Storage;

/// <summary>
/// Gives each row body a place in a large array, from which it is written to the journal and in which it stays for readers:
/// the one copy between request and disk is the memtable.
/// </summary>
internal sealed class RowBuffer
{
    private const int ChunkBytes = 4 * 1024 * 1024;

    private byte[] _chunk = [];
    private int _used;

    /// <summary>Room for <paramref name="length"/> bytes; taken only by <see cref="Take"/>.</summary>
    public (byte[] Chunk, int At) Reserve(int length)
    {
        if (_chunk.Length - _used < length)
        {
            _chunk = GC.AllocateUninitializedArray<byte>(Math.Max(ChunkBytes, length));
            _used = 0;
        }

        return (_chunk, _used);
    }

    public void Take(int length) => _used += length;
}
