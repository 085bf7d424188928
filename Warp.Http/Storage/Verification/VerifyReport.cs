namespace Warp.Http.Storage;

/// <summary>Something that is not as it was written. Names no entity: an entity's number says enough to whoever repairs.</summary>
/// <param name="Shard">Null where it belongs to the whole store.</param>
/// <param name="File">Below the data directory.</param>
/// <param name="Where">The place in the file.</param>
/// <param name="What">What is there, and what is due.</param>
/// <param name="IsDamage">False = it could not be looked at, such as for want of memory or open files: nothing is known to be wrong there.</param>
public sealed record VerifyProblem(int? Shard, string File, string Where, string What, bool IsDamage = true)
{
    internal static VerifyProblem NotChecked(int? shard, string file, string where, Exception e) => new(shard, file, where, $"It could not be checked: {e.Message}", IsDamage: false);
}

public enum VerifyStatus
{
    Running,

    /// <summary>All was checked, and all is as it was written.</summary>
    Ok,

    Damaged,

    /// <summary>Something could not be looked at; all else is as it was written.</summary>
    Incomplete,

    /// <summary>It was stopped before its end; nothing wrong was found so far.</summary>
    Stopped,
}

/// <summary>What was checked of one shard.</summary>
public sealed record VerifyShard(int Shard, VerifyStatus Status, int Files, long Bytes, long Events, long Entities, double Seconds);

/// <summary>A verification as far as it came.</summary>
public sealed record VerifyReport(
    VerifyStatus Status, DateTimeOffset StartedAt, DateTimeOffset? FinishedAt, double Seconds, string Phase, long Bytes, long BytesTotal,
    IReadOnlyList<VerifyShard> Shards, IReadOnlyList<VerifyProblem> Problems, long ProblemsFound)
{
    /// <summary>Of the bytes that there were to check; 100 only at the end.</summary>
    public double Percent => Status is VerifyStatus.Ok or VerifyStatus.Damaged or VerifyStatus.Incomplete ? 100
        : BytesTotal == 0 ? 0 : Math.Min(99.9, Math.Round(100.0 * Bytes / BytesTotal, 1));
}
