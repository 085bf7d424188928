using System.Runtime.CompilerServices;

namespace Warp.Http.Tests.Acceptance;

/// <summary>Where the sources of these tests stand: what users are told to run is run from there.</summary>
internal static class Repository
{
    public static string Root { get; } = Find();

    private static string Find([CallerFilePath] string here = "")
    {
        var directory = new DirectoryInfo(Path.GetDirectoryName(here)!);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "Warp.Http.sln"))) directory = directory.Parent;
        return directory?.FullName ?? throw new InvalidOperationException($"No Warp.Http.sln above {here}.");
    }
}
