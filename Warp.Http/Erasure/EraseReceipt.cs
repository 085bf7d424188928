namespace Warp.Http.Erasure;

/// <summary>What an erasure did; it names no entity.</summary>
/// <param name="ReceiptId">32 hexadecimal digits.</param>
/// <param name="ErasedAtMs">When the fence became durable: from then on nobody saw the entity. Unix milliseconds.</param>
/// <param name="Events">How many events were erased.</param>
/// <param name="Stores">Each store's state: <c>erased</c>, <c>erasing</c>, <c>closed</c>, or <c>none</c> where the store holds nothing of entities.</param>
/// <param name="Complete">True when no file holds anything of the erased life any more.</param>
/// <param name="DestroyKeyBackupsBeforeMs">Backups of keys older than this still open what was erased; null while there are no keys.</param>
public sealed record EraseReceipt(
    string ReceiptId, long ErasedAtMs, long Events, IReadOnlyDictionary<string, string> Stores, bool Complete, long? DestroyKeyBackupsBeforeMs);
