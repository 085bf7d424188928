using System.Diagnostics;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Recovery;

/// <summary>What kills the service, and what it finds afterwards.</summary>
internal enum Crash
{
    /// <summary>kill -9: the page cache survives.</summary>
    Kill,

    /// <summary>The power is cut: only what was fsynced survives.</summary>
    PowerCut,
}

internal sealed record CrashRunOptions(int Crashes, int Seed)
{
    public Crash Crash { get; init; } = Crash.Kill;

    /// <summary>A mutant's directory, or null for the service itself.</summary>
    public string? ServiceDirectory { get; init; }

    /// <summary>Further environment of the service: small seals, so that kills fall into sealing and merging.</summary>
    public IReadOnlyDictionary<string, string?> Environment { get; init; } = new Dictionary<string, string?>(StringComparer.Ordinal);

    /// <summary>Beside the load, entities are made and erased, so that kills fall into erasures.</summary>
    public bool Erases { get; init; }

    /// <summary>A mutant is caught by the first violation; what follows would only cost time.</summary>
    public bool StopAtFirstViolation { get; init; }
}

/// <summary>Load, crash, start, compare, again and again over the same data.</summary>
internal sealed class CrashRun : IDisposable
{
    private const int WriterCount = 16;
    private const int EntityCount = 200;

    // How much is acknowledged between two crashes. Counted in answers and not in time, a slow machine kills at the same places.
    private const int AcknowledgedMin = 50;
    private const int AcknowledgedMax = 1_000;

    // Every so many cycles the start itself is killed, somewhere between the runtime's start and readiness.
    private const int KilledStartEvery = 6;
    private static readonly TimeSpan StartKilledWithin = TimeSpan.FromMilliseconds(900);

    private readonly CrashRunOptions _options;
    private readonly Random _random;
    private readonly Ledger _ledger = new();
    private readonly Writers _writers;
    private readonly HistoryReader _history;
    private readonly Erasures _erasures;
    private readonly TempDirectory _data = new("crash");
    private PowerLossDisk? _disk;

    public CrashRun(CrashRunOptions options)
    {
        _options = options;
        _random = new Random(options.Seed);
        // Names that need escaping are entities like any other.
        List<string> entities =
            [.. Enumerable.Range(0, EntityCount).Select(i => $"crash/{(i % 10 == 0 ? Uri.EscapeDataString($"ü {i}") : $"e{i}")}")];
        _writers = new Writers(_ledger, entities);
        _history = new HistoryReader(_ledger, entities);
        _erasures = new Erasures(_ledger);
        if (options.Crash == Crash.PowerCut) _disk = new PowerLossDisk();
    }

    public string Summary { get; private set; } = "";

    /// <summary>Runs all cycles and the complete comparison at the end.</summary>
    /// <returns>Every broken promise; none is what the service owes.</returns>
    public async Task<IReadOnlyList<string>> RunAsync(CancellationToken cancel)
    {
        var took = Stopwatch.StartNew();
        var cycle = 0;
        try
        {
            cycle = await CrashAndCompareAsync(cancel);
        }
        catch (OutOfServiceException refused)
        {
            // It noticed what is missing, which is better than silence, but what it promised is gone all the same.
            _ledger.Violated(refused.Message);
        }

        var attempts = _ledger.Attempts.ToList();
        Summary = $"{cycle} crashes in {took.Elapsed.TotalSeconds:0} s: "
            + $"{attempts.Count} appends of {attempts.Sum(attempt => attempt.Events)} events, "
            + $"{_ledger.Acknowledged} acknowledgements, {_erasures.Complete} erasures, {attempts.Count(attempt => attempt.WasInDoubt)} appends once in doubt, "
            + $"{_ledger.Violations.Count} violations, seed {_options.Seed}";
        return _ledger.Violations;
    }

