using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Warp.Http.Tests.Support;

/// <summary>Runs tests of this assembly in a process of their own against a mutant of the service: a defect that no call over HTTP shows.</summary>
internal static class TestsUnderMutant
{
    private static readonly TimeSpan Within = TimeSpan.FromMinutes(3);

    /// <summary>True if the test passes though the defect is there: then it proves nothing.</summary>
    /// <param name="mutant">The defect.</param>
    /// <param name="method">The full name of a test method; <c>*</c> may stand at its ends.</param>
    public static async Task<bool> PassesAsync(AssemblyMutant mutant, string method)
    {
        using var directory = new TempDirectory("mutant");
        mutant.WriteTo(directory);
        var tests = Path.GetFileName(typeof(TestsUnderMutant).Assembly.Location);
        foreach (var file in new[] { tests, Path.ChangeExtension(tests, ".deps.json"), Path.ChangeExtension(tests, ".runtimeconfig.json") })
        {
            // The host looks for assemblies beside the file itself, which a link would lead to the original's directory.
            File.Delete(directory.File(file));
            File.Copy(Path.Combine(AppContext.BaseDirectory, file), directory.File(file));
        }

        var start = new ProcessStartInfo(Host(), [directory.File(tests), "-method", method]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var name in start.Environment.Keys.Where(k => k.StartsWith("TESTINGPLATFORM_", StringComparison.Ordinal)).ToList()) start.Environment.Remove(name);
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var errors = process.StandardError.ReadToEndAsync();
        using var limit = new CancellationTokenSource(Within);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }

        var text = await output + await errors;
        // "Nothing ran" must not look like "the test noticed it".
        text.ShouldContain("Finished:");
        text.ShouldNotContain("Total: 0,");
        return process.ExitCode == 0;
    }

    private static string Host()
    {
        var root = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        var host = Path.Combine(root, OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet");
        return File.Exists(host) ? host : "dotnet";
    }
}
