using SQLitePCL;

namespace Warp.Http.Storage;

/// <summary>What the system, or SQLite, says of a call that failed, and what the person who runs the service can do about it.</summary>
/// <remarks>The numbers are errno, those of Linux where systems differ; an <see cref="IOException"/> has them as its HResult.</remarks>
internal static class SystemErrors
{
    public const int InputOutput = 5; // EIO

    // The runtime itself raises the soft limit to the hard one.
    public const string MoreOpenFiles = "Allow the process more open files: ulimit -Hn, LimitNOFILE= in a systemd unit, --ulimit nofile= of a container.";

    private const int NotPermitted = 1; // EPERM
    private const int TryAgain = 11; // EAGAIN
    private const int NoMemory = 12; // ENOMEM
    private const int NoAccess = 13; // EACCES
    private const int FileTableFull = 23; // ENFILE
    private const int TooManyOpenFiles = 24; // EMFILE
    private const int NoSpace = 28; // ENOSPC
    private const int ReadOnlyFileSystem = 30; // EROFS
    private const int QuotaExceeded = 122; // EDQUOT
    private const int WindowsFileInUse = unchecked((int)0x80070020);
    private const int WindowsDiskFull = unchecked((int)0x80070070);

    /// <summary>The number that means the same as one of SQLite's primary codes; 0 = none does.</summary>
    public static int Of(int sqliteCode) => sqliteCode switch
    {
        raw.SQLITE_BUSY or raw.SQLITE_LOCKED => TryAgain,
        raw.SQLITE_NOMEM => NoMemory,
        raw.SQLITE_FULL => NoSpace,
        raw.SQLITE_READONLY or raw.SQLITE_PERM => NoAccess,
        _ => 0,
    };

    /// <summary>True if somebody else holds the file.</summary>
    public static bool IsFileInUse(IOException e) => e.HResult is TryAgain or WindowsFileInUse;

    /// <summary>A sentence that says what to do; null where the error's own message has to be enough.</summary>
    public static string? AdviceFor(Exception e) => Of(e) switch
    {
        // The runtime says so, too, where it can't start a thread, for which it may lack any of them.
        NoMemory when e is OutOfMemoryException => "Allow the process more memory, open files (ulimit -Hn) and threads (ulimit -u).",
        TooManyOpenFiles => MoreOpenFiles,
        FileTableFull => "Allow the machine more open files: sysctl fs.file-max.",
        NoSpace or QuotaExceeded or WindowsDiskFull => "Make room on the disk.",
        NoMemory => "Allow the process more memory.",
        NoAccess or NotPermitted or ReadOnlyFileSystem => "Allow the user that the service runs as to read and write it.",
        TryAgain or WindowsFileInUse => "End whatever else has it open.",
        _ => null,
    };

    private static int Of(Exception e) => e switch
    {
        StorageException { SystemError: not 0 } storage => storage.SystemError,
        OutOfMemoryException => NoMemory,
        UnauthorizedAccessException => NoAccess,
        IOException io => io.HResult,
        _ => 0,
    };
}