    private async Task<int> CrashAndCompareAsync(CancellationToken cancel)
    {
        var cycle = 0;
        for (; cycle < _options.Crashes && !(_options.StopAtFirstViolation && _ledger.Violations.Count > 0); cycle++)
        {
            if (cycle % KilledStartEvery == KilledStartEvery - 1) await KillStartAsync(cancel);
            await using var service = await StartAsync(cancel);
            await CompareAsync(service, whole: false);
            await LoadUntilCrashAsync(service, cycle, cancel);
        }

        await using (var service = await StartAsync(cancel)) await CompareAsync(service, whole: true);
        return cycle;
    }

    public void Dispose()
    {
        _disk?.Dispose();
        _data.Dispose();
    }

    private WarpProcessOptions ProcessOptions()
    {
        var options = new WarpProcessOptions(_disk?.Root ?? _data.Path);
        if (_options.ServiceDirectory is { } directory) options = options with { ServiceDirectory = directory };
        var environment = _disk?.Environment() ?? new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (var (name, value) in _options.Environment) environment[name] = value;
        return options with { Environment = environment };
    }

    private Task<WarpProcess> StartAsync(CancellationToken cancel) => WarpProcess.StartAsync(ProcessOptions(), cancel);

    private async Task KillStartAsync(CancellationToken cancel)
    {
        await using var service = WarpProcess.Launch(ProcessOptions());
        await Task.Delay(_random.Next((int)StartKilledWithin.TotalMilliseconds), cancel); // not a wait for anything: the moment is the test
        await CrashAsync(service);
    }

    /// <summary>What is in doubt is sent again where it can be, and what is stored is compared with what was answered.</summary>
    private async Task CompareAsync(WarpProcess service, bool whole)
    {
        try
        {
            foreach (var attempt in _ledger.Attempts.Where(IsToBeRetried).ToList()) await _writers.RetryAsync(service.Client, attempt);
            await _history.ReadOnAsync(service.Client);
            if (whole) await _history.ReadAllAsync(service.Client);
            await _erasures.CompareAsync(service.Client);
        }
        catch (HttpRequestException broken)
        {
            _ledger.Violated($"the service broke off while its history was read: {broken.Message}\n{service.Output}");
        }
    }

    private static bool IsToBeRetried(AppendAttempt attempt) =>
        attempt is { Outcome: Outcome.InDoubt, SettledAt: 0, Identity: not Identity.None };

    private async Task LoadUntilCrashAsync(WarpProcess service, int cycle, CancellationToken cancel)
    {
        var goal = _ledger.Acknowledged + _random.Next(AcknowledgedMin, AcknowledgedMax);
        using var client = service.NewClient();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var load = _writers.RunAsync(client, WriterCount, _options.Seed + (cycle * WriterCount), stop.Token);
        var erasing = _options.Erases ? _erasures.RunAsync(client, stop.Token) : Task.CompletedTask;
        try
        {
            await Eventually.BecomesTrueAsync(
                $"{goal} appends are acknowledged before crash {cycle}", () => _ledger.Acknowledged >= goal || load.IsCompleted, TimeSpan.FromSeconds(30), cancel);
        }
        catch (TimeoutException stalled)
        {
            _ledger.Violated($"{stalled.Message} There are {_ledger.Acknowledged}. The service says: {await DescribeAsync(service)}");
        }

        if (load.IsCompleted) _ledger.Violated($"every connection broke before crash {cycle}: {service.Output}");
        await CrashAsync(service);
        await stop.CancelAsync();
        await Task.WhenAll(load, erasing);
    }

    private static async Task<string> DescribeAsync(WarpProcess service)
    {
        using var client = service.NewClient();
        var ready = await client.GetStringAsync("/health/ready");
        var metrics = await client.GetStringAsync("/metrics");
        return $"{ready}\n{metrics}\n{service.Output}";
    }

    private async Task CrashAsync(WarpProcess service)
    {
        await service.Kill9Async();
        if (_disk is null) return;
        var before = _disk;
        _disk = before.CutPower();
        before.Dispose();
    }
}
