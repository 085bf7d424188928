namespace Warp.Http.Storage;

/// <summary>Goes through the pieces of a run, entity by entity in ascending order and each entity's in order of seq.</summary>
internal sealed class RunScan : IDisposable
{
    private readonly SqliteStatement _pieces;
    private readonly PieceOpener _opener = new();
    private readonly RunBases _bases;

    /// <param name="reader">Is not used by anybody else meanwhile.</param>
    /// <param name="after">Pieces of entities above this number only.</param>
    public RunScan(RunReader reader, long after = 0)
    {
        _bases = reader.Meta.Bases;
        _pieces = reader.PrepareOnce("SELECT id, last_seq, head, body FROM piece WHERE id > ? ORDER BY id");
        _pieces.Bind(1, Piece.LastId(after));
    }

    /// <summary>The piece's row, for what else is kept under it.</summary>
    public long Id => _pieces.Int64(0);

    public long Entity => Piece.EntityOf(Id);

    /// <summary>Valid until the next one, like all that follows.</summary>
    public PieceHead Head => PieceHead.Read(_pieces.Blob(2), _pieces.Int64(1), _bases);

    /// <summary>As stored.</summary>
    public ReadOnlySpan<byte> Body => _pieces.Blob(3);

    public bool Next() => _pieces.Step();

    /// <summary>The piece's slices, checked and unpacked, for <see cref="Piece.ReadSlice"/> from <see cref="PieceHead.Start"/> on.</summary>
    public ReadOnlySpan<byte> Open(in PieceHead head) => _opener.Open(head, Body);

    public void Dispose()
    {
        _opener.Dispose();
        _pieces.Dispose();
    }
}
