using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Recovery;

/// <summary>The defects that the fault tests must notice. All names of the service that they rely on stand here.</summary>
internal static class Mutants
{
    private const string Writer = "Warp.Http.Storage.ShardWriter";

    /// <summary>Takes a group from its journal row to its acknowledgements.</summary>
    private const string CommitGroup = "CommitGroup";

    /// <summary>Within <see cref="CommitGroup"/>: writes and fsyncs the row.</summary>
    private const string AppendRow = "AppendRow";

    /// <summary>Within <see cref="CommitGroup"/>, after <see cref="AppendRow"/>: completes the callers.</summary>
    private const string Acknowledge = "Acknowledge";

    /// <summary>Within the writer's failure path: leaves the failed journal and opens a new one.</summary>
    private const string Fail = "Fail";
    private const string ReplaceJournal = "ReplaceJournal";

    private const string Recovery = "Warp.Http.Storage.Recovery";

    /// <summary>Fsyncs a journal found at start, its WAL and the directory.</summary>
    private const string SyncJournal = "SyncJournal";

    // Wide enough that a kill at a random moment meets it in most cycles, and too short to slow the load to a crawl.
    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(20);

    public static AssemblyMutant AcknowledgesBeforeTheCommit() => AssemblyMutant.OfService()
        .SleepBefore(Writer, CommitGroup, AppendRow, Window)
        .MoveCallBefore(Writer, CommitGroup, Acknowledge, AppendRow);

    public static AssemblyMutant KeepsTheFailedJournalInUse() => AssemblyMutant.OfService().RemoveCall(Writer, Fail, ReplaceJournal);

    public static AssemblyMutant SkipsTheFsyncAtRecovery() => AssemblyMutant.OfService().RemoveCall(Recovery, "*", SyncJournal);

    public static AssemblyMutant DoesNotFsync() => AssemblyMutant.OfService()
        .ReplaceString("*", "*", "synchronous=FULL", "synchronous=OFF");
}
