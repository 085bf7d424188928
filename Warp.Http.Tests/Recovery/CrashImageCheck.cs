using System.Text;
using System.Text.Json.Nodes;
using Warp.Http.Events;
using Warp.Http.Storage;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Recovery;

/// <summary>Opens what a crash left and compares it with what was asked for and promised until then.</summary>
/// <param name="deeds">All that was asked, in order: nothing was asked before the one before it was answered.</param>
/// <param name="durability">With <see cref="Durability.Os"/> a power cut may take the end of what was promised, but not from its middle.</param>
internal sealed class CrashImageCheck(IReadOnlyList<Deed> deeds, Durability durability)
{
    private readonly List<string> _broken = [];
    private readonly HashSet<int> _present = [];

    /// <returns>Every broken promise.</returns>
    public async Task<IReadOnlyList<string>> CheckAsync(string data, DiskCall last, DiskLoss loss, bool twice)
    {
        _broken.Clear();
        var end = last.End;
        CheckResidue(data, end);
        try
        {
            var next = deeds.Count;
            using (var opened = Open(data))
            {
                await CheckAllAsync(opened, end, loss);
                if (_broken.Count > 0) return _broken;
                await TakesAppendsAsync(opened);
            }

            CheckResidue(data, end);
            if (!twice) return _broken;
            using var again = Open(data);
            await CheckAllAsync(again, end, loss);
            if ((await again.HistoryAsync("after/crash"))?.Count != 1) _broken.Add("what was appended after the crash is not there");
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or DataDirectoryException)
        {
            _broken.Add($"it cannot be opened and read: {e.Message}");
        }

        return _broken;
    }

    private StoreFixture Open(string data) => new(StoreFixture.Small(data, durability: durability));

    private async Task CheckAllAsync(StoreFixture opened, long end, DiskLoss loss)
    {
        foreach (var trouble in opened.Store.Troubles) _broken.Add($"a false alarm: {trouble}");
        if (_broken.Count > 0) return;
        _present.Clear();
        foreach (var asked in deeds.GroupBy(deed => deed.Entity, StringComparer.Ordinal)) await CheckAsync(opened, asked.Key, [.. asked], end, loss);
        CheckTail(end, loss);
        var alive = await opened.ListAsync();
        foreach (var name in alive.Where(name => deeds.All(deed => deed.Entity != name) && name != "after/crash"))
            _broken.Add($"{name} is listed, and nobody made it");
    }

    private async Task CheckAsync(StoreFixture opened, string entity, List<Deed> asked, long end, DiskLoss loss)
    {
        var history = await opened.HistoryAsync(entity);
        var erasure = asked.Find(deed => deed.Kind == DeedKind.Erase && deed.AskedAt < end);
        if (erasure?.PromisedAt <= end && history is not null) _broken.Add($"{entity} was erased and is there again");
        if (erasure is not null && history is null) return;
        var stored = history ?? [];
        var at = 0;
        JsonNode? state = new JsonObject();
        foreach (var deed in asked.Where(deed => deed.Kind == DeedKind.Append && deed.AskedAt < end))
        {
            if (at == stored.Count || !IsOf(deed, stored[at]))
            {
                if (deed.PromisedAt <= end && !MayLose(loss)) _broken.Add($"{deed} is lost");
                continue;
            }

            if (deed.PromisedAt <= end && deed.FirstSeq != at + 1) _broken.Add($"{deed} is at {at + 1} instead of {deed.FirstSeq}");
            for (var i = 0; i < deed.Events; i++, at++)
            {
                if (at == stored.Count || stored[at].Seq != at + 1 || stored[at].Payload != deed.Payload(i))
                {
                    _broken.Add($"{deed}: event {i} is not at {at + 1}");
                    return;
                }

                state = MergePatch.Apply(state, JsonNode.Parse(deed.Payload(i)));
            }

            _present.Add(deed.Serial);
        }

        if (at != stored.Count) _broken.Add($"{entity} has {stored.Count} events; {at} were asked for");
        else if (at > 0 && !JsonNode.DeepEquals(JsonNode.Parse((await opened.StateAsync(entity))!), state))
            _broken.Add($"the state of {entity} is not the fold of its history");
    }

    /// <summary>Where the end may be lost: what is there must reach as far as nothing before it is missing.</summary>
    private void CheckTail(long end, DiskLoss loss)
    {
        if (!MayLose(loss) || _present.Count == 0) return;
        var last = _present.Max();
        foreach (var deed in deeds.Where(deed => deed.Kind == DeedKind.Append && deed.Serial < last && deed.PromisedAt <= end))
        {
            var mayBeErased = deeds.Any(other => other.Kind == DeedKind.Erase && other.Entity == deed.Entity && other.AskedAt < end);
            if (!mayBeErased && !_present.Contains(deed.Serial)) _broken.Add($"{deed} is lost, and {last}, which came later, is not");
        }
    }

    private bool MayLose(DiskLoss loss) => durability == Durability.Os && loss != DiskLoss.None;

    private static bool IsOf(Deed deed, StoredEvent stored) => stored.Payload.StartsWith($"{{\"n\":{deed.Serial},", StringComparison.Ordinal);

    private async Task TakesAppendsAsync(StoreFixture opened)
    {
        var made = await opened.AppendAsync("after/crash", new TestEvent("After"));
        if (made.Status != AppendStatus.Appended) _broken.Add($"an append after the crash is refused: {made.Status}");
    }

    private void CheckResidue(string data, long end)
    {
        foreach (var erasure in deeds.Where(deed => deed.Kind == DeedKind.Erase && deed.PromisedAt <= end))
        {
            var forbidden = deeds.Where(deed => deed.Kind == DeedKind.Append && deed.Entity == erasure.Entity)
                .Select(deed => Encoding.UTF8.GetBytes(deed.Residue)).Append(Encoding.UTF8.GetBytes(erasure.Entity)).ToList();
            foreach (var file in Directory.EnumerateFiles(data, "*", SearchOption.AllDirectories).Where(file => Path.GetFileName(file) != "lock"))
            {
                using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                var content = new byte[stream.Length];
                stream.ReadExactly(content);
                if (forbidden.Exists(bytes => content.AsSpan().IndexOf(bytes) >= 0))
                    _broken.Add($"{Path.GetFileName(file)} still holds something of {erasure.Entity}, whose erasure is complete");
            }
        }
    }
}
