using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Runtime.InteropServices;

namespace Warp.Http.Tests.Support;

/// <summary>How a service process is started.</summary>
public sealed record WarpProcessOptions(string DataDirectory)
{
    /// <summary>Where <c>Warp.Http.dll</c> lies; by default beside the tests. <c>WARP_TEST_SERVICE</c> names another build.</summary>
    public string ServiceDirectory { get; init; } =
        System.Environment.GetEnvironmentVariable("WARP_TEST_SERVICE") is { Length: > 0 } other ? other : AppContext.BaseDirectory;

    /// <summary>Further environment variables, such as <c>LD_PRELOAD</c> or <c>Warp__Shards</c>; null removes one.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>(StringComparer.Ordinal);

    /// <summary>Where it listens beside the address that <see cref="WarpProcess.Client"/> uses; with semicolons between.</summary>
    public string FurtherUrls { get; init; } = "";

    /// <summary>How many files it may open (<c>ulimit -n</c>); null = as many as these tests.</summary>
    public int? OpenFilesMax { get; init; }

    /// <summary>How long <c>/health/ready</c> may take: well over a cold start on a busy machine, and over a recovery.</summary>
    public TimeSpan ReadyWithin { get; init; } = TimeSpan.FromSeconds(120);
}

/// <summary>The service as its operators run it: a process of its own, so that it can be killed.</summary>
public sealed partial class WarpProcess : IAsyncDisposable
{
    private const int SigTerm = 15;
    private readonly Process _process;
    private readonly BoundedLog _output = new();

    private WarpProcess(Process process, Uri address)
    {
        _process = process;
        Address = address;
        process.OutputDataReceived += (_, line) => _output.Add(line.Data);
        process.ErrorDataReceived += (_, line) => _output.Add(line.Data);
        Client = NewClient();
    }

    public Uri Address { get; }

    /// <summary>A client with kept-alive connections to this process.</summary>
    public HttpClient Client { get; }

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>The last 64 KiB of what it wrote to stdout and stderr.</summary>
    public string Output => _output.ToString();

    /// <summary>Starts the service and waits until it answers <c>/health/ready</c> with 200.</summary>
    public static async Task<WarpProcess> StartAsync(WarpProcessOptions options, CancellationToken cancel = default)
    {
        var service = Launch(options);
        try
        {
            await service.BecomesReadyAsync(options.ReadyWithin, cancel);
            return service;
        }
        catch (Exception failure)
        {
            await service.DisposeAsync();
            if (failure is TimeoutException) throw new TimeoutException($"{failure.Message} It wrote:\n{service.Output}", failure);
            throw;
        }
    }

    /// <summary>Starts the service without waiting, for tests that disturb its start.</summary>
    public static WarpProcess Launch(WarpProcessOptions options)
    {
        var assembly = Path.Combine(options.ServiceDirectory, "Warp.Http.dll");
        if (!File.Exists(assembly)) throw new FileNotFoundException($"The service is not built: no {assembly}.");
        var address = new Uri($"http://127.0.0.1:{LoopbackPort.Free()}");
        string[] command = options.OpenFilesMax is { } files
            ? ["/bin/sh", "-c", "ulimit -n \"$0\"; exec \"$@\"", files.ToString(CultureInfo.InvariantCulture), DotnetHost, assembly]
            : [DotnetHost, assembly];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = options.ServiceDirectory,
        };
        // What the machine or the test runner has set for itself must not reach the service.
        foreach (var name in start.Environment.Keys.Where(IsForeign).ToList()) start.Environment.Remove(name);
        start.Environment["ASPNETCORE_URLS"] = $"{address};{options.FurtherUrls}".TrimEnd(';');
        start.Environment["Warp__DataDirectory"] = options.DataDirectory;
        foreach (var (name, value) in options.Environment)
        {
            if (value is null) start.Environment.Remove(name);
            else start.Environment[name] = value;
        }

