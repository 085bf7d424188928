namespace Warp.Http.Storage;

/// <summary>The disk or SQLite refused an operation of storage.</summary>
public class StorageException(string message, Exception? inner = null) : IOException(message, inner)
{
    /// <summary>True if the same operation may succeed later without anybody's doing.</summary>
    public bool IsTransient { get; init; } = true;

    /// <summary>The system's number of the error (errno), or the one that means the same as SQLite's code; 0 = neither is known.</summary>
    internal int SystemError { get; init; }
}

/// <summary>Stored bytes contradict themselves or each other: a checksum, a gap, a cut. Never repaired silently.</summary>
public sealed class DamagedDataException(string message, Exception? inner = null) : StorageException(message, inner)
{
    /// <summary>Of a run or several, where the damage is; null = the message does not say.</summary>
    internal string? File { get; init; }

    /// <summary>What several files say of one entity has a gap. Whoever reads knows whether that is damage: it is none where the entity was erased meanwhile.</summary>
    internal bool IsGap { get; init; }
}

/// <summary>A shard is out of service; the message says why, in the operator's words, and names no entity.</summary>
public sealed class ShardUnavailableException(string message) : Exception(message)
{
    public bool IsTransient { get; init; } = true;
}

/// <summary>The data directory or its configuration does not allow a start; the message is for the person who starts the service.</summary>
public sealed class DataDirectoryException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>One line: what can't be done, why, and what to do about it where that is known.</summary>
    internal static DataDirectoryException Of(string what, Exception why)
    {
        var reason = string.Join(' ', why.Message.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)); // statements have several lines
        return new DataDirectoryException($"{what}: {reason.TrimEnd('.')}. {SystemErrors.AdviceFor(why)}".TrimEnd(), why);
    }
}
