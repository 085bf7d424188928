using System.Runtime.InteropServices;

namespace Warp.Http.Storage;

/// <summary>How many files the process may open, and what of that is the store's.</summary>
/// <remarks>
/// Where the limit is reached the store's own work fails and is tried again, and no shard is harmed; but the runtime may end the process, for it
/// needs files to start a thread or to load an assembly. So a start that would leave too few does not begin to serve, and clients get a share.
/// </remarks>
internal static partial class OpenFiles
{
    /// <summary>Of a shard, beyond catalog, mark and runs: two journals of two files each, the catalog's own, and what a seal opens.</summary>
    private const int PerShard = 8;

    /// <summary>Listeners, definitions, tables, and what comes and goes.</summary>
    private const int Beside = 64;

    /// <summary>The runtime holds two for each assembly; together some 225 are open when the store is opened.</summary>
    private const int Runtime = 256;

    /// <summary>RLIMIT_NOFILE of Linux.</summary>
    private const int LimitOfFiles = 7;

    /// <summary>Before anything else.</summary>
    /// <exception cref="DataDirectoryException">The limit is too low for the runtime and the service's assemblies alone.</exception>
    public static void CheckForRuntime()
    {
        if (Limit() is < Runtime and var limit) throw new DataDirectoryException($"The process may open {limit} files; the service needs {Runtime} for itself. {SystemErrors.MoreOpenFiles}");
    }

    /// <summary>Before shards that were read begin to work.</summary>
    /// <exception cref="DataDirectoryException">They would have too few.</exception>
    public static void Check(string directory, int shards)
    {
        if (Limit() is not { } limit || limit - Count() is var left && left >= Needed(shards)) return;
        throw new DataDirectoryException(
            $"The process may open {limit} files, and {limit - left} are open; the {shards} shard(s) of {directory} need {Needed(shards)} more to work. {SystemErrors.MoreOpenFiles}");
    }

    /// <summary>
    /// What connections may take of what is left at the start: half, and the store has the rest for runs, readers and merges. Null = no bound.
    /// </summary>
    public static long? ForConnections() => Limit() is { } limit ? Math.Max(1, (limit - Count()) / 2) : null;

    private static long Needed(int shards) => (PerShard * (long)shards) + Beside;

    /// <summary>Null where the system does not say, or sets none.</summary>
    private static long? Limit()
    {
        if (!OperatingSystem.IsLinux() || GetLimit(LimitOfFiles, out var limit) != 0 || limit.Current > long.MaxValue) return null;
        return (long)limit.Current;
    }

    private static int Count() => Directory.EnumerateFileSystemEntries("/proc/self/fd").Count();

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetLimit(int resource, out ResourceLimit limit);

    [StructLayout(LayoutKind.Sequential)]
    private struct ResourceLimit
    {
        public ulong Current;
        public ulong Max;
    }
}
