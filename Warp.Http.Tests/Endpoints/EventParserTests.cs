using System.Text;
using Warp.Http.Events;

namespace Warp.Http.Tests.Endpoints;

public sealed class EventParserTests
{
    [Fact]
    public void An_event_has_all_its_members_in_any_order()
    {
        var e = Parsed.Json("""
            {"occurredAt":"2026-01-31T12:00:00.5+01:00","metadata":{"by":"t"},"id":"order-1","schemaVersion":3,"aggregate":"Account",
             "payload":[1,{"a":null}],"type":"Credited"}
            """).Single;

        e.ShouldBe(new ParsedEvent("Credited", """[1,{"a":null}]""", "Account", 3, "order-1", """{"by":"t"}""", "2026-01-31T12:00:00.5+01:00"));
    }

    [Fact]
    public void A_bare_type_has_the_defaults() =>
        Parsed.Json("""{"type":"T"}""").Single.ShouldBe(new ParsedEvent("T", "{}", "", 1, "", "", ""));

    [Theory]
    [InlineData("0.1000000000000000000000000000000000000000000000001")]
    [InlineData("1E400")]
    [InlineData("-0")]
    [InlineData("12345678901234567890123456789012345678901234567890")]
    [InlineData("null")]
    [InlineData("\"\\u00e9\\n\"")]
    [InlineData("{ \"a\" : 1,\"a\":2 }")]
    public void A_payload_is_kept_as_it_was_sent(string payload) =>
        Parsed.Json($$"""{"type":"T","payload":{{payload}}}""").Single.Payload.ShouldBe(payload);

    [Fact]
    public void Line_breaks_between_the_tokens_of_a_payload_are_dropped_and_strings_are_left_alone()
    {
        var e = Parsed.Json("{\"type\":\"T\",\r\n\"payload\":{\r\n  \"a b\" : [ 1,\n\t2 ],\n  \"q\": \"x \\\" \\\\ y\" },\n\"metadata\":{\n}}").Single;

        e.Payload.ShouldBe("""{"a b":[1,2],"q":"x \" \\ y"}""");
        e.Metadata.ShouldBe("{}");
    }

    [Fact]
    public void Escapes_in_texts_are_resolved_and_an_escaped_member_name_is_the_same_name()
    {
        var e = Parsed.Json("""{"ty\u0070e":"a\"\u00e9\ud83d\ude00","aggregate":"\u0041b","id":"\u0078-1","payload":"\u0041"}""").Single;

        e.ShouldBe(new ParsedEvent("a\"é😀", "\"\\u0041\"", "Ab", 1, "x-1", "", ""));
        Parsed.Json("""{"type":"A","ty\u0070e":"B"}""").ShouldBeRefused(400, "invalid-request", "$.type");
    }

