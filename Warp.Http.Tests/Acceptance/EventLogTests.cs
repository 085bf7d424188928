using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Warp.Http.Aggregates.Values;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Acceptance;

/// <summary>A whole event log goes in as a user would send it, and everything that comes out is compared with what went in.</summary>
public sealed class EventLogTests(ITestOutputHelper output)
{
    /// <summary>The course of a case: how long since its receipt, who had it, and how often each activity was done.</summary>
    private const string CaseDefinition =
        """
        {"initial":{"count":0,"last":null,"group":null,"received":null,"duration":0,"groups":[],"activities":{}},"defaultForKind":"KIND",
         "on":{"*":{
           "count":"state.count + 1",
           "last":"event.type",
           "group":"\"org:group\" in payload ? payload[\"org:group\"] : state.group",
           "received":"state.received == null ? event.occurredAt : state.received",
           "duration":"state.received == null ? 0 : timestamp(event.occurredAt) - timestamp(state.received)",
           "groups":"\"org:group\" in payload && !(payload[\"org:group\"] in state.groups) ? state.groups + [payload[\"org:group\"]] : state.groups",
           "activities":"state.activities.put(event.type, event.type in state.activities ? state.activities[event.type] + 1 : 1)"}}}
        """;

    private const string TableDefinition =
        """
        {"kind":"KIND","aggregate":"Case-KIND","table":"TABLE","types":{"duration":"REAL"},
         "columns":{"id":"entity.id","team":"state.group","duration":"state.duration","events":"state.count"}}
        """;

