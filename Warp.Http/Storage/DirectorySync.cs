using System.Runtime.InteropServices;

namespace Warp.Http.Storage;

/// <summary>Makes the entries of a directory durable: a file that was created, renamed or unlinked stays so after a power cut.</summary>
internal static partial class DirectorySync
{
    private const int ReadOnly = 0;

    /// <exception cref="StorageException">The directory cannot be opened or synced.</exception>
    public static void Flush(string directory)
    {
        // NTFS journals its directories; there is no call to make.
        if (OperatingSystem.IsWindows()) return;
        var descriptor = Open(directory, ReadOnly);
        if (descriptor < 0) throw Error("open", directory);
        try
        {
            if (FSync(descriptor) != 0) throw Error("fsync", directory);
        }
        finally
        {
            _ = Close(descriptor);
        }
    }

    /// <summary>Makes a file's content durable through a descriptor of its own.</summary>
    public static void FlushFile(string path)
    {
        using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        RandomAccess.FlushToDisk(handle);
    }

    /// <summary>Writes a file over itself: what a failed sync dropped the system takes for clean, and only what is written again is written by the next.</summary>
    public static void WriteAgain(string path)
    {
        using var handle = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        var buffer = new byte[256 * 1024];
        int read;
        for (long at = 0; (read = RandomAccess.Read(handle, buffer, at)) > 0; at += read) RandomAccess.Write(handle, buffer.AsSpan(0, read), at);
    }

    private static StorageException Error(string call, string path)
    {
        var error = Marshal.GetLastPInvokeError();
        return new StorageException($"{call} of {path} failed with errno {error} ({Marshal.GetPInvokeErrorMessage(error)}).") { SystemError = error };
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int FSync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
