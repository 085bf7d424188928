using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Warp.Http.Tests.Storage;

namespace Warp.Http.Tests.Endpoints;

/// <summary>Whatever an event holds, .NET's own parser of event streams gives it back as it was sent.</summary>
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
        var events = Enumerable.Range(0, TestRun.Rounds("WARP_TEST_SSE", 2000)).Select(_ => NextEvent()).ToList();
        foreach (var batch in events.Chunk(BatchEvents))
        {
            var lines = batch.Select(e => e.ToJsonString(new JsonSerializerOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, WriteIndented = _random.Next(2) == 0 }));
            (await app.PostAsync("/v1/entities/sse/1/events", $"[{string.Join(",\r\n", lines)}]")).ShouldBe(201);
        }

        using var answer = await app.Bare.GetAsync("/v1/entities/sse/1/subscribe?from=1", HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        await using var body = await answer.Content.ReadAsStreamAsync(TestContext.Current.CancellationToken);
        var parser = SseParser.Create(body);
        var next = 0;
        await foreach (var message in parser.EnumerateAsync(TestContext.Current.CancellationToken))
        {
            if (message.EventType == "caught-up") break;
            message.EventType.ShouldBe(SseParser.EventTypeDefault);
            message.EventId.ShouldBe($"{next + 1}");
            var (sent, received) = (events[next], JsonNode.Parse(message.Data)!.AsObject());
            foreach (var member in new[] { "type", "payload", "metadata" })
                JsonNode.DeepEquals(received[member], sent[member]).ShouldBeTrue($"{member} of {next}: {message.Data}");
            next++;
        }

        next.ShouldBe(events.Count);
        parser.ReconnectionInterval.ShouldBe(TimeSpan.FromSeconds(1));
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