    [Theory]
    [InlineData("""{"type":"A","type":"A"}""", "$.type")]
    [InlineData("""{"type":"A","payload":1,"payload":1}""", "$.payload")]
    [InlineData("""[{"type":"A"},{"type":"A","id":"x","id":"y"}]""", "$[1].id")]
    [InlineData("""{"events":[{"type":"A"}],"events":[]}""", "$.events")]
    [InlineData("""{"events":[{"type":"A"}],"expect":{"seq":1,"seq":1}}""", "$.expect.seq")]
    [InlineData("""{"type":"A","typ":1}""", "$.typ")]
    [InlineData("""{"Type":"A"}""", "$.Type")]
    [InlineData("""{"events":[{"type":"A","expect":{}}]}""", "$.events[0].expect")]
    [InlineData("""{"type":"A","entity":"user/alice"}""", "$.entity")]
    [InlineData("""{"type":"A","expect":{"seq":1}}""", "$")]
    [InlineData("""{"expect":{"seq":1}}""", "$.events")]
    [InlineData("""{"events":[{"type":"A"}],"expect":{"seq":-1}}""", "$.expect.seq")]
    [InlineData("""{"events":[{"type":"A"}],"expect":{"seq":1.5}}""", "$.expect.seq")]
    [InlineData("""{"events":[{"type":"A"}],"expect":{"sequence":1}}""", "$.expect.sequence")]
    [InlineData("""{"events":[{"type":"A"}],"expect":{"aggregate":"A"}}""", "$.expect.when")]
    [InlineData("""{"events":[{"type":"A"}],"expect":{"when":""}}""", "$.expect.when")]
    [InlineData("""{"events":{"type":"A"}}""", "$.events")]
    [InlineData("""{"payload":{}}""", "$.type")]
    [InlineData("""{"type":""}""", "$.type")]
    [InlineData("""{"type":5}""", "$.type")]
    [InlineData("""{"type":"a\nb"}""", "$.type")]
    [InlineData("""{"type":"a\u0085b"}""", "$.type")]
    [InlineData("{\"type\":\"a\u007fb\"}", "$.type")]
    [InlineData("""{"type":"A","aggregate":"1x"}""", "$.aggregate")]
    [InlineData("""{"type":"A","aggregate":""}""", "$.aggregate")]
    [InlineData("""{"type":"A","id":""}""", "$.id")]
    [InlineData("""{"type":"A","id":"a b"}""", "$.id")]
    [InlineData("""{"type":"A","id":"é"}""", "$.id")]
    [InlineData("""{"type":"A","schemaVersion":0}""", "$.schemaVersion")]
    [InlineData("""{"type":"A","schemaVersion":1.0}""", "$.schemaVersion")]
    [InlineData("""{"type":"A","schemaVersion":2147483648}""", "$.schemaVersion")]
    [InlineData("""{"type":"A","metadata":[]}""", "$.metadata")]
    [InlineData("""{"type":"A","metadata":null}""", "$.metadata")]
    [InlineData("""{"type":"A","occurredAt":"2026-02-30T00:00:00Z"}""", "$.occurredAt")]
    [InlineData("""[{"type":"A"},5]""", "$[1]")]
    [InlineData("5", "$")]
    [InlineData("""[{"type":"A","id":"x"},{"type":"B"},{"type":"C","id":"x"}]""", "$")]
    public void What_breaks_a_rule_is_refused_at_its_path(string body, string path) => Parsed.Json(body).ShouldBeRefused(400, "invalid-request", path);

    [Theory]
    [InlineData("")]
    [InlineData(" \n")]
    [InlineData("{")]
    [InlineData("{\"type\":\"A\"} x")]
    [InlineData("{\"type\":\"A\"}{\"type\":\"A\"}")]
    [InlineData("{\"type\":\"A\",}")]
    [InlineData("{'type':'A'}")]
    [InlineData("{\"type\":\"A\",\"payload\":NaN}")]
    [InlineData("{\"type\":\"A\",\"payload\":01}")]
    [InlineData("{\"type\":\"A\",\"payload\":\"\t\"}")]
    [InlineData("{\"type\":\"A\"/**/}")]
    [InlineData("\ufeff{\"type\":\"A\"}")]
    [InlineData("{\"type\":\"A\",\"payload\":\"\\ud800\"}")]
    [InlineData("{\"type\":\"A\",\"payload\":\"\\udc00\\ud800\"}")]
    [InlineData("{\"type\":\"A\",\"payload\":{\"\\ud800\":1}}")]
    [InlineData("{\"type\":\"A\",\"payload\":\"\\ud800\\u0041\"}")]
    [InlineData("{\"type\":\"A\",\"payload\":\"\\\\\\ud800\"}")]
    [InlineData("{\"\\udfff\":\"A\"}")]
    public void What_is_not_strict_json_is_refused(string body) => Parsed.Json(body).ShouldBeRefused(400, "invalid-json");

    [Fact]
    public void An_escaped_backslash_before_a_surrogates_digits_is_no_surrogate() =>
        Parsed.Json("""{"type":"A","payload":"\\ud800 \ud83d\ude00"}""").Single.Payload.ShouldBe("""
            "\\ud800 \ud83d\ude00"
            """);

    [Theory]
    [InlineData(new byte[] { 0xff })]
    [InlineData(new byte[] { 0xc0, 0xaf })]
    [InlineData(new byte[] { 0xed, 0xa0, 0x80 })]
    [InlineData(new byte[] { 0xe2, 0x82 })]
    public void What_is_not_utf8_is_refused(byte[] bytes) =>
        Parsed.Json([.. "{\"type\":\"A\",\"payload\":\""u8, .. bytes, .. "\"}"u8]).ShouldBeRefused(400, "invalid-json");

    [Fact]
    public void Ids_are_looked_at_in_long_batches_too()
    {
        var ids = Enumerable.Range(0, 10_000).Select(i => $$"""{"type":"A","id":"{{i}}"}""").ToList();
        Parsed.Json($"[{string.Join(',', ids)}]").Events.Count.ShouldBe(10_000);

        ids[9_999] = """{"type":"A","id":"0"}""";
        Parsed.Json($"[{string.Join(',', ids)}]").ShouldBeRefused(400, "invalid-request", "$");
    }

