using System.Runtime.InteropServices;

namespace Warp.Http.Storage;

/// <summary>The operating system's priority of the calling thread. .NET's own does nothing on Linux.</summary>
internal static partial class ThreadPriorities
{
    /// <summary>A tenth of an ordinary thread's share where all want the processor, and all of it where nobody does.</summary>
    private const int LowNice = 10;

    private const int OfThread = 0; // PRIO_PROCESS: on Linux that and 0 mean the calling thread

    /// <summary>For good: going back up needs a right that a service rarely has. Best effort, for the work is done either way.</summary>
    public static void SetLow()
    {
        if (OperatingSystem.IsLinux()) _ = SetPriority(OfThread, 0, LowNice);
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, int who, int nice);
}
