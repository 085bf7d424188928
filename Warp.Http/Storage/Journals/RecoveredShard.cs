namespace Warp.Http.Storage;

/// <summary>What recovery found of a shard.</summary>
/// <param name="LooseStates">Of journals that hold no event: those journals go, and with them what is not written again.</param>
internal sealed record RecoveredShard(
    IReadOnlyList<Run> Runs, IReadOnlyList<Memtable> Memtables, IReadOnlyList<long> EmptyJournals, IReadOnlyList<MemState> LooseStates,
    long LastPosition, long LastEntity, long LastMs);
