using System.Text.Json;
using Warp.Http.Storage;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Endpoints;

/// <summary>A stream remembers the entities whose lines failed, to keep their order; an outage must not let it remember without bound.</summary>
public sealed class StreamFailedEntitiesTests : IAsyncDisposable
{
    private const string Full = "9000000000000000"; // bytes that no disk has free

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    private readonly WriterGate _gate = new();

    public ValueTask DisposeAsync()
    {
        _gate.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task Beyond_the_bound_a_stream_that_is_refused_at_once_ends_and_says_so()
    {
        await using var app = new WarpApp();
        app.Set("Warp:FreeBytesMin", Full);
        app.Set("Warp:Limits:StreamFailedEntities", "3");
        await using var stream = await OpenStream.StartAsync(app.Address);

        await stream.SendAsync(Line("a") + Line("a") + Line("b") + Line("c") + Line("d") + Line("e") + Line("a"));

        string[] types = ["storage-full", "shard-unavailable", "storage-full", "storage-full", "storage-full", "overloaded", "shard-unavailable", "overloaded"];
        for (var i = 0; i < types.Length; i++) TypeOf(await stream.ReadReplyAsync(), i + 1).ShouldBe(types[i]);
        await Should.ThrowAsync<EndOfStreamException>(stream.ReadReplyAsync);
    }

    [Fact]
    public async Task Beyond_the_bound_a_stream_whose_commits_fail_ends_and_says_so()
    {
        await using var app = new GatedApp(_gate);
        app.Set("Warp:Limits:StreamFailedEntities", "3");
        await using var stream = await OpenStream.StartAsync(app.Address);
        await stream.SendAsync(Line("stored"));
        (await stream.ReadReplyAsync()).GetProperty("lastSeq").GetInt64().ShouldBe(1);
        _gate.Refuse(StoreStep.BeforeRow, int.MaxValue);

        for (var i = 0; i < 4; i++)
        {
            await stream.SendAsync(Line($"e{i}"));
            TypeOf(await stream.ReadReplyAsync(), i + 2).ShouldBe("shard-unavailable");
        }

        var last = await stream.ReadReplyAsync();
        TypeOf(last, 6).ShouldBe("overloaded");
        last.GetProperty("problem").GetProperty("detail").GetString()!.ShouldContain("more than 3 entities (streamFailedEntities)");
        await Eventually.BecomesTrueAsync("no stream is open", () => app.OpenStreams == 0, Patience);
    }

    [Fact]
    public async Task A_body_that_was_read_to_its_end_has_one_reply_a_line_however_many_failed()
    {
        await using var app = new WarpApp();
        app.Set("Warp:FreeBytesMin", Full);
        app.Set("Warp:Limits:StreamFailedEntities", "3");

        var replies = (await app.SendAsync(HttpMethod.Post, "/v1/events", string.Concat(Enumerable.Range(0, 10).Select(i => Line($"e{i}"))), "application/x-ndjson")).ShouldBe(200).Lines;

        replies.Select((reply, i) => TypeOf(reply, i + 1)).ShouldBe([.. Enumerable.Repeat("storage-full", 4), .. Enumerable.Repeat("overloaded", 6)]);
    }

    private static string Line(string entity) => $"{{\"entity\":\"user/{entity}\",\"type\":\"A\"}}\n";

    private static string TypeOf(JsonElement reply, int line)
    {
        reply.GetProperty("line").GetInt32().ShouldBe(line);
        var problem = reply.GetProperty("problem");
        problem.GetProperty("retryable").GetBoolean().ShouldBeTrue();
        return problem.GetProperty("type").GetString()!["/problems/".Length..];
    }
}
