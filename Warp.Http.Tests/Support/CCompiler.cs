using System.Diagnostics;

namespace Warp.Http.Tests.Support;

/// <summary>The C compiler of the machine, for the few pieces that must stand between a process and libc.</summary>
internal static class CCompiler
{
    private static readonly Lazy<string?> s_absence = new(() =>
    {
        if (!OperatingSystem.IsLinux()) return "it preloads a library into a process, which is done this way on Linux only";
        try
        {
            var start = new ProcessStartInfo("cc", "--version") { RedirectStandardOutput = true, UseShellExecute = false };
            using var version = Process.Start(start)!;
            version.WaitForExit();
            return null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "there is no C compiler (cc); on Debian: apt-get install gcc libc6-dev";
        }
    });

    /// <summary>Why nothing can be compiled here, or null.</summary>
    public static string? Absence => s_absence.Value;

    public static void Compile(string source, string target, params string[] options)
    {
        // Distributions preset _FORTIFY_SOURCE, whose inline versions of open and the like cannot be defined anew.
        string[] arguments = ["-O2", "-Wall", "-U_FORTIFY_SOURCE", .. options, "-o", target, source, "-ldl", "-lpthread"];
        using var cc = Process.Start(new ProcessStartInfo("cc", arguments) { RedirectStandardError = true, UseShellExecute = false })!;
        var messages = cc.StandardError.ReadToEnd();
        cc.WaitForExit();
        if (cc.ExitCode != 0) throw new InvalidOperationException($"cc could not compile {source}:\n{messages}");
    }
}
