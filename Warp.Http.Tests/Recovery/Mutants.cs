using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Recovery;

/// <summary>The defects that the fault tests must notice. All names of the service that they rely on stand here.</summary>
internal static class Mutants
{
    private const string CreateRowTable = "CREATE TABLE row(ordinal INTEGER PRIMARY KEY, header BLOB NOT NULL, body BLOB NOT NULL)";

    /// <summary>Rows go into a transaction that nobody ends: callers are told before there is a commit.</summary>
    public static AssemblyMutant AcknowledgesBeforeTheCommit() => AssemblyMutant.OfService()
        .ReplaceString("Warp.Http.Storage.Journal", "Create", CreateRowTable, CreateRowTable + "; BEGIN");

    /// <summary>After a failed commit the writer goes on in the same file.</summary>
    public static AssemblyMutant KeepsTheFailedJournalInUse() => AssemblyMutant.OfService()
        .MakeBodyReturn("Warp.Http.Storage.ShardWriter", "TryReplaceJournal", true);

    /// <summary>An id that was stored before is stored again.</summary>
    public static AssemblyMutant DoesNotLookForReplays() => AssemblyMutant.OfService()
        .MakeBodyReturn("Warp.Http.Entities.EntityActor", "JudgeReplay", true);

    public static AssemblyMutant SkipsTheFsyncAtRecovery() => AssemblyMutant.OfService()
        .RemoveCall("Warp.Http.Storage.ShardRecovery", "*", "SyncBeforeTrusting");

    /// <summary>A journal's rows behind a failed sync are synced, but not written, before they are believed.</summary>
    public static AssemblyMutant TrustsRowsBehindAFailedSync() => AssemblyMutant.OfService()
        .RemoveCall("Warp.Http.Storage.ShardRecovery", "ReadJournal", "WriteAgain");

    /// <summary>A start believes the catalog as the page cache shows it.</summary>
    public static AssemblyMutant TrustsTheCatalogAtAStart() => AssemblyMutant.OfService()
        .RemoveCall("Warp.Http.Storage.ShardRecovery", "Settle", "WriteAgain");

    public static AssemblyMutant DoesNotFsync() => AssemblyMutant.OfService()
        .ReplaceString("*", "*", "synchronous=FULL", "synchronous=OFF");

    /// <summary>A new run's name is not durable when the catalog names it.</summary>
    public static AssemblyMutant DoesNotSyncTheDirectoryOfARun() => AssemblyMutant.OfService()
        .RemoveCall("Warp.Http.Storage.RunBuilder", "Finish", "Flush");

    /// <summary>A new run's last pages are not durable when the catalog names it.</summary>
    public static AssemblyMutant NamesARunBeforeItIsDurable() => AssemblyMutant.OfService()
        .RemoveCall("Warp.Http.Storage.RunBuilder", "Finish", "FlushToDisk");

    /// <summary>The catalog's transaction may come after the unlinking that rests on it.</summary>
    public static AssemblyMutant UnlinksJournalsBeforeTheCatalogIsDurable() => AssemblyMutant.OfService()
        .ReplaceString("Warp.Http.Storage.Catalog", "*", "synchronous=FULL", "synchronous=OFF");

    /// <summary>After a failed sync the catalog is read on as the page cache shows it.</summary>
    public static AssemblyMutant TrustsTheCatalogAfterAFailedSync() => AssemblyMutant.OfService()
        .ReplaceString("Warp.Http.Storage.Catalog", "get_Database", "VACUUM", "SELECT 1");

    /// <summary>A power cut brings back the file that was unlinked.</summary>
    public static AssemblyMutant CompletesAnErasureBeforeUnlinkingIsDurable() => AssemblyMutant.OfService()
        .RemoveCall("Warp.Http.Storage.RunRewriter", "Erase", "Flush");

    /// <summary>A name whose run was merged is not found any more.</summary>
    public static AssemblyMutant MergesWithoutTags() => AssemblyMutant.OfService()
        .MakeBodyReturn("Warp.Http.Storage.RunMerger", "CopyTags", true);

    public static AssemblyMutant MergesWithoutStates() => AssemblyMutant.OfService()
        .MakeBodyReturn("Warp.Http.Storage.RunMerger", "CopyStates", true);

    /// <summary>Two lives of a name: the one whose tag found its place taken is lost when the other goes.</summary>
    public static AssemblyMutant TrustsTagsThatStandBesideTheirPlace() => AssemblyMutant.OfService()
        .MakeBodyReturn("Warp.Http.Storage.RunMerger", "get_TagsAreInPlace", true);

    public static AssemblyMutant MergesWithoutTheIdsOfLargePieces() => AssemblyMutant.OfService()
        .RemoveCall("Warp.Http.Storage.RunMerger", "CopyPiece", "Blob");

    public static AssemblyMutant MergesWhatIsErased() => AssemblyMutant.OfService()
        .RemoveCall("Warp.Http.Storage.RunMerger", "TakePiece", "Contains");

    /// <summary>An entity's last piece is written under the next one's number.</summary>
    public static AssemblyMutant MixesThePiecesOfNeighbours() => AssemblyMutant.OfService()
        .RemoveCall("Warp.Http.Storage.RunBuilder", "Expect", "FlushPiece");

    /// <summary>Of an entity that two neighbours hold, the later one's pieces come first.</summary>
    public static AssemblyMutant SwapsNeighbours() => AssemblyMutant.OfService()
        .NegateLastArgument("Warp.Http.Storage.AscendingRows", "Enqueue", ".ctor");

    public static AssemblyMutant LeavesOutTheLastPieceOfAMerge() => AssemblyMutant.OfService()
        .RemoveCall("Warp.Http.Storage.RunBuilder", "EndEvents", "FlushPiece")
        .RemoveCall("Warp.Http.Storage.RunBuilder", "Finish", "FlushPiece");

    /// <summary>A page of a run or the catalog is taken as it is read.</summary>
    public static AssemblyMutant DoesNotVerifyPages() => AssemblyMutant.OfService()
        .MakeBodyReturn("Warp.Http.Storage.PageChecksum", "IsIntact", true);

    /// <summary>No defect, but a store that merges after a few seals, which the configuration does not offer.</summary>
    public static AssemblyMutant MergesSoon(this AssemblyMutant mutant) =>
        mutant.MakeBodyReturn("Warp.Http.Storage.StoreOptions", "get_MergeFanOut", 3);
}
