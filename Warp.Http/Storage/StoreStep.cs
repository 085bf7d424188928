namespace Warp.Http.Storage;

/// <summary>The places in storage's work where a wait, a refusal or a crash leaves something different behind.</summary>
/// <remarks>A seam: tests stand in these places through <see cref="StoreOptions.AtStep"/>; in service nobody does.</remarks>
internal enum StoreStep
{
    /// <summary>Start: a file of a shard is about to be opened or read; none was changed.</summary>
    Recovering,

    /// <summary>Start: a shard was read, and what was found is about to be made durable.</summary>
    Settling,

    /// <summary>Writer: a row is built, nothing of it is written.</summary>
    BeforeRow,

    /// <summary>Writer: the row is in the journal, as durable as configured; the mark and everybody else don't know.</summary>
    AfterRow,

    /// <summary>Writer: the mark of a row is in its file; whether that is so the writer does not know yet.</summary>
    MarkWritten,

    /// <summary>Writer: a row failed, and the mark says what counts without it; the catalog does not cut the journal yet.</summary>
    MarkTakenBack,

    /// <summary>Any thread: a journal has its number and is about to be made.</summary>
    MakingJournal,

    /// <summary>Maintenance: a run is built and durable; the catalog doesn't name it.</summary>
    RunBuilt,

    /// <summary>Maintenance: the catalog names the run and no longer the journals, which are still there.</summary>
    SealNamed,

    /// <summary>Maintenance: the journals are unlinked.</summary>
    Sealed,

    /// <summary>Rewriter: between two pieces of a merge.</summary>
    Merging,

    /// <summary>Rewriter: neighbouring runs are written as one and durable; the catalog names the old ones.</summary>
    MergeBuilt,

    /// <summary>Rewriter: the catalog names the merged run; the old ones are still there.</summary>
    MergeNamed,

    /// <summary>Rewriter: the merged run is in the view; of the old ones those are unlinked that nobody reads.</summary>
    Merged,

    /// <summary>Rewriter: a run was copied without what is erased; the catalog names the old one.</summary>
    RewriteBuilt,

    /// <summary>Rewriter: the catalog names the copy; the old run is still there.</summary>
    RewriteNamed,

    /// <summary>Verification: a view is leased for the next page of work.</summary>
    Verifying,

    /// <summary>Rewriter: no file holds the erased lives; the catalog doesn't say so yet.</summary>
    ErasureClean,
}
