using System.Text.Json;

namespace Warp.Http.Tests.Endpoints;

/// <summary>Pressure stops the reading of a stream; it refuses no line, and it never lets a line overtake another of its entity.</summary>
public sealed class StreamPressureTests
{
    [Theory]
    [InlineData("Warp:Limits:MailboxCommands", "4")]
    [InlineData("Warp:Stream:BytesInFlight", "1024")]
    [InlineData("Warp:Stream:LinesInFlight", "1")]
    [InlineData("Warp:QueuedBytesMax", "1048576")]
    public async Task No_line_is_refused_and_order_is_kept(string setting, string value)
    {
        await using var app = new WarpApp();
        app.Set(setting, value);
        var padding = new string('x', 400);

        // Three streams to their own entities and one they share.
        var streams = Enumerable.Range(0, 3).Select(s => app.SendAsync(HttpMethod.Post, "/v1/events", string.Join('\n', Enumerable.Range(1, 1_500).Select(i =>
            $$"""{"entity":"user/{{(i % 3 == 0 ? "shared" : $"own-{s}-{i % 2}")}}","type":"S{{s}}","payload":[{{i}},"{{padding}}"]}""")), "application/x-ndjson")).ToList();

        foreach (var answer in await Task.WhenAll(streams)) answer.ShouldBe(200).Lines.Where(HasProblem).Select(l => l.GetRawText()).ShouldBeEmpty();
        foreach (var entity in new[] { "shared", "own-0-0", "own-0-1", "own-1-0", "own-2-1" })
        {
            var events = (await app.GetAsync($"/v1/entities/user/{entity}/events?limit=10000"))["events"].EnumerateArray().ToList();
            foreach (var ofStream in events.GroupBy(e => e.GetProperty("type").GetString(), StringComparer.Ordinal))
                ofStream.Select(e => e.GetProperty("payload")[0].GetInt32()).ShouldBeInOrder(SortDirection.Ascending);
        }
    }

    private static bool HasProblem(JsonElement reply) => reply.TryGetProperty("problem", out _);
}