    [Fact]
    public async Task The_sample_log_comes_out_as_it_went_in()
    {
        Assert.SkipUnless(File.Exists("/bin/bash"), "The sample is made by a shell script.");
        var start = new ProcessStartInfo("/bin/bash", [Path.Combine(Repository.Root, "load", "sample-log.sh")]) { RedirectStandardOutput = true, UseShellExecute = false };
        using var script = Process.Start(start)!;
        await CheckAsync(await script.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken));
    }

    /// <summary>With <c>WARP_TEST_LOG</c>: a log of one's own, NDJSON or NDJSON in gzip.</summary>
    [Fact]
    public async Task A_real_log_comes_out_as_it_went_in()
    {
        var path = Environment.GetEnvironmentVariable("WARP_TEST_LOG");
        Assert.SkipUnless(path is not null && File.Exists(path), "WARP_TEST_LOG names no event log.");
        await using var file = File.OpenRead(path!);
        await using Stream plain = path!.EndsWith(".gz", StringComparison.Ordinal) ? new GZipStream(file, CompressionMode.Decompress) : file;
        using var reader = new StreamReader(plain, Encoding.UTF8);
        await CheckAsync(await reader.ReadToEndAsync(TestContext.Current.CancellationToken));
    }

    private async Task CheckAsync(string log)
    {
        var cancel = TestContext.Current.CancellationToken;
        using var data = new TempDirectory("log");
        await using var service = await WarpProcess.StartAsync(new WarpProcessOptions(data.Path), cancel);
        var sent = log.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!.AsObject()).ToList();
        var kinds = sent.Select(e => KindOf((string)e["entity"]!)).Distinct(StringComparer.Ordinal).ToList();
        foreach (var (kind, i) in kinds.Select((kind, i) => (kind, i)))
        {
            await PutAsync(service.Client, $"/v1/aggregates/Case-{kind}", CaseDefinition.Replace("KIND", kind, StringComparison.Ordinal), cancel);
            await PutAsync(service.Client, $"/v1/projections/cases-{i}", TableDefinition.Replace("KIND", kind, StringComparison.Ordinal).Replace("TABLE", $"cases_{i}", StringComparison.Ordinal), cancel);
        }

        var replies = await SendAsync(service.Client, log, cancel);
        replies.Count.ShouldBe(sent.Count);
        var expectedSeqs = new Dictionary<string, long>(StringComparer.Ordinal);
        for (var i = 0; i < sent.Count; i++)
        {
            var entity = (string)sent[i]["entity"]!;
            var seq = expectedSeqs[entity] = expectedSeqs.GetValueOrDefault(entity) + 1;
            replies[i].ToJsonString().ShouldBe($$"""{"line":{{i + 1}},"entity":{{JsonSerializer.Serialize(entity)}},"firstSeq":{{seq}},"lastSeq":{{seq}}}""");
        }

        foreach (var entity in sent.GroupBy(e => (string)e["entity"]!, StringComparer.Ordinal))
        {
            await CheckHistoryAsync(service.Client, entity.Key, [.. entity], cancel);
            await CheckCaseAsync(service.Client, entity.Key, [.. entity], cancel);
        }

        foreach (var (kind, i) in kinds.Select((kind, i) => (kind, i)))
            await CheckTableAsync(service.Client, $"cases_{i}", [.. sent.Where(e => KindOf((string)e["entity"]!) == kind)], cancel);
        output.WriteLine($"{sent.Count} events of {expectedSeqs.Count} entities");
    }

    private static async Task<List<JsonNode>> SendAsync(HttpClient client, string log, CancellationToken cancel)
    {
        using var body = new StringContent(log);
        body.Headers.ContentType = new MediaTypeHeaderValue("application/x-ndjson");
        using var answer = await client.PostAsync("/v1/events", body, cancel);
        answer.EnsureSuccessStatusCode();
        return [.. (await answer.Content.ReadAsStringAsync(cancel)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonNode.Parse(line)!)];
    }

    private static async Task CheckHistoryAsync(HttpClient client, string entity, List<JsonObject> sent, CancellationToken cancel)
    {
        var history = JsonNode.Parse(await client.GetStringAsync($"/v1/entities/{entity}/events?limit=10000", cancel))!;
        var events = history["events"]!.AsArray();
        events.Count.ShouldBe(sent.Count, entity);
        for (var i = 0; i < sent.Count; i++)
        {
            ((long)events[i]!["seq"]!).ShouldBe(i + 1, entity);
            ((string)events[i]!["type"]!).ShouldBe((string)sent[i]["type"]!);
            ((string?)events[i]!["occurredAt"]).ShouldBe((string?)sent[i]["occurredAt"]);
            JsonNode.DeepEquals(events[i]!["payload"], sent[i]["payload"]).ShouldBeTrue($"{entity} at {i + 1}: {events[i]!["payload"]}");
        }
    }

    /// <summary>The fold, computed here by other means.</summary>
    private static async Task CheckCaseAsync(HttpClient client, string entity, List<JsonObject> sent, CancellationToken cancel)
    {
        var state = JsonNode.Parse(await client.GetStringAsync($"/v1/entities/{entity}/aggregates/Case-{KindOf(entity)}", cancel))!["state"]!;
        var groups = sent.Select(e => (string?)e["payload"]?["org:group"]).Where(group => group is not null).ToList();
        var received = sent.Select(e => DateTimeOffset.Parse((string)e["occurredAt"]!, CultureInfo.InvariantCulture)).ToList();
        var expected = new JsonObject
        {
            ["count"] = sent.Count,
            ["last"] = (string)sent[^1]["type"]!,
            ["group"] = groups.LastOrDefault(),
            ["received"] = (string)sent[0]["occurredAt"]!,
            ["duration"] = (received[^1] - received[0]).Ticks / (decimal)TimeSpan.TicksPerSecond,
            ["groups"] = new JsonArray([.. groups.Distinct(StringComparer.Ordinal).Select(group => (JsonNode?)group)]),
            ["activities"] = new JsonObject(sent.GroupBy(e => (string)e["type"]!, StringComparer.Ordinal)
                .Select(type => KeyValuePair.Create<string, JsonNode?>(type.Key, type.Count()))),
        };
        JsonEquality.AreEqual(Encoding.UTF8.GetBytes(state.ToJsonString()), Encoding.UTF8.GetBytes(expected.ToJsonString()))
            .ShouldBeTrue($"{entity}: {state.ToJsonString()} is not {expected.ToJsonString()}");
    }

    /// <summary>How many cases each group has, and the ten longest: asked by SQL, and counted here.</summary>
    private static async Task CheckTableAsync(HttpClient client, string table, List<JsonObject> sent, CancellationToken cancel)
    {
        await Eventually.BecomesTrueAsync(
            "the table has every event", async () => await QueryAsync(client, $"SELECT sum(events) AS n FROM {table}", cancel) == $$"""[{"n":{{sent.Count}}}]""", TimeSpan.FromSeconds(60), cancel);
        var cases = sent.GroupBy(e => (string)e["entity"]!, StringComparer.Ordinal).Select(entity =>
        {
            var times = entity.Select(e => DateTimeOffset.Parse((string)e["occurredAt"]!, CultureInfo.InvariantCulture)).ToList();
            return (Id: entity.Key[(entity.Key.IndexOf('/') + 1)..],
                Team: entity.Select(e => (string?)e["payload"]?["org:group"]).LastOrDefault(group => group is not null),
                Duration: (double)((times[^1] - times[0]).Ticks / (decimal)TimeSpan.TicksPerSecond));
        }).ToList();

        var teams = cases.GroupBy(c => c.Team, StringComparer.Ordinal).OrderByDescending(team => team.Count()).ThenBy(team => team.Key, StringComparer.Ordinal)
            .Select(team => new JsonObject { ["team"] = team.Key, ["n"] = team.Count() });
        JsonNode.DeepEquals(
            JsonNode.Parse(await QueryAsync(client, $"SELECT team, count(*) AS n FROM {table} GROUP BY team ORDER BY n DESC, team", cancel)), new JsonArray([.. teams]))
            .ShouldBeTrue($"cases per group in {table}");
        var longest = JsonNode.Parse(await QueryAsync(client, $"SELECT id, duration FROM {table} ORDER BY duration DESC, id LIMIT 10", cancel))!.AsArray();
        longest.Select(row => ((string)row!["id"]!, (double)row["duration"]!))
            .ShouldBe(cases.OrderByDescending(c => c.Duration).ThenBy(c => c.Id, StringComparer.Ordinal).Take(10).Select(c => (c.Id, c.Duration)));
    }

    private static async Task<string> QueryAsync(HttpClient client, string sql, CancellationToken cancel)
    {
        using var body = new StringContent(new JsonObject { ["sql"] = sql }.ToJsonString(), Encoding.UTF8, "application/json");
        using var answer = await client.PostAsync("/v1/query", body, cancel);
        var text = await answer.Content.ReadAsStringAsync(cancel);
        answer.IsSuccessStatusCode.ShouldBeTrue(text);
        return JsonNode.Parse(text)!["rows"]!.ToJsonString();
    }

    private static async Task PutAsync(HttpClient client, string path, string json, CancellationToken cancel)
    {
        using var body = new StringContent(json, Encoding.UTF8, "application/json");
        (await client.PutAsync(path, body, cancel)).EnsureSuccessStatusCode();
    }

    private static string KindOf(string entity) => entity[..entity.IndexOf('/')];
}
