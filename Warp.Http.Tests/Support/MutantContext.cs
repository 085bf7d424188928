using System.Reflection;
using System.Runtime.InteropServices;
using System.Runtime.Loader;

namespace Warp.Http.Tests.Support;

/// <summary>The tests' own code bound to a mutant of the service, in this process: for defects that need no process of their own to show.</summary>
/// <remarks>Stays loaded: SQLite keeps pointers into the service for the life of the process.</remarks>
internal sealed class MutantContext : AssemblyLoadContext
{
    private readonly string _service;
    private readonly Assembly _tests;

    private MutantContext(string service)
        : base("mutant")
    {
        _service = service;
        _tests = LoadFromAssemblyPath(typeof(MutantContext).Assembly.Location);
    }

    /// <summary>A static method of this assembly as it runs on the mutant; its parameters must not be of types of either.</summary>
    public static T Bind<T>(AssemblyMutant mutant, TempDirectory directory, Type type, string method)
        where T : Delegate
    {
        var context = new MutantContext(Path.Combine(mutant.WriteTo(directory), "Warp.Http.dll"));
        return context._tests.GetType(type.FullName!, throwOnError: true)!.GetMethod(method, BindingFlags.Static | BindingFlags.Public)!.CreateDelegate<T>();
    }

    protected override Assembly? Load(AssemblyName assemblyName) => assemblyName.Name == "Warp.Http" ? LoadFromAssemblyPath(_service) : null;

    protected override nint LoadUnmanagedDll(string unmanagedDllName) =>
        NativeLibrary.TryLoad(unmanagedDllName, typeof(Warp.Http.Storage.Store).Assembly, searchPath: null, out var library) ? library : 0;
}
