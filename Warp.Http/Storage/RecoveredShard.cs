namespace Warp.Http.Storage;

/// <summary>What recovery found of a shard.</summary>
internal sealed record RecoveredShard(
    IReadOnlyList<Run> Runs, IReadOnlyList<Memtable> Memtables, IReadOnlyList<long> EmptyJournals, long LastPosition, long LastEntity, long LastMs);
