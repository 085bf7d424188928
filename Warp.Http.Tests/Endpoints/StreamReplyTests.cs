using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Warp.Http.Storage;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

/// <summary>What happens between a line's outcome and its reply: nothing of it may leave the client, or the reading loop, waiting.</summary>
public sealed class StreamReplyTests : IAsyncDisposable
{
    /// <summary>More than a stream keeps in flight: without replies its reading loop waits for room.</summary>
    private const int Many = 6_000;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30); // half of a stream's idle time, which would end it, too

    private readonly WriterGate _gate = new();
    private readonly ErrorLog _log = new();
    private readonly ReplyGateApp _app;

    public StreamReplyTests() => _app = new ReplyGateApp(_gate) { Log = _log };

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _gate.Dispose();
    }

    [Fact]
    public async Task Lines_for_an_erased_entity_are_answered_though_its_shard_went_out_of_service_before_their_replies()
    {
        var receipt = await EraseAsync("gone");
        await using var stream = await HeldAsync();
        await stream.SendAsync(Line("gone") + Line("mark") + Lines("gone", Many));
        await JudgedAsync();

        _app.Services.GetRequiredService<Store>().AllShards[0].Quarantine(new DamagedDataException("The test says so."));
        _app.LetRepliesGo();

        await stream.EndAsync();
        var replies = await ReadAsync(stream, 3 + Many);
        ShouldTellOf(receipt, replies[1]);
        foreach (var reply in replies[3..]) reply.GetProperty("problem").GetProperty("type").GetString().ShouldBeOneOf("/problems/entity-erased", "/problems/shard-unavailable");
        await EndedAsync();
    }

    [Fact]
    public async Task A_line_refused_by_an_erasure_names_its_receipt_though_the_entity_was_recreated_before_the_reply()
    {
        var receipt = await EraseAsync("gone");
        await using var stream = await HeldAsync();
        await stream.SendAsync(Line("gone") + Line("mark"));
        await JudgedAsync();

        (await _app.PostAsync("/v1/entities/user/gone/events?recreate=true", """{"type":"A"}""")).ShouldBe(201);
        _app.LetRepliesGo();

        ShouldTellOf(receipt, (await ReadAsync(stream, 2))[1]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(Many)]
    public async Task A_failure_of_the_replies_ends_the_stream_however_many_lines_wait_and_is_logged_once(int lines)
    {
        await using var stream = await OpenStream.StartAsync(_app.Address);
        await stream.SendAsync(Line("a"));
        (await stream.ReadReplyAsync()).GetProperty("lastSeq").GetInt64().ShouldBe(1);
        _app.FailReplies(new InvalidOperationException("The test fails the replies."));

        await stream.SendAsync(Lines("a", lines));

        await EndedAsync();
        await Eventually.BecomesTrueAsync("it is logged", () => !_log.Entries.IsEmpty, Patience);
        await Should.ThrowAsync<IOException>(stream.ReadReplyAsync, "half an answer must not look like a whole one");
        _log.Entries.ShouldHaveSingleItem().ShouldContain("The test fails the replies.");

        // Each command was awaited: no other stream that uses it again gets its outcome.
        _app.FailReplies(null);
        var replies = (await _app.SendAsync(HttpMethod.Post, "/v1/events", Lines("b", Many), "application/x-ndjson")).ShouldBe(200).Lines;
        replies.Select(reply => reply.GetProperty("firstSeq").GetInt64()).ShouldBe(Enumerable.Range(1, Many).Select(i => (long)i));
    }

    private static string Line(string entity) => $"{{\"entity\":\"user/{entity}\",\"type\":\"A\"}}\n";

    private static string Lines(string entity, int count) => string.Concat(Enumerable.Repeat(Line(entity), count));

    private static async Task<JsonElement[]> ReadAsync(OpenStream stream, int count)
    {
        var replies = new JsonElement[count];
        for (var i = 0; i < count; i++)
        {
            replies[i] = await stream.ReadReplyAsync();
            replies[i].GetProperty("line").GetInt32().ShouldBe(i + 1);
        }

        return replies;
    }

    private static void ShouldTellOf(Answer receipt, JsonElement reply)
    {
        var problem = reply.GetProperty("problem");
        problem.GetProperty("type").GetString().ShouldBe("/problems/entity-erased");
        problem.GetProperty("receiptId").GetString().ShouldBe(receipt["receiptId"].GetString());
        problem.GetProperty("erasedAt").GetString().ShouldBe(receipt["erasedAt"].GetString());
    }

    private async Task<Answer> EraseAsync(string entity)
    {
        (await _app.PostAsync($"/v1/entities/user/{entity}/events", """{"type":"A"}""")).ShouldBe(201);
        return await _app.DeleteAsync($"/v1/entities/user/{entity}");
    }

    /// <summary>A stream with one line whose reply is held back; so are those of the lines after it.</summary>
    private async Task<OpenStream> HeldAsync()
    {
        var stream = await OpenStream.StartAsync(_app.Address);
        _app.HoldReplies();
        await stream.SendAsync(Line("first"));
        await Eventually.BecomesTrueAsync("a reply waits", () => _app.IsHoldingReplies, Patience);
        return stream;
    }

    /// <summary>Lines are judged as they are posted: what stands before one that is stored is judged.</summary>
    private Task JudgedAsync() =>
        Eventually.BecomesTrueAsync("the lines up to the mark are judged", async () => (await _app.GetAsync("/v1/entities/user/mark")).Status == 200, Patience);

    private Task EndedAsync() => Eventually.BecomesTrueAsync("no stream is open", () => _app.OpenStreams == 0, Patience);
}
