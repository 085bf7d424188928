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

    public static AssemblyMutant SkipsTheFsyncAtRecovery() => AssemblyMutant.OfService()
        .RemoveCall("Warp.Http.Storage.ShardRecovery", "*", "SyncBeforeTrusting");

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

    /// <summary>A power cut brings back the file that was unlinked.</summary>
    public static AssemblyMutant CompletesAnErasureBeforeUnlinkingIsDurable() => AssemblyMutant.OfService()
        .RemoveCall("Warp.Http.Storage.RunRewriter", "Erase", "Flush");
}
