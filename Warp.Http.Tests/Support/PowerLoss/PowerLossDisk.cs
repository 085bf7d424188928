using System.Diagnostics;

namespace Warp.Http.Tests.Support;

/// <summary>
/// A directory on a simulated disk whose power can be cut: what a process wrote there is seen by everyone, as through the page cache,
/// but only what it fsynced is there after <see cref="CutPower"/>. How that is done stands in <c>powerloss.c</c>.
/// </summary>
public sealed class PowerLossDisk : IDisposable
{
    private static readonly Lazy<TempDirectory> s_built = new(Build);
    private readonly TempDirectory _directory = new("powerloss");

    public PowerLossDisk()
    {
        Root = _directory.Subdirectory("real");
        Shadow = _directory.Subdirectory("shadow");
    }

    /// <summary>The directory to work in. Kill the process and start it again over it: the page cache survives.</summary>
    public string Root { get; }

    /// <summary>An fsync's duration; at 0 the window between writing and syncing would be narrower than on any disk.</summary>
    public TimeSpan FsyncTakes { get; init; } = TimeSpan.FromMilliseconds(1);

    /// <summary>fsync of a new file makes its directory entry durable too, as ext4 does. By default the directory must be synced.</summary>
    public bool FsyncLinks { get; init; }

    /// <summary>A page dropped by a failed fsync is sound once written again, as in Linux. By default it is lost for ever.</summary>
    public bool RewriteRestores { get; init; }

    /// <summary>Where every change of the disk is written down, for <see cref="DiskImage"/>; null = nowhere.</summary>
    public string? Trace { get; init; }

    /// <summary>Lets the process read this boot id in place of the kernel's: what looks at its files later does so after a restart.</summary>
    public Guid? BootId { get; init; }

    internal static string FsOps => s_built.Value.File("fsops");

    private string Shadow { get; }

    private string Control => _directory.File("control");

    /// <summary>Skips the running test where the simulation cannot work.</summary>
    public static void SkipWhereImpossible() =>
        Assert.SkipWhen(CCompiler.Absence is not null, $"The simulated disk is not available: {CCompiler.Absence}.");

    /// <summary>What a process needs in its environment to work on this disk.</summary>
    /// <param name="faults">Faults from the start on, in the notation of <c>powerloss.c</c>: <c>fail-fsync=journal-*.db-wal:3</c>.</param>
    public Dictionary<string, string?> Environment(string? faults = null)
    {
        var environment = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["LD_PRELOAD"] = s_built.Value.File("powerloss.so"),
            ["POWERLOSS_ROOT"] = Root,
            ["POWERLOSS_SHADOW"] = Shadow,
            ["POWERLOSS_CONTROL"] = Control,
            ["POWERLOSS_FSYNC_MICROSECONDS"] = ((long)FsyncTakes.TotalMicroseconds).ToString(),
        };
        if (faults is not null) environment["POWERLOSS_FAULTS"] = faults;
        if (FsyncLinks) environment["POWERLOSS_FSYNC_LINKS"] = "1";
        if (RewriteRestores) environment["POWERLOSS_REWRITE_RESTORES"] = "1";
        if (Trace is not null) environment["POWERLOSS_TRACE"] = Trace;
        if (BootId is { } boot)
        {
            File.WriteAllText(_directory.File("boot-id"), $"{boot}\n");
            environment["POWERLOSS_BOOT_ID"] = _directory.File("boot-id");
        }

        return environment;
    }

    /// <summary>Plans faults for the running process. They count from its next write or fsync on, whatever came before.</summary>
    public void Arm(string faults)
    {
        // Renamed into place, since the process may look at any moment.
        File.WriteAllText($"{Control}.new", faults);
        File.Move($"{Control}.new", Control, overwrite: true);
    }

    /// <summary>Whether the process has taken what <see cref="Arm"/> planned, which it does at its next write or fsync.</summary>
    public bool IsArmed => !File.Exists(Control);

    /// <summary>Cuts the power. The process must have been killed before: a dead machine runs nothing.</summary>
    /// <returns>The disk as it is found when the power is back; everything on it is durable.</returns>
    public PowerLossDisk CutPower()
    {
        var after = new PowerLossDisk { FsyncTakes = FsyncTakes, FsyncLinks = FsyncLinks, RewriteRestores = RewriteRestores };
        if (Directory.Exists(Path.Combine(Shadow, "root"))) after.Restore(Path.Combine(Shadow, "root"), Shadow, after.Root);
        after.Settle();
        return after;
    }

    /// <summary>Makes everything durable that lies in the directory now, put there by whomever.</summary>
    public void Settle() => Run("true", settle: true);

    public void Dispose() => _directory.Dispose();

    /// <summary>Runs a program in the root, on this disk.</summary>
    /// <returns>The lines it wrote, and 137 for one that was killed.</returns>
    internal (IReadOnlyList<string> Lines, int ExitCode) Run(
        string program, IEnumerable<string>? arguments = null, string? faults = null, bool settle = false)
    {
        var start = new ProcessStartInfo(program, arguments ?? [])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            WorkingDirectory = Root,
        };
        foreach (var (name, value) in Environment(faults)) start.Environment[name] = value;
        start.Environment["POWERLOSS_FSYNC_MICROSECONDS"] = "0";
        if (settle) start.Environment["POWERLOSS_SETTLE"] = "1";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (output.Split('\n', StringSplitOptions.RemoveEmptyEntries), process.ExitCode);
    }

    private void Restore(string durable, string shadow, string target)
    {
        foreach (var entry in new DirectoryInfo(durable).EnumerateFileSystemInfos())
        {
            if (entry.Name == ".powerloss-fresh") continue; // a kill within an fsync of the directory
            if (entry.LinkTarget is not { } linked)
            {
                File.Copy(entry.FullName, Path.Combine(target, entry.Name));
                continue;
            }

            var child = Directory.CreateDirectory(Path.Combine(target, entry.Name));
            if (!OperatingSystem.IsWindows())
                child.UnixFileMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
            var entries = Path.Combine(shadow, "dirs", Path.GetFileName(linked));
            if (Directory.Exists(entries)) Restore(entries, shadow, child.FullName); // else it was never synced itself
        }
    }

    private static TempDirectory Build()
    {
        var built = new TempDirectory("powerloss-built");
        AppDomain.CurrentDomain.ProcessExit += (_, _) => built.Dispose();
        var sources = Path.Combine(AppContext.BaseDirectory, "Support", "PowerLoss");
        CCompiler.Compile(Path.Combine(sources, "powerloss.c"), built.File("powerloss.so"), "-shared", "-fPIC");
        CCompiler.Compile(Path.Combine(sources, "fsops.c"), built.File("fsops"));
        return built;
    }
}
