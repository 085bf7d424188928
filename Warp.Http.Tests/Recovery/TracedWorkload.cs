using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Warp.Http.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Recovery;

/// <summary>
/// A service on a disk that is traced call by call, taken through everything that changes files: appends, rotations by size, seals, erasures
/// of what is sealed and what is not, a journal whose fsync fails, kill -9 and a start over what that left.
/// </summary>
internal sealed class TracedWorkload : IDisposable
{
    private const int Entities = 5;
    private const int SealBytes = 64 * 1024; // the smallest that the option takes

    /// <summary>A few appends of this size begin a new journal, so that a short trace has many seals.</summary>
    private const int LargePadBytes = 12_000;

    private readonly TempDirectory _directory = new("traced");
    private readonly PowerLossDisk _disk;
    private readonly Durability _durability;
    private readonly string _serviceDirectory;
    private readonly List<Deed> _deeds = [];
    private readonly Random _random;

    public TracedWorkload(Durability durability, string serviceDirectory, int seed)
    {
        (_durability, _serviceDirectory, _random) = (durability, serviceDirectory, new Random(seed));
        _disk = new PowerLossDisk { Trace = TracePath, BootId = Guid.NewGuid(), FsyncTakes = TimeSpan.Zero };
    }

    public IReadOnlyList<Deed> Deeds => _deeds;

    private string TracePath => _directory.File("trace");

    private long TraceBytes => File.Exists(TracePath) ? new FileInfo(TracePath).Length : 0;

    /// <summary>Appends, seals and an erasure of what is sealed, in one process life: enough where one omission is looked for.</summary>
    /// <returns>Every call that changed the disk.</returns>
    public async Task<IReadOnlyList<DiskCall>> RunShortAsync()
    {
        await using (var service = await StartAsync())
        {
            await AppendAsync(service, "gone/first", large: false);
            await AppendManyAsync(service, 14);
            await FirstSealAsync();
            await EraseAsync(service, "gone/first");
            await AppendManyAsync(service, 2);
            await service.Kill9Async();
        }

        return DiskCall.ReadAll(TracePath);
    }

    /// <returns>Every call that changed the disk.</returns>
    public async Task<IReadOnlyList<DiskCall>> RunAsync()
    {
        await using (var service = await StartAsync())
        {
            await AppendAsync(service, "gone/first", large: false);
            await AppendManyAsync(service, 14);
            await AppendAsync(service, "gone/second", large: false);
            await FirstSealAsync();
            await EraseAsync(service, "gone/first"); // in a run, which is written again
            await AppendManyAsync(service, 8);
            await EraseAsync(service, "gone/second");
            await FailAnFsyncAsync(service);
            await AppendManyAsync(service, 10);
            await MergesAsync(service);
            await service.Kill9Async();
        }

        await using (var service = await StartAsync())
        {
            await AppendAsync(service, "gone/third", large: false);
            await AppendManyAsync(service, 6);
            await EraseAsync(service, "gone/third"); // still in the journal
            await AppendManyAsync(service, 6);
            await service.TerminateAsync(TimeSpan.FromSeconds(20));
        }

        return DiskCall.ReadAll(TracePath);
    }

    /// <summary>A seal, and then for each of <paramref name="failures"/> another during which syncs of the catalog fail.</summary>
    /// <param name="failures">Which syncs of the catalog, counted from an idle service on. A seal makes two transactions for the next journal, one
    /// for the run's number and one that names the run; each syncs the rollback journal twice, the database, and the journal's being cut.</param>
    /// <param name="killsBehind">The same of one more seal, behind whose failures the service is killed and started again.</param>
    /// <param name="erasing">The same from an erasure on; none = there is no erasure.</param>
    /// <returns>Every call that changed the disk.</returns>
    public async Task<IReadOnlyList<DiskCall>> RunWithFailingCatalogAsync(int[][] failures, int[] killsBehind, int[] erasing)
    {
        var expected = 0;
        await using (var service = await StartAsync())
        {
            await AppendAsync(service, "gone/first", large: false);
            await AppendManyAsync(service, 14);
            await FirstSealAsync();
            foreach (var syncs in failures)
            {
                expected += FailCatalogSyncs(syncs);
                await FailuresAreOverAsync(service, expected);
            }

            if (killsBehind.Length == 0)
            {
                await service.Kill9Async();
                return DiskCall.ReadAll(TracePath);
            }

            expected += FailCatalogSyncs(killsBehind, $";kill-before-fsync=catalog.db:{killsBehind[^1] + 1}");
            await AppendUntilKilledAsync(service);
        }

        await using (var service = await StartAsync())
        {
            await FailuresAreOverAsync(service, expected);
            if (erasing.Length > 0)
            {
                expected += FailCatalogSyncs(erasing);
                await EraseAsync(service, "gone/first", mayTake: true);
                await FailuresAreOverAsync(service, expected);
            }

            await service.Kill9Async();
        }

        return DiskCall.ReadAll(TracePath);
    }

    public void Dispose()
    {
        _disk.Dispose();
        _directory.Dispose();
    }

    private Task<WarpProcess> StartAsync()
    {
        var environment = _disk.Environment();
        environment["Warp__Shards"] = "1";
        environment["Warp__Durability"] = _durability.ToString();
        environment["Warp__SealBytes"] = $"{SealBytes}";
        environment["Warp__FreeBytesMin"] = "0";
        return WarpProcess.StartAsync(
            new WarpProcessOptions(_disk.Root) { Environment = environment, ServiceDirectory = _serviceDirectory });
    }

