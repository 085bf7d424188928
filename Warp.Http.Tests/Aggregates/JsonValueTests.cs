using System.Buffers;
using System.Text;
using System.Text.Json;
using CsCheck;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Tests.Aggregates;

public sealed class JsonValueTests
{
    [Theory]
    [InlineData("""{"a":1.0,"b":1e3,"c":-0,"d":123456789012345678901234567890.5,"e":1E+400}""")]
    [InlineData("""[null,true,false,"",[],{}]""")]
    [InlineData("""{"text":"a\"b\\c\n\u0001é😀/"}""")]
    public void What_is_passed_on_keeps_its_digits_and_its_order(string json) => Rendered(json).ShouldBe(json);

    [Fact]
    public void Escapes_are_written_only_where_they_must_be() => Rendered("\"\\u00e9\\ud83d\\ude00\\/\\u0041\\u001f\"").ShouldBe("\"é😀/A\\u001f\"");

    [Fact]
    public void Of_a_member_given_twice_the_last_wins() => Rendered("""{"a":1,"b":2,"a":3}""").ShouldBe("""{"a":3,"b":2}""");

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[1,]")]
    [InlineData("1 2")]
    [InlineData("\"\\ud800\"")]
    [InlineData("{\"\\udc00\":1}")]
    [InlineData("nul")]
    public void What_is_not_JSON_is_refused(string text) =>
        Should.Throw<JsonException>(() => JsonParser.Parse(Encoding.UTF8.GetBytes(text), 64));

    [Fact]
    public void Nesting_is_bounded_where_it_is_read()
    {
        Rendered(Nested(64)).ShouldBe(Nested(64));
        Should.Throw<JsonException>(() => JsonParser.Parse(Encoding.UTF8.GetBytes(Nested(65)), 64));
        static string Nested(int depth) => new string('[', depth) + new string(']', depth);
    }

    /// <summary>What a copy costs is charged by them: a state that was stored and restored must cost what the one that was folded does.</summary>
    [Theory]
    [InlineData(4)]
    [InlineData(40)]
    public void The_bytes_of_a_maps_names_are_the_same_however_it_came_about(int members)
    {
        var map = new JsonMap(new object());
        for (var i = 0; i < members; i++) map.Set(System.Text.Encoding.UTF8.GetBytes($"m{i:00}"), JsonValue.Of(JsonMap.Empty));
        for (var i = 0; i < 1_000; i++)
        {
            var name = System.Text.Encoding.UTF8.GetBytes($"passing{i:0000}");
            map.Set(name, JsonValue.Of(JsonMap.Empty));
            map.Remove(name).ShouldBeTrue();
            if (i % 7 == 0) map = map.Own(new object());
            map.NameBytes.ShouldBe(3 * members);
        }
    }

    [Fact]
    public void A_map_agrees_with_a_dictionary_through_any_changes() =>
        Gen.Select(Gen.Int[0, 40], Gen.Int[0, 3], Gen.Int[0, 1000]).Array[0, 300].Sample(changes =>
        {
            var owner = new object();
            var map = new JsonMap(owner);
            var frozen = new JsonMap();
            var frozenText = "{}";
            var model = new Dictionary<string, int>(StringComparer.Ordinal);
            foreach (var (key, kind, value) in changes)
            {
                var name = Encoding.UTF8.GetBytes($"m{key}");
                if (kind == 0)
                {
                    map.Remove(name).ShouldBe(model.Remove($"m{key}"));
                }
                else if (kind == 1 && value % 10 == 0)
                {
                    // Freezing what is there: the frozen map must not see later changes.
                    JsonRenderer.ToUtf8(JsonValue.Of(frozen)).ShouldBe(Encoding.UTF8.GetBytes(frozenText));
                    frozen = map;
                    frozenText = Encoding.UTF8.GetString(JsonRenderer.ToUtf8(JsonValue.Of(map)));
                    owner = new object();
                    map = map.Own(owner);
                }
                else
                {
                    map.Set(name, JsonValue.Of(value));
                    model[$"m{key}"] = value;
                }
            }

            map.Count.ShouldBe(model.Count);
            foreach (var (name, value) in model) map.Get(Encoding.UTF8.GetBytes(name).AsSpan()).Number.ShouldBe(new Number(value));
            map.Get("absent"u8).IsMissing.ShouldBeTrue();
            var weight = new JsonMap();
            foreach (ref readonly var member in map) weight.Set(member.Name, member.Value);
            map.Weight.ShouldBe(weight.Weight);
            JsonRenderer.ToUtf8(JsonValue.Of(frozen)).ShouldBe(Encoding.UTF8.GetBytes(frozenText));
        });

    /// <summary>Bounds on both must refuse the same event whether a fold began at the first one or at a stored state.</summary>
    [Fact]
    public void Depth_and_weight_after_any_changes_are_those_of_the_same_state_read_anew() =>
        Gen.Select(Gen.Int[0, 3], JsonTexts.Values, JsonTexts.Values).Array[1, 40].Sample(changes =>
        {
            var owner = new object();
            var state = JsonValue.Of(JsonMap.Empty);
            foreach (var (kind, name, text) in changes)
            {
                var value = Parse(text);
                switch (kind)
                {
                    case 0 when state.Kind == JsonKind.Map:
                        var set = state.Map.Own(owner);
                        set.Set(Encoding.UTF8.GetBytes(name[..1]), value);
                        state = JsonValue.Of(set);
                        owner = new object(); // what a rule assigns may be shared
                        break;
                    case 1 when state.Kind == JsonKind.Map:
                        var less = state.Map.Own(owner);
                        less.Remove(Encoding.UTF8.GetBytes(name[..1]));
                        state = JsonValue.Of(less);
                        break;
                    default:
                        state = MergePatch.Apply(state, value, owner);
                        break;
                }

                // Asked now and then only: what is not known yet must survive further changes.
                if (name.Length % 3 == 0) CheckAgainstReadAnew(state);
            }

            CheckAgainstReadAnew(state);
        }, iter: 3_000);

