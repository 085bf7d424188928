using System.Collections.Concurrent;
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
    public static readonly Counter<long> RunReads = Meter.CreateCounter<long>("warp_run_reads", "{read}", "Times that a run was looked into, for a name or for events.");
    public static readonly Counter<long> CommitFailures = Meter.CreateCounter<long>("warp_commit_failures", "{commit}", "Group commits that failed.");
    public static readonly Histogram<long> GroupCommitAppends = Meter.CreateHistogram<long>("warp_group_commit_appends", "{append}", "Appends in one group commit.");
    public static readonly Histogram<double> GroupCommitSeconds = Meter.CreateHistogram<double>(
        "warp_group_commit_seconds", "s", "From taking a group to its events being readable.");
    public static readonly Histogram<double> FsyncSeconds = Meter.CreateHistogram<double>(
        "warp_journal_commit_seconds", "s", "The journal's share of a group commit: write and fsync.");
    public static readonly Histogram<double> SealSeconds = Meter.CreateHistogram<double>("warp_seal_seconds", "s", "Sealing memtables into a run.");
    public static readonly Counter<long> Merges = Meter.CreateCounter<long>("warp_merges", "{merge}", "Merges of neighbouring runs into one.");
    public static readonly Histogram<double> MergeSeconds = Meter.CreateHistogram<double>("warp_merge_seconds", "s", "Merging runs into one, pauses for appends included.");
    public static readonly Counter<long> MergedBytes = Meter.CreateCounter<long>("warp_merged_bytes", "By", "Bytes of runs written by merging.");
    public static readonly ObservableCounter<long> PagesRead = Meter.CreateObservableCounter(
        "warp_pages_read", () => PageVfs.PagesRead, "{page}", "Pages of runs and catalogs read from files, each checked.");
    public static readonly ObservableCounter<long> PagesWritten = Meter.CreateObservableCounter(
        "warp_pages_written", () => PageVfs.PagesWritten, "{page}", "Pages of 4096 bytes written to runs and catalogs.");
    public static readonly ObservableCounter<long> PagesDamaged = Meter.CreateObservableCounter(
        "warp_pages_damaged", () => PageVfs.PagesDamaged, "{page}", "Pages whose checksum did not match.");

    private static readonly ConcurrentDictionary<Store, byte> Stores = new();

    static StorageMetrics()
    {
        Meter.CreateObservableGauge("warp_shards_quarantined", () => Sum(s => s.Damage is null ? 0 : 1), "{shard}", "Shards out of service because their files are damaged.");
        Meter.CreateObservableGauge("warp_runs", () => Sum(s => s.Runs), "{run}", "Runs that reads may have to look into.");
        Meter.CreateObservableGauge("warp_unsealed_bytes", () => Sum(s => s.UnsealedBytes), "By", "Bytes of events that stand in journals and memory and in no run yet.");
    }

    /// <summary>Gauges look at the stores that are open when they are asked, so that none outlives its store.</summary>
    public static void Opened(Store store) => Stores[store] = 0;

    public static void Closed(Store store) => Stores.TryRemove(store, out _);

    private static long Sum(Func<Shard, long> of)
    {
        long sum = 0;
        foreach (var store in Stores.Keys)
            foreach (var shard in store.AllShards) sum += of(shard);
        return sum;
    }
    public static readonly Counter<long> VerifyBytes = Meter.CreateCounter<long>("warp_verify_bytes", "By", "Bytes that verifications have read and checked.");
    public static readonly Counter<long> VerifyProblems = Meter.CreateCounter<long>("warp_verify_problems", "{problem}", "Problems that verifications have found.");
    public static readonly Histogram<double> VerifySeconds = Meter.CreateHistogram<double>("warp_verify_seconds", "s", "Verifications from beginning to end.");
}
