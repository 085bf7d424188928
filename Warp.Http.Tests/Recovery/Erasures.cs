using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace Warp.Http.Tests.Recovery;

/// <summary>One client that makes entities and erases them until the service is gone; what was answered as erased stays erased.</summary>
internal sealed class Erasures(Ledger ledger)
{
    private readonly List<string> _erased = [];
    private readonly HashSet<string> _inDoubt = new(StringComparer.Ordinal);
    private int _made;

    public int Complete => _erased.Count;

    public async Task RunAsync(HttpClient client, CancellationToken stop)
    {
        try
        {
            while (!stop.IsCancellationRequested)
            {
                var entity = $"gone/g{_made++}";
                _inDoubt.Add(entity);
                using var content = new ByteArrayContent("""{"type":"Made","payload":{"to":"be erased"}}"""u8.ToArray());
                content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
                using var made = await client.PostAsync($"/v1/entities/{entity}/events", content, stop);
                if (made.StatusCode != HttpStatusCode.Created) continue;
                using var answer = await client.DeleteAsync($"/v1/entities/{entity}", stop);
                if (answer.StatusCode is not (HttpStatusCode.OK or HttpStatusCode.Accepted)) continue;
                _erased.Add(entity);
                _inDoubt.Remove(entity);
            }
        }
        catch (Exception broken) when (broken is HttpRequestException or IOException or OperationCanceledException)
        {
            // The service is gone, and with it this client; what it was told stands in the lists.
        }
    }

    /// <summary>What is erased answers 410, and the files are clean of it in the end. What was in doubt is erased now, for it is one or the other.</summary>
    public async Task CompareAsync(HttpClient client)
    {
        foreach (var entity in _inDoubt.ToList())
        {
            using var answer = await client.DeleteAsync($"/v1/entities/{entity}");
            if (answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.Accepted) _erased.Add(entity);
            _inDoubt.Remove(entity);
        }

        foreach (var entity in _erased)
        {
            using var answer = await client.GetAsync($"/v1/entities/{entity}/events");
            if (answer.StatusCode != HttpStatusCode.Gone) ledger.Violated($"{entity} was erased and is answered with {(int)answer.StatusCode}");
        }

        if (_erased.Count == 0) return;
        using var last = await client.DeleteAsync($"/v1/entities/{_erased[^1]}");
        using var receipt = JsonDocument.Parse(await last.Content.ReadAsStringAsync());
        if (last.StatusCode == HttpStatusCode.OK && !receipt.RootElement.GetProperty("complete").GetBoolean())
            ledger.Violated($"the receipt of {_erased[^1]} is answered with 200 and is not complete");
    }
}
