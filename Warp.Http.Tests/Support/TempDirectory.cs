namespace Warp.Http.Tests.Support;

/// <summary>A directory of its own beneath the system's temporary folder, removed with all that is in it.</summary>
public sealed class TempDirectory : IDisposable
{
    private const string SharedMemory = "/dev/shm";

    public TempDirectory(string purpose = "warp") => Path = Directory.CreateTempSubdirectory($"warp-http-{purpose}-").FullName;

    private TempDirectory(DirectoryInfo made) => Path = made.FullName;

    /// <summary>In memory where the system has a place for that: for files of which nobody asks whether they survive, hundreds of them.</summary>
    public static TempDirectory InMemory(string purpose) => Directory.Exists(SharedMemory)
        ? new TempDirectory(Directory.CreateDirectory(System.IO.Path.Combine(SharedMemory, $"warp-http-{purpose}-{Guid.NewGuid():N}")))
        : new TempDirectory(purpose);

    public string Path { get; }

    public string File(string name) => System.IO.Path.Combine(Path, name);

    public string Subdirectory(string name) => Directory.CreateDirectory(File(name)).FullName;

    public void Dispose()
    {
        if (Environment.GetEnvironmentVariable("WARP_TEST_KEEP") is not null) return; // to look at what a failure left behind
        try
        {
            Directory.Delete(Path, recursive: true);
        }
        catch (DirectoryNotFoundException)
        {
            // A test may have moved it away, which is its right.
        }
    }
}
