using System.Diagnostics.Metrics;

namespace Warp.Http.Storage;

/// <summary>What storage publishes on the meter <c>Warp.Http</c>. Recorded once a group commit, not once an append.</summary>
internal static class StorageMetrics
{
    public const string MeterName = "Warp.Http";

    public static readonly Meter Meter = new(MeterName);
    public static readonly Counter<long> Appends = Meter.CreateCounter<long>("warp_appends", "{append}", "Appends that became durable.");
    public static readonly Counter<long> Events = Meter.CreateCounter<long>("warp_events", "{event}", "Events that became durable.");
    public static readonly Counter<long> JournalBytes = Meter.CreateCounter<long>("warp_journal_bytes", "By", "Row bytes written to journals.");
    public static readonly Counter<long> SealedBytes = Meter.CreateCounter<long>("warp_sealed_bytes", "By", "Bytes of runs written by sealing and rewriting.");
    public static readonly Counter<long> CommitFailures = Meter.CreateCounter<long>("warp_commit_failures", "{commit}", "Group commits that failed.");
    public static readonly Histogram<long> GroupCommitAppends = Meter.CreateHistogram<long>("warp_group_commit_appends", "{append}", "Appends in one group commit.");
    public static readonly Histogram<double> GroupCommitSeconds = Meter.CreateHistogram<double>(
        "warp_group_commit_seconds", "s", "From taking a group to its events being readable.");
    public static readonly Histogram<double> FsyncSeconds = Meter.CreateHistogram<double>(
        "warp_journal_commit_seconds", "s", "The journal's share of a group commit: write and fsync.");
    public static readonly Histogram<double> SealSeconds = Meter.CreateHistogram<double>("warp_seal_seconds", "s", "Sealing memtables into a run.");
}
