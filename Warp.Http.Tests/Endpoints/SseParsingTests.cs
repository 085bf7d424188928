using System.Diagnostics;
using System.Globalization;
using System.Net.ServerSentEvents;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Warp.Http.Tests.Acceptance;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

/// <summary>Whatever an event holds, the parsers of event streams that people use give it back as it was sent: all of them the same.</summary>
public sealed class SseParsingTests(WarpApp app) : IClassFixture<WarpApp>
{
    private const int BatchEvents = 500;

    /// <summary>What ends lines in one standard or another, what looks like a field, and what breaks careless writers of JSON.</summary>
    private static readonly string[] s_pieces =
    [
        "\r", "\n", "\r\n", "\u2028", "\u2029", "\u0085", "\v", "\f", "\0", "\u001a", "\ufeff", "data: x", "id: 1", "event: e", ":", "retry: 1", "\n\n", "\"", "\\", "\\n",
        "😀", "ü", "e\u0301", "\u200f", "\ud7ff", "\ue000", "\ufffd", "</script>", " ", "\t", "a", "0",
    ];

    private readonly Random _random = TestRun.Random();

    [Fact]
    public async Task Random_payloads_types_and_metadata_are_parsed_as_they_were_sent()
    {
        var events = await AppendAsync("net");

        var messages = await ParseAsync("net");

        messages.Count.ShouldBe(events.Count);
        foreach (var ((id, data), i) in messages.Select((message, i) => (message, i)))
        {
            id.ShouldBe($"{i + 1}");
            var received = JsonNode.Parse(data)!.AsObject();
            foreach (var member in new[] { "type", "payload", "metadata" })
                JsonNode.DeepEquals(received[member], events[i][member]).ShouldBeTrue($"{member} of {i}: {data}");
        }
    }

    [Fact]
    public async Task A_browser_parses_them_alike()
    {
        if (Browser.Executable is null) Assert.Skip("There is no Chromium on this machine.");
        await AppendAsync("browser");
        await using var browser = await Browser.StartAsync();
        await browser.NavigateAsync(new Uri(app.Address, "/live"));

        var parsed = await browser.EvaluateAsync(
            """
            new Promise((resolve, reject) => {
              const texts = [];
              const source = new EventSource('/v1/entities/sse/browser/subscribe?from=1');
              source.onmessage = e => texts.push(`${e.lastEventId}\n${e.data}\n`);
              source.onerror = () => reject(new Error('The stream broke off.'));
              source.addEventListener('caught-up', async () => {
                source.close();
                const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(texts.join(''))));
                resolve(`${texts.length} ${[...hash].map(b => b.toString(16).padStart(2, '0')).join('')}`);
              });
            })
            """);

        parsed.GetString().ShouldBe(Digest(await ParseAsync("browser")));
    }

    [Fact]
    public async Task The_parser_of_npm_parses_them_alike()
    {
        var directory = Path.Combine(Repository.Root, "Warp.Http.Tests", "Endpoints", "EventSourceParser");
        if (!Directory.Exists(Path.Combine(directory, "node_modules"))) Assert.Skip($"Its package is not installed: npm ci --prefix {directory}");
        await AppendAsync("npm");

        var start = new ProcessStartInfo("node", [Path.Combine(directory, "digest.js"), new Uri(app.Address, "/v1/entities/sse/npm/subscribe?from=1").ToString()])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var node = Process.Start(start)!;
        var errors = node.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var parsed = await node.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);

        parsed.Trim().ShouldBe(Digest(await ParseAsync("npm")), await errors);
    }

    private static string Digest(List<(string? Id, string Data)> messages)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (id, data) in messages) hash.AppendData(Encoding.UTF8.GetBytes($"{id}\n{data}\n"));
        return string.Create(CultureInfo.InvariantCulture, $"{messages.Count} {Convert.ToHexStringLower(hash.GetHashAndReset())}");
    }

    private async Task<List<JsonObject>> AppendAsync(string entity)
    {
        var events = Enumerable.Range(0, TestRun.Rounds("WARP_TEST_SSE", 2000)).Select(_ => NextEvent()).ToList();
        foreach (var batch in events.Chunk(BatchEvents))
        {
            var lines = batch.Select(e => e.ToJsonString(new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, WriteIndented = _random.Next(2) == 0 }));
            (await app.PostAsync($"/v1/entities/sse/{entity}/events", $"[{string.Join(",\r\n", lines)}]")).ShouldBe(201);
        }

        return events;
    }

    /// <summary>By .NET's own parser, up to where it has caught up.</summary>
    private async Task<List<(string? Id, string Data)>> ParseAsync(string entity)
    {
        using var answer = await app.Bare.GetAsync($"/v1/entities/sse/{entity}/subscribe?from=1", HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        await using var body = await answer.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        var parser = SseParser.Create(body);
        var messages = new List<(string? Id, string Data)>();
        await foreach (var message in parser.EnumerateAsync(TestContext.Current.CancellationToken))
        {
            if (message.EventType == "caught-up") break;
            message.EventType.ShouldBe(SseParser.EventTypeDefault);
            messages.Add((message.EventId, message.Data));
        }

        parser.ReconnectionInterval.ShouldBe(TimeSpan.FromSeconds(1));
        return messages;
    }

    private JsonObject NextEvent()
    {
        var e = new JsonObject { ["type"] = NextType(), ["payload"] = NextValue(3) };
        if (_random.Next(2) == 0) e["metadata"] = NextObject(2);
        return e;
    }

    private JsonNode? NextValue(int depth) => _random.Next(depth == 0 ? 4 : 6) switch
    {
        0 => NextText(),
        1 => _random.Next(),
        2 => _random.Next(2) == 0,
        3 => null,
        4 => new JsonArray([.. Enumerable.Range(0, _random.Next(4)).Select(_ => NextValue(depth - 1))]),
        _ => NextObject(depth - 1),
    };

    private JsonObject NextObject(int depth)
    {
        var members = new JsonObject();
        for (var i = _random.Next(4); i > 0; i--) members[NextText()] = NextValue(depth);
        return members;
    }

    private string NextText() => string.Concat(Enumerable.Range(0, _random.Next(6)).Select(_ => s_pieces[_random.Next(s_pieces.Length)]));

    private string NextType()
    {
        var text = new StringBuilder("T");
        foreach (var rune in NextText().EnumerateRunes())
            if (!Rune.IsControl(rune)) text.Append(rune);
        return text.ToString();
    }
}