    // https://www.rfc-editor.org/rfc/rfc7396, appendix A, all fifteen.
    [Theory]
    [InlineData("""{"a":"b"}""", """{"a":"c"}""", """{"a":"c"}""")]
    [InlineData("""{"a":"b"}""", """{"b":"c"}""", """{"a":"b","b":"c"}""")]
    [InlineData("""{"a":"b"}""", """{"a":null}""", "{}")]
    [InlineData("""{"a":"b","b":"c"}""", """{"a":null}""", """{"b":"c"}""")]
    [InlineData("""{"a":["b"]}""", """{"a":"c"}""", """{"a":"c"}""")]
    [InlineData("""{"a":"c"}""", """{"a":["b"]}""", """{"a":["b"]}""")]
    [InlineData("""{"a":{"b":"c"}}""", """{"a":{"b":"d","c":null}}""", """{"a":{"b":"d"}}""")]
    [InlineData("""{"a":[{"b":"c"}]}""", """{"a":[1]}""", """{"a":[1]}""")]
    [InlineData("""["a","b"]""", """["c","d"]""", """["c","d"]""")]
    [InlineData("""{"a":"b"}""", """["c"]""", """["c"]""")]
    [InlineData("""{"a":"foo"}""", "null", "null")]
    [InlineData("""{"a":"foo"}""", "\"bar\"", "\"bar\"")]
    [InlineData("""{"e":null}""", """{"a":1}""", """{"e":null,"a":1}""")]
    [InlineData("[1,2]", """{"a":"b","c":null}""", """{"a":"b"}""")]
    [InlineData("{}", """{"a":{"bb":{"ccc":null}}}""", """{"a":{"bb":{}}}""")]
    public void Merge_is_that_of_RFC_7396(string target, string patch, string expected)
    {
        var owner = new object();
        var before = Parse(target);
        var after = MergePatch.Apply(before, Parse(patch), owner);
        Encoding.UTF8.GetString(JsonRenderer.ToUtf8(after)).ShouldBe(expected);
        Encoding.UTF8.GetString(JsonRenderer.ToUtf8(before)).ShouldBe(target);
        after.Weight.ShouldBe(Parse(expected).Weight);
    }

    [Fact]
    public void A_difference_applied_gives_the_other_value() =>
        Gen.Select(JsonTexts.Values, JsonTexts.Values).Sample((from, to) =>
        {
            var writer = new ArrayBufferWriter<byte>();
            JsonPatchDiff.Write(writer, Encoding.UTF8.GetBytes(from), Encoding.UTF8.GetBytes(to));
            var patched = JsonPatchModel.Apply(from, Encoding.UTF8.GetString(writer.WrittenSpan));
            JsonEquality.AreEqual(Encoding.UTF8.GetBytes(patched), JsonRenderer.ToUtf8(Parse(to))).ShouldBeTrue($"{from} to {to}: {Encoding.UTF8.GetString(writer.WrittenSpan)} gave {patched}");
        }, iter: 5_000);

    [Theory]
    [InlineData("""{"a":1,"b":{"c":[1,2,3]}}""", """{"b":{"c":[1,2,3]},"a":1.0}""", "[]")]
    [InlineData("""{"a":1}""", """{"a":2,"b~/":3}""", """[{"op":"replace","path":"/a","value":2},{"op":"add","path":"/b~0~1","value":3}]""")]
    [InlineData("""{"l":[1,2,3]}""", """{"l":[1,3]}""", """[{"op":"remove","path":"/l/1"}]""")]
    [InlineData("""{"l":[1]}""", """{"l":[1,2]}""", """[{"op":"add","path":"/l/1","value":2}]""")]
    [InlineData("""{"l":[{"a":1},5]}""", """{"l":[{"a":2},5]}""", """[{"op":"replace","path":"/l/0/a","value":2}]""")]
    [InlineData("1", "{}", """[{"op":"replace","path":"","value":{}}]""")]
    public void A_difference_is_short(string from, string to, string expected)
    {
        var writer = new ArrayBufferWriter<byte>();
        JsonPatchDiff.Write(writer, Encoding.UTF8.GetBytes(from), Encoding.UTF8.GetBytes(to));
        Encoding.UTF8.GetString(writer.WrittenSpan).ShouldBe(expected);
    }

    private static void CheckAgainstReadAnew(JsonValue state)
    {
        var rendered = JsonRenderer.ToUtf8(state);
        var anew = JsonParser.Parse(rendered, 64);
        (state.Depth, state.Weight).ShouldBe((anew.Depth, anew.Weight), Encoding.UTF8.GetString(rendered));
    }

    private static JsonValue Parse(string json) => JsonParser.Parse(Encoding.UTF8.GetBytes(json), 64);

    private static string Rendered(string json) => Encoding.UTF8.GetString(JsonRenderer.ToUtf8(Parse(json)));
}