    private async Task AppendManyAsync(WarpProcess service, int count)
    {
        for (var i = 0; i < count; i++) await AppendAsync(service, $"walk/e{_random.Next(Entities)}", large: i % 2 == 0);
    }

    private async Task<bool> AppendAsync(WarpProcess service, string entity, bool large)
    {
        var pad = Convert.ToHexString(RandomNumberGenerator.GetBytes(large ? LargePadBytes / 2 : 12));
        var deed = new Deed(_deeds.Count, DeedKind.Append, entity, large ? 1 : _random.Next(1, 4), pad) { AskedAt = TraceBytes };
        _deeds.Add(deed);
        var events = Enumerable.Range(0, deed.Events).Select(i => $$"""{"type":"Walked","payload":{{deed.Payload(i)}}}""");
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes($"[{string.Join(',', events)}]"));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var answer = await service.Client.PostAsync($"/v1/entities/{entity}/events", content);
        if (answer.StatusCode == HttpStatusCode.ServiceUnavailable) return false;
        answer.StatusCode.ShouldBe(HttpStatusCode.Created);
        using var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        deed.FirstSeq = json.RootElement.GetProperty("firstSeq").GetInt64();
        deed.PromisedAt = TraceBytes;
        return true;
    }

    /// <param name="service">Asked.</param>
    /// <param name="entity">Made before.</param>
    /// <param name="mayTake">Its files need not be clean at the first answer; then it is asked for again.</param>
    private async Task EraseAsync(WarpProcess service, string entity, bool mayTake = false)
    {
        var deed = new Deed(_deeds.Count, DeedKind.Erase, entity, 0, "") { AskedAt = TraceBytes };
        _deeds.Add(deed);
        await Eventually.BecomesTrueAsync(
            "the erasure is complete",
            async () =>
            {
                using var answer = await service.Client.DeleteAsync($"/v1/entities/{entity}");
                if (!mayTake) answer.StatusCode.ShouldBe(HttpStatusCode.OK, "the erasure is complete when it is answered");
                return answer.StatusCode == HttpStatusCode.OK;
            },
            TimeSpan.FromSeconds(60));
        deed.PromisedAt = TraceBytes;
    }

    private Task FirstSealAsync() => Eventually.BecomesTrueAsync(
        "the first journal is sealed",
        () => Directory.GetFiles(_disk.Root, "run-*.db", SearchOption.AllDirectories).Length > 0
            && Directory.GetFiles(_disk.Root, "journal-1.db", SearchOption.AllDirectories).Length == 0,
        TimeSpan.FromSeconds(30));

    private int FailCatalogSyncs(int[] syncs, string then = "")
    {
        _disk.Arm(string.Join(';', syncs.Select(sync => $"fail-fsync=catalog.db:{sync}")) + then);
        return syncs.Length;
    }

    private async Task AppendUntilKilledAsync(WarpProcess service)
    {
        try
        {
            await Eventually.BecomesTrueAsync(
                "the service is killed",
                async () =>
                {
                    await AppendManyAsync(service, 4);
                    return false;
                },
                TimeSpan.FromSeconds(60));
        }
        catch (HttpRequestException)
        {
            await service.ExitedAsync(TimeSpan.FromSeconds(60));
        }
    }

    /// <summary>They come amid background work, which appends give it. What they struck is over when the seal after it is done and all is well.</summary>
    private async Task FailuresAreOverAsync(WarpProcess service, int failures)
    {
        var due = 0;
        await Eventually.BecomesTrueAsync(
            $"{failures} failures have come and are got over",
            async () =>
            {
                await AppendManyAsync(service, 4);
                if (due == 0 && DiskCall.ReadAll(TracePath).Count(call => call.Kind == DiskCallKind.SyncFailed) >= failures) due = LastRun() + 2;
                return due > 0 && LastRun() >= due
                    && (await service.Client.GetStringAsync("/health/ready")).Contains("\"status\":\"ok\"", StringComparison.Ordinal);
            },
            TimeSpan.FromSeconds(60));
    }

    /// <summary>The highest number of a run; journals and runs are numbered together.</summary>
    private int LastRun() => Directory.GetFiles(_disk.Root, "run-*.db", SearchOption.AllDirectories)
        .Select(file => int.Parse(Path.GetFileNameWithoutExtension(file)["run-".Length..], CultureInfo.InvariantCulture)).DefaultIfEmpty().Max();

    /// <summary>The trace is to have a merge in it, so it is waited for; the appends meanwhile give it something to merge.</summary>
    private Task MergesAsync(WarpProcess service) => Eventually.BecomesTrueAsync(
        "runs are merged",
        async () =>
        {
            await AppendManyAsync(service, 2);
            var metrics = await service.Client.GetStringAsync("/metrics");
            return metrics.Split('\n').Any(line => line.StartsWith("warp_merges", StringComparison.Ordinal) && !line.Split(' ')[1].StartsWith('0'));
        },
        TimeSpan.FromSeconds(30));

    private async Task FailAnFsyncAsync(WarpProcess service)
    {
        // Without fsyncs there is none to fail; the disk refuses the write instead.
        _disk.Arm(_durability == Durability.Fsync ? "fail-fsync=journal-*.db-wal:1" : "fail-write=journal-*.db-wal:1");
        (await AppendAsync(service, "walk/e0", large: false)).ShouldBeFalse("the append whose commit fails is in doubt");
        await Eventually.BecomesTrueAsync(
            "the service goes on in a new journal", () => AppendAsync(service, "walk/e0", large: false), TimeSpan.FromSeconds(20));
    }
}
