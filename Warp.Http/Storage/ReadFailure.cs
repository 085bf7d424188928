using SQLitePCL;

namespace Warp.Http.Storage;

/// <summary>Tells what is wrong with stored bytes from what keeps a reader from looking at them, such as too many open files or a full disk.</summary>
internal static class ReadFailure
{
    // An IOException's HResult is the platform's own number of the error: EIO, ERROR_CRC, ERROR_IO_DEVICE.
    private const int WindowsCrc = unchecked((int)0x80070017);
    private const int WindowsIoDevice = unchecked((int)0x8007045D);

    /// <summary>SQLITE_IOERR_CORRUPTFS: the disk does not give what was written there (EIO on reading).</summary>
    private const int SqliteIoErrorCorruptFs = raw.SQLITE_IOERR | (33 << 8);

    /// <summary>True if looking again can't change it: the bytes contradict themselves, are not there, or the disk no longer gives them.</summary>
    public static bool IsDamage(Exception e) =>
        e is DamagedDataException or InvalidDataException or DirectoryNotFoundException or EndOfStreamException
        || (e is FileNotFoundException missing && Path.IsPathFullyQualified(missing.FileName ?? "")) // else an assembly, which too many open files keep from loading
        || e is IOException { HResult: SystemErrors.InputOutput or WindowsCrc or WindowsIoDevice };

    /// <summary>The same of SQLite's extended result code.</summary>
    public static bool IsDamage(int sqliteCode) =>
        (sqliteCode & 0xff) is raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB || sqliteCode is PageVfs.IoErrorData or SqliteIoErrorCorruptFs;

    /// <summary>True if it came from reading, be it damage or something that passes.</summary>
    public static bool IsOfReading(Exception e) => e is IOException or InvalidDataException or UnauthorizedAccessException;

    /// <summary>True if something kept a start from its files that says nothing about what they hold.</summary>
    public static bool IsObstacle(Exception e) => (e is IOException or UnauthorizedAccessException or OutOfMemoryException) && !IsDamage(e);
}
