using System.Reflection;
using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary>Loads the service's assemblies before anything else takes the files that the process may open.</summary>
internal static class Assemblies
{
    /// <remarks>
    /// The runtime loads an assembly when it is first needed. Where too many files are open by then it is not found, which ends the process if it
    /// happens on a thread of the background, and is not looked for again when there is room.
    /// </remarks>
    /// <exception cref="DataDirectoryException">The process may not open as many files as the runtime needs.</exception>
    public static void Load()
    {
        OpenFiles.CheckForRuntime(); // with fewer it fails in ways that nobody understands
        foreach (var name in typeof(Assemblies).Assembly.GetReferencedAssemblies()) Assembly.Load(name);
    }
}
