namespace Warp.Http.Erasure;

/// <summary>SKETCH. Complete = every store is clean; Stores maps a store's name to its state, as in the contract's receipt.</summary>
public sealed record EraseReceipt(string ReceiptId, long ErasedAtMs, long Events, IReadOnlyDictionary<string, string> Stores, bool Complete, long? DestroyKeyBackupsBeforeMs);

/// <summary>SKETCH of the face; the body lands from another branch.</summary>
public sealed class EraseService
{
    /// <summary>Erases, or finds the earlier receipt; null: named in no store at all.</summary>
    public ValueTask<EraseReceipt?> EraseAsync(ReadOnlyMemory<byte> name, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask<EraseReceipt?> FindReceiptAsync(string receiptId, CancellationToken cancellation) => throw new NotSupportedException();
}