        var service = new WarpProcess(new Process { StartInfo = start }, address);
        service._process.Start();
        ChildProcesses.Add(service._process);
        service._process.BeginOutputReadLine();
        service._process.BeginErrorReadLine();
        return service;
    }

    public Task BecomesReadyAsync(TimeSpan within, CancellationToken cancel = default) => Eventually.BecomesTrueAsync(
        $"the service at {Address} answers /health/ready with 200",
        async () =>
        {
            if (HasExited)
                throw new InvalidOperationException($"The service ended with {_process.ExitCode} before it was ready:\n{Output}");

            try
            {
                using var answer = await Client.GetAsync("/health/ready", cancel);
                if (answer.StatusCode == HttpStatusCode.OK) return true;
                if ((await answer.Content.ReadAsStringAsync(cancel)).Contains("out of service", StringComparison.Ordinal))
                    throw new OutOfServiceException($"The service keeps its data out of service:\n{Output}");
                return false;
            }
            catch (HttpRequestException)
            {
                return false; // It does not listen yet.
            }
        },
        within, cancel);

    /// <summary>A client with a pool of its own; the callers of a load share one.</summary>
    public HttpClient NewClient(TimeSpan? timeout = null) =>
        new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(5), PooledConnectionIdleTimeout = TimeSpan.FromMinutes(2) })
        {
            BaseAddress = Address,
            Timeout = timeout ?? TimeSpan.FromSeconds(60),
        };

    /// <summary>What <c>/metrics</c> says now, summed over labels; 0 where it was never counted.</summary>
    public async Task<double> MetricAsync(string name)
    {
        var lines = (await Client.GetStringAsync("/metrics")).Split('\n').Where(line => line.StartsWith(name + "{", StringComparison.Ordinal));
        return lines.Sum(line => double.Parse(line[(line.LastIndexOf('}') + 1)..].Trim().Split(' ')[0], CultureInfo.InvariantCulture));
    }

    /// <summary>SIGKILL: nothing in the process runs any more, what it wrote stays in the page cache.</summary>
    public async Task Kill9Async()
    {
        _process.Kill(); // SIGKILL on Unix
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM, as an orchestrator stops it.</summary>
    /// <returns>The exit code.</returns>
    public async Task<int> TerminateAsync(TimeSpan within)
    {
        if (SendSignal(_process.Id, SigTerm) != 0)
            throw new InvalidOperationException($"kill({_process.Id}, SIGTERM) failed with errno {Marshal.GetLastPInvokeError()}.");
        return await ExitedAsync(within);
    }

    /// <summary>Waits until the process has ended of itself.</summary>
    public async Task<int> ExitedAsync(TimeSpan within)
    {
        using var limit = new CancellationTokenSource(within);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException late)
        {
            throw new TimeoutException($"The service was still running after {within.TotalSeconds:0.#} s:\n{Output}", late);
        }

        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (!_process.HasExited) await Kill9Async();
        ChildProcesses.Remove(_process);
        _process.Dispose();
    }

    // The host that runs these tests: the one on the PATH may be another version, or missing.
    private static string DotnetHost
    {
        get
        {
            var root = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
            var host = Path.Combine(root, OperatingSystem.IsWindows() ? "dotnet.exe" : "dotnet");
            return File.Exists(host) ? host : "dotnet";
        }
    }

    private static bool IsForeign(string name) =>
        name.StartsWith("ASPNETCORE_", StringComparison.Ordinal) || name.StartsWith("Warp__", StringComparison.OrdinalIgnoreCase)
        || name.StartsWith("TESTINGPLATFORM_", StringComparison.Ordinal)
        || name is "URLS" or "DOTNET_ENVIRONMENT" or "LD_PRELOAD";

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int SendSignal(int pid, int signal);
}

/// <summary>No service outlives the test run, even where a test was torn down before its clean-up.</summary>
file static class ChildProcesses
{
    private static readonly HashSet<Process> s_alive = [];

    static ChildProcesses() => AppDomain.CurrentDomain.ProcessExit += (_, _) =>
    {
        lock (s_alive)
        {
            foreach (var process in s_alive.Where(process => !process.HasExited)) process.Kill();
        }
    };

    public static void Add(Process process)
    {
        lock (s_alive) s_alive.Add(process);
    }

    public static void Remove(Process process)
    {
        lock (s_alive) s_alive.Remove(process);
    }
}
