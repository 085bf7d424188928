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

    /// <summary>Runs a test without parameters of a class without any, on the mutant.</summary>
    /// <returns>True if it passes.</returns>
    public static async Task<bool> PassesAsync(AssemblyMutant mutant, Type type, string method)
    {
        using var directory = new TempDirectory("mutant");
        var run = Bind<Func<string, string, Task>>(mutant, directory, typeof(MutantContext), nameof(RunAsync));
        try
        {
            await run(type.FullName!, method);
            return true;
        }
        catch (Exception e) when (e is not (FileLoadException or FileNotFoundException or TypeLoadException))
        {
            return false; // but for what says that the mutant can't be loaded
        }
    }

    /// <summary>Runs a test as it is in the context that this type was loaded in.</summary>
    public static async Task RunAsync(string type, string method)
    {
        var of = typeof(MutantContext).Assembly.GetType(type, throwOnError: true)!;
        var test = Activator.CreateInstance(of)!;
        try
        {
            if (test is IAsyncLifetime begins) await begins.InitializeAsync();
            await (of.GetMethod(method)!.Invoke(test, BindingFlags.DoNotWrapExceptions, null, null, null) as Task ?? Task.CompletedTask);
        }
        finally
        {
            if (test is IAsyncDisposable ends) await ends.DisposeAsync();
            else (test as IDisposable)?.Dispose();
        }
    }

    protected override Assembly? Load(AssemblyName assemblyName) => assemblyName.Name == "Warp.Http" ? LoadFromAssemblyPath(_service) : null;

    protected override nint LoadUnmanagedDll(string unmanagedDllName) =>
        NativeLibrary.TryLoad(unmanagedDllName, typeof(Warp.Http.Storage.Store).Assembly, searchPath: null, out var library) ? library : 0;
}