    [Fact]
    public void Expectations_are_read()
    {
        var parsed = Parsed.Json("""{"expect":{"when":"state.x > 1","aggregate":"\u0041","seq":7},"events":[{"type":"A"},{"type":"B"}]}""");

        parsed.Events.Select(e => e.Type).ShouldBe(["A", "B"]);
        (parsed.Expectation.Seq, parsed.Expectation.When, parsed.Expectation.Aggregate).ShouldBe((7, "state.x > 1", "A"));
    }

    [Fact]
    public void Ndjson_takes_events_and_passes_over_empty_lines()
    {
        Parsed.Ndjson("{\"type\":\"A\"}\r\n\n \t\n{\"type\":\"B\",\"payload\":{\"n\":1}}").Events.Select(e => e.Type).ShouldBe(["A", "B"]);
        Parsed.Ndjson("\n \n").ShouldBeRefused(400, "empty-batch");
        Parsed.Ndjson("[{\"type\":\"A\"}]").ShouldBeRefused(400, "invalid-request", "$");
        Parsed.Ndjson("{\"events\":[{\"type\":\"A\"}]}").ShouldBeRefused(400, "invalid-request");
        var bad = Parsed.Ndjson("{\"type\":\"A\"}\n\n{\"type\":");
        bad.ShouldBeRefused(400, "invalid-json");
        bad.Problem!.Detail.ShouldStartWith("Line 3: ");
    }

    [Fact]
    public void Lines_of_growing_length_with_escapes_are_read_whole()
    {
        var lines = Enumerable.Range(1, 40).Select(i => $$"""{"type":"\u0041{{new string('x', i)}}","aggregate":"B\u0062","payload":"{{new string('y', i * 50)}}"}""");

        var events = Parsed.Ndjson(string.Join('\n', lines)).Events;

        events.Select(e => e.Type).ShouldBe(Enumerable.Range(1, 40).Select(i => "A" + new string('x', i)));
        events.ShouldAllBe(e => e.Aggregate == "Bb");
    }

    [Fact]
    public void An_empty_array_is_an_empty_batch()
    {
        Parsed.Json("[]").ShouldBeRefused(400, "empty-batch");
        Parsed.Json("""{"events":[]}""").ShouldBeRefused(400, "empty-batch");
    }

    [Fact]
    public void A_line_of_a_stream_names_its_entity()
    {
        var line = Parsed.Line("""{"entity":"user/\u0061lice","type":"A"}""");
        (line.Entity, line.Single.Type).ShouldBe(("user/alice", "A"));

        Parsed.Line("""{"type":"A"}""").ShouldBeRefused(400, "invalid-request", "$.entity");
        Parsed.Line("""{"entity":"user","type":"A"}""").ShouldBeRefused(400, "invalid-entity-id");
        Parsed.Line("""{"entity":"user/a/b","type":"A"}""").ShouldBeRefused(400, "invalid-entity-id");
        Parsed.Line("""[{"entity":"user/a","type":"A"}]""").ShouldBeRefused(400, "invalid-request", "$");
        var broken = Parsed.Line("""{"entity":"user/bob","events":[{"type":""}]}""");
        broken.ShouldBeRefused(400, "invalid-request", "$.events[0].type");
        broken.Entity.ShouldBe("user/bob", "the reply names it");
    }

    [Fact]
    public void Whatever_bytes_come_are_answered_and_never_thrown_at()
    {
        var seed = Environment.TickCount;
        var random = new Random(seed);
        var sound = """[{"type":"A\u0041","payload":{"a":[1,2.5e3,"x\ny"]},"metadata":{},"id":"x","occurredAt":"2026-01-01T00:00:00Z"}]"""u8;
        for (var round = 0; round < 20_000; round++)
        {
            var bytes = sound.ToArray();
            for (var changes = random.Next(1, 4); changes > 0; changes--)
            {
                var at = random.Next(bytes.Length);
                bytes[at] = random.Next(3) switch { 0 => (byte)random.Next(256), 1 => sound[random.Next(sound.Length)], _ => (byte)"\"\\{}[],:u0\n"[random.Next(11)] };
            }

            var cut = bytes[..random.Next(1, bytes.Length + 1)];
            Should.NotThrow(() => { Parsed.Json(cut); }, $"seed {seed}: {Encoding.Latin1.GetString(cut)}");
        }
    }
}
