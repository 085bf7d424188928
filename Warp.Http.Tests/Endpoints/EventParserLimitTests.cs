using Warp.Http.Events;

namespace Warp.Http.Tests.Endpoints;

/// <summary>Each limit holds at its value and refuses one more.</summary>
public sealed class EventParserLimitTests
{
    private static readonly Limits s_small = new() { EventBytes = 300, MetadataBytes = 50, BatchEvents = 3, TypeChars = 5, EventIdChars = 6, KindChars = 4, IdBytes = 5, ExpressionChars = 16 };

    [Theory]
    [InlineData(64, null)]
    [InlineData(65, "invalid-json")]
    public void Depth(int depth, string? refused)
    {
        // The event itself is the first level.
        var payload = new string('[', depth - 1) + new string(']', depth - 1);
        Refusal(Parsed.Json($$"""{"type":"A","payload":{{payload}}}""")).ShouldBe(refused);
        var inBatch = new string('[', depth - 3) + new string(']', depth - 3);
        Refusal(Parsed.Json($$"""{"events":[{"type":"A","payload":{{inBatch}}}]}""")).ShouldBe(refused);
    }

    [Fact]
    public void Depth_says_its_limit() =>
        Parsed.Json($$"""{"type":"A","payload":{{new string('[', 70)}}""").Problem!.Detail.ShouldBe("This is nested deeper than 64 (jsonDepth).");

    [Theory]
    [InlineData(300, null)]
    [InlineData(301, "payload-too-large")]
    public void Event_bytes_count_the_event_as_it_was_sent(int bytes, string? refused)
    {
        var sent = $$"""{"type":"A",{{new string(' ', bytes - 31)}}"payload":"\u0041"}""";
        sent.Length.ShouldBe(bytes);
        var parsed = Parsed.Json($"[{sent}]", s_small);

        Refusal(parsed).ShouldBe(refused);
        if (refused is null) return;
        parsed.ShouldBeRefused(413, refused, "$[0]");
        parsed.Problem!.Extras.ShouldBe([("limit", 300L), ("actual", 301L)]);
    }

    [Theory]
    [InlineData(50, null)]
    [InlineData(51, "payload-too-large")]
    public void Metadata_bytes(int bytes, string? refused) =>
        Refusal(Parsed.Json("{\"type\":\"A\",\"metadata\":{\"a\":\"" + new string('x', bytes - 8) + "\"}}", s_small)).ShouldBe(refused);

    [Theory]
    [InlineData(3, null)]
    [InlineData(4, "payload-too-large")]
    [InlineData(7, "payload-too-large")]
    public void Events_in_a_batch(int count, string? refused)
    {
        var events = Enumerable.Repeat("""{"type":"A","payload":[[1],{}]}""", count).ToList();
        var array = Parsed.Json($"[{string.Join(',', events)}]", s_small);
        var ndjson = Parsed.Ndjson(string.Join("\n\n", events) + "\n \n", s_small);

        Refusal(array).ShouldBe(refused);
        Refusal(ndjson).ShouldBe(refused);
        if (refused is null) return;
        array.Problem!.Extras.ShouldBe([("limit", 3L), ("actual", (long)count)]);
        ndjson.Problem!.Extras.ShouldBe([("limit", 3L), ("actual", (long)count)]);
    }

    [Theory]
    [InlineData("abcde", null)]
    [InlineData("abcdef", "invalid-request")]
    [InlineData("ééééé", null)]
    [InlineData("éééééé", "invalid-request")]
    [InlineData("😀😀😀😀😀", null)]
    [InlineData("😀😀😀😀😀😀", "invalid-request")]
    [InlineData("\\u00e9\\u00e9\\u00e9\\u00e9\\u00e9", null)]
    public void Type_characters_are_unicode_scalars(string type, string? refused) => Refusal(Parsed.Json($$"""{"type":"{{type}}"}""", s_small)).ShouldBe(refused);

    [Theory]
    [InlineData("123456", null)]
    [InlineData("1234567", "invalid-request")]
    public void Event_id_characters(string id, string? refused) => Refusal(Parsed.Json($$"""{"type":"A","id":"{{id}}"}""", s_small)).ShouldBe(refused);

    [Theory]
    [InlineData(64, null)]
    [InlineData(65, "invalid-request")]
    public void Aggregate_characters(int length, string? refused) =>
        Refusal(Parsed.Json($$"""{"type":"A","aggregate":"{{new string('a', length)}}"}""")).ShouldBe(refused);

    [Theory]
    [InlineData("kind/abcde", null)]
    [InlineData("kinds/abcde", "invalid-entity-id")]
    [InlineData("kind/abcdef", "invalid-entity-id")]
    [InlineData("kind/ééa", null)]
    [InlineData("kind/ééé", "invalid-entity-id")]
    public void Entity_names(string name, string? refused) => Refusal(Parsed.Line($$"""{"entity":"{{name}}","type":"A"}""", s_small)).ShouldBe(refused);

    [Theory]
    [InlineData(16, null)]
    [InlineData(17, "invalid-request")]
    public void Expression_characters(int length, string? refused) =>
        Refusal(Parsed.Json("{\"events\":[{\"type\":\"A\"}],\"expect\":{\"when\":\"" + new string('1', length) + "\"}}", s_small)).ShouldBe(refused);

    private static string? Refusal(Parsed parsed) => parsed.Problem?.Type;
}
