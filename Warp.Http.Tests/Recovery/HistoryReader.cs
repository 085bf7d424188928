using System.Text.Json;
using System.Text.Json.Nodes;

namespace Warp.Http.Tests.Recovery;

/// <summary>Reads what is stored, over HTTP, and judges it: gapless, whole, nothing twice, the state its fold.</summary>
internal sealed class HistoryReader(Ledger ledger, IReadOnlyList<string> entities)
{
    private const int PageEvents = 10_000; // the contract's limit
    private readonly Dictionary<string, Seen> _seen = entities.ToDictionary(entity => entity, _ => new Seen(), StringComparer.Ordinal);

    /// <summary>Reads what came since the last reading.</summary>
    public async Task ReadOnAsync(HttpClient client)
    {
        foreach (var entity in entities) await ReadAsync(client, entity, _seen[entity]);
        ledger.Settle();
    }

    /// <summary>Reads everything again from seq 1, and compares every entity's state with the fold of its history.</summary>
    public async Task ReadAllAsync(HttpClient client)
    {
        foreach (var attempt in ledger.Attempts) attempt.FoundAt = 0;
        foreach (var entity in entities)
        {
            _seen[entity] = new Seen();
            await ReadAsync(client, entity, _seen[entity]);
            await CompareStateAsync(client, entity, _seen[entity]);
        }

        ledger.Settle();
    }

    private async Task ReadAsync(HttpClient client, string entity, Seen seen)
    {
        string? page = $"/v1/entities/{entity}/events?from={seen.Seq + 1}&limit={PageEvents}";
        while (page is not null)
        {
            using var answer = await client.GetAsync(page);
            if (answer.StatusCode == System.Net.HttpStatusCode.NotFound)
            {
                if (seen.Seq > 0) ledger.Violated($"{entity} had {seen.Seq} events and is unknown now");
                return;
            }

            answer.EnsureSuccessStatusCode();
            using var json = await JsonDocument.ParseAsync(await answer.Content.ReadAsStreamAsync());
            foreach (var @event in json.RootElement.GetProperty("events").EnumerateArray()) Judge(entity, seen, @event);
            page = json.RootElement.GetProperty("next").GetString();
        }

        if (seen.Open is { } half) ledger.Violated($"{half}: only {seen.NextIndex} of its events are stored");
        (seen.Open, seen.NextIndex) = (null, 0);
    }

    private void Judge(string entity, Seen seen, JsonElement @event)
    {
        var seq = @event.GetProperty("seq").GetInt64();
        if (seq != seen.Seq + 1) ledger.Violated($"{entity}: after seq {seen.Seq} comes {seq}");
        seen.Seq = seq;
        var payload = @event.GetProperty("payload");
        seen.State = MergePatch.Apply(seen.State, JsonNode.Parse(payload.GetRawText()));
        var index = payload.GetProperty("index").GetInt32();
        var attempt = ledger.Find(payload.GetProperty("serial").GetInt32());
        if (attempt is null || attempt.Entity != entity)
        {
            ledger.Violated($"{entity} has an event at {seq} that nobody sent there");
            return;
        }

        if (seen.Open is not null ? attempt != seen.Open || index != seen.NextIndex : index != 0)
        {
            var expected = seen.Open?.ToString() ?? "a new append";
            ledger.Violated($"{entity}: at {seq} stands event {index} of {attempt}, expected {seen.NextIndex} of {expected}");
        }

        if (index == 0)
        {
            if (attempt.FoundAt > 0) ledger.Violated($"{attempt} is stored twice, at {attempt.FoundAt} and {seq}");
            attempt.FoundAt = seq;
        }

        if (!JsonNode.DeepEquals(JsonNode.Parse(payload.GetRawText()), attempt.Payload(index)))
            ledger.Violated($"{attempt}: event {index} has another payload than was sent");
        (seen.Open, seen.NextIndex) = index + 1 < attempt.Events ? (attempt, index + 1) : (null, 0);
    }

    private async Task CompareStateAsync(HttpClient client, string entity, Seen seen)
    {
        if (seen.Seq == 0) return;
        using var answer = await client.GetAsync($"/v1/entities/{entity}/aggregates/Default");
        answer.EnsureSuccessStatusCode();
        var aggregate = (await JsonNode.ParseAsync(await answer.Content.ReadAsStreamAsync()))!;
        if (aggregate["seq"]!.GetValue<long>() != seen.Seq)
            ledger.Violated($"{entity} has {seen.Seq} events, its state says {aggregate["seq"]}");
        if (!JsonNode.DeepEquals(aggregate["state"], seen.State))
            ledger.Violated($"{entity}: the state is {aggregate["state"]?.ToJsonString()}, the fold {seen.State?.ToJsonString()}");
    }

    /// <summary>How far an entity was read.</summary>
    private sealed class Seen
    {
        public long Seq { get; set; }
        public JsonNode? State { get; set; } = new JsonObject();
        public AppendAttempt? Open { get; set; } // an append of which not every event has come yet
        public int NextIndex { get; set; }
    }
}

/// <summary>RFC 7396, written down from its pseudo-code and independent of the service's own.</summary>
internal static class MergePatch
{
    public static JsonNode? Apply(JsonNode? target, JsonNode? patch)
    {
        if (patch is not JsonObject members) return patch?.DeepClone();
        var result = target is JsonObject ? target.AsObject() : [];
        foreach (var (name, value) in members)
        {
            if (value is null)
            {
                result.Remove(name);
                continue;
            }

            var old = result[name];
            var merged = Apply(old, value);
            if (!ReferenceEquals(merged, old)) result[name] = merged; // a node has one parent: what was merged in place stays where it is
        }

        return result;
    }
}
