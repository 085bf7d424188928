using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Recovery;

/// <summary>A service on a simulated disk, with the ledger of what it was sent.</summary>
internal sealed class PowerLossBench : IDisposable
{
    private readonly string? _serviceDirectory;
    private readonly Ledger _ledger = new();
    private readonly Random _random = new(RecoveryTests.Seed());

    public PowerLossBench(string? serviceDirectory, TimeSpan fsyncTakes, bool rewriteRestores = false)
    {
        List<string> entities = [.. Enumerable.Range(0, 20).Select(i => $"power/e{i}")];
        _serviceDirectory = serviceDirectory;
        Disk = new PowerLossDisk { FsyncTakes = fsyncTakes, RewriteRestores = rewriteRestores };
        Writers = new Writers(_ledger, entities);
        History = new HistoryReader(_ledger, entities);
    }

    public PowerLossDisk Disk { get; }
    public Writers Writers { get; }
    public HistoryReader History { get; }

    public IReadOnlyList<string> Violations => _ledger.Violations;

    /// <param name="faults">Of the disk, from the start on.</param>
    public Task<WarpProcess> StartAsync(string? faults = null) => StartAsync(Disk, faults);

    private Task<WarpProcess> StartAsync(PowerLossDisk disk, string? faults = null)
    {
        var options = new WarpProcessOptions(disk.Root) { Environment = disk.Environment(faults) };
        return WarpProcess.StartAsync(_serviceDirectory is null ? options : options with { ServiceDirectory = _serviceDirectory });
    }

    /// <summary>Sends so many appends at once.</summary>
    public async Task<IReadOnlyList<AppendAttempt>> AppendAsync(WarpProcess service, int count)
    {
        List<AppendAttempt> attempts = [.. Enumerable.Range(0, count).Select(i => Writers.New(_random, i))];
        await Task.WhenAll(attempts.Select(attempt => Writers.SendAsync(service.Client, attempt)));
        return attempts;
    }

    public AppendAttempt NewWithIdentity()
    {
        AppendAttempt attempt;
        do attempt = Writers.New(_random, 0);
        while (attempt.Identity == Identity.None);
        return attempt;
    }

    /// <summary>Reads what a power cut at this moment would leave. The disk itself goes on as if it had not happened.</summary>
    public async Task ReadAfterPowerCutAsync()
    {
        using var after = Disk.CutPower();
        try
        {
            await using var service = await StartAsync(after);
            await History.ReadAllAsync(service.Client);
        }
        catch (OutOfServiceException refused)
        {
            _ledger.Violated(refused.Message);
        }
    }

    public void Dispose() => Disk.Dispose();
}
