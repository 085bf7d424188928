using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Warp.Http.Aggregates;
using Warp.Http.Events;

namespace Warp.Http.Tests.Aggregates;

public sealed class FoldStateTests
{
    private const string Account =
        """
        { "initial": { "balance": 0 },
          "on": { "Credited": { "balance": "state.balance + payload.amount" }, "Debited": { "balance": "state.balance - payload.amount" } },
          "invariants": [ { "rule": "state.balance >= 0", "message": "insufficient funds" } ] }
        """;

    [Fact]
    public void Rules_fold_exactly()
    {
        var state = Definitions.NewState(Definitions.Make(Account));
        state.Apply("Credited", """{"amount":0.1}""").ShouldBeNull();
        state.Apply("Credited", """{"amount":0.20}""").ShouldBeNull();
        state.Apply("Unknown", """{"amount":5}""").ShouldBeNull();
        state.Text().ShouldBe("""{"balance":0.3}""");
        state.Seq.ShouldBe(3);
    }

    [Fact]
    public void Without_a_definition_payloads_are_merged()
    {
        var state = Definitions.NewState();
        state.Apply("A", """{"a":{"b":1,"c":2},"d":1.50}""").ShouldBeNull();
        state.Apply("B", """{"a":{"b":null},"e":[null]}""").ShouldBeNull();
        state.Text().ShouldBe("""{"a":{"c":2},"d":1.50,"e":[null]}""");
        state.Apply("C", "5").ShouldBeNull();
        state.Text().ShouldBe("5");
        state.Apply("D", """{"x":{"y":null}}""").ShouldBeNull();
        state.Text().ShouldBe("""{"x":{}}""");
    }

    [Fact]
    public void All_right_hand_sides_see_the_state_before_the_event()
    {
        var state = Definitions.NewState(Definitions.Make("""{"initial":{"a":1,"b":2,"c":3},"on":{"Swapped":{"a":"state.b","b":"state.a"}}}"""));
        state.Apply("Swapped", "{}").ShouldBeNull();
        state.Text().ShouldBe("""{"a":2,"b":1,"c":3}""");
    }

    [Fact]
    public void A_star_stands_for_every_type_that_is_not_named()
    {
        var state = Definitions.NewState(Definitions.Make("""{"initial":{"n":0},"on":{"A":{"a":"1"},"*":{"n":"state.n + 1","last":"event.type"}},"otherwise":"reject"}"""));
        foreach (var type in new[] { "A", "B", "C", "A" }) state.Apply(type, "{}").ShouldBeNull();
        state.Text().ShouldBe("""{"n":2,"a":1,"last":"C"}""");
    }

    [Fact]
    public void Many_rules_are_found_as_few_are()
    {
        var rules = string.Join(',', Enumerable.Range(0, 50).Select(i => $"\"T{i}\":{{\"m{i}\":\"{i}\"}}"));
        var state = Definitions.NewState(Definitions.Make($"{{\"on\":{{{rules}}}}}"));
        for (var i = 0; i < 50; i++) state.Apply($"T{i}", "{}").ShouldBeNull();
        state.Apply("T50", "{}").ShouldBeNull();
        state.Text().ShouldBe("{" + string.Join(',', Enumerable.Range(0, 50).Select(i => $"\"m{i}\":{i}")) + "}");
    }

    [Fact]
    public void Otherwise_decides_about_types_without_a_rule()
    {
        var merging = Definitions.NewState(Definitions.Make("""{"initial":{"a":1},"on":{"A":{"a":"state.a + 1"}},"otherwise":"merge"}"""));
        merging.Apply("B", """{"b":1}""").ShouldBeNull();
        merging.Apply("A", "{}").ShouldBeNull();
        merging.Text().ShouldBe("""{"a":2,"b":1}""");
        var rejecting = Definitions.NewState(Definitions.Make("""{"otherwise":"reject"}"""));
        rejecting.Apply("B", "{}", seq: 4).ShouldBe(
            new FoldFailure(4, null, 0, 0, "The aggregate has no rule for the type 'B' and rejects what it doesn't name."));
    }

    [Fact]
    public void A_failed_event_leaves_the_state_as_it_was()
    {
        var state = Definitions.NewState(Definitions.Make("""{"initial":{"a":1,"l":[1]},"on":{"A":{"a":"state.a + 1","l":"state.l + [state.a]","b":"payload.x"}}}"""));
        state.Apply("A", """{"x":1}""").ShouldBeNull();
        var before = state.Text();
        var failure = state.Apply("A", "{}", seq: 2).ShouldNotBeNull();
        failure.Message.ShouldBe("There is no member \"x\" in the payload; ask with has() whether there is.");
        failure.IsMissingMember.ShouldBeTrue();
        (failure.Seq, failure.Expression, failure.Line, failure.Column).ShouldBe((2, "payload.x", 1, 9));
        state.Text().ShouldBe(before);
        state.Seq.ShouldBe(1);
        state.Apply("A", """{"x":2}""", seq: 2).ShouldBeNull();
        state.Text().ShouldBe("""{"a":3,"l":[1,1,2],"b":2}""");
    }

    [Fact]
    public void A_state_that_is_no_map_has_no_members_to_set()
    {
        var state = Definitions.NewState(Definitions.Make("""{"on":{"A":{"a":"1"}},"otherwise":"merge"}"""));
        state.Apply("B", "[1]").ShouldBeNull();
        state.Apply("A", "{}")!.Message.ShouldBe("The state is a list, which has no members to set.");
    }

    [Fact]
    public void Parts_of_the_state_that_are_used_twice_stay_apart()
    {
        var state = Definitions.NewState(Definitions.Make("""{"initial":{"a":{"n":1}},"on":{"Copied":{"b":"state.a","all":"state"}},"otherwise":"merge"}"""));
        state.Apply("Merged", """{"a":{"m":1}}""").ShouldBeNull();
        state.Apply("Copied", "{}").ShouldBeNull();
        state.Apply("Merged", """{"a":{"n":2},"b":{"n":3}}""").ShouldBeNull();
        state.Text().ShouldBe("""{"a":{"n":2,"m":1},"b":{"n":3,"m":1},"all":{"a":{"n":1,"m":1}}}""");
    }

    [Fact]
    public void Clones_go_on_apart()
    {
        var state = Definitions.NewState();
        state.Apply("A", """{"a":{"b":{"c":1}}}""").ShouldBeNull();
        var clone = state.Clone();
        state.Apply("A", """{"a":{"b":{"c":2}}}""").ShouldBeNull();
        clone.Apply("A", """{"a":{"b":{"d":3}}}""").ShouldBeNull();
        state.Text().ShouldBe("""{"a":{"b":{"c":2}}}""");
        clone.Text().ShouldBe("""{"a":{"b":{"c":1,"d":3}}}""");
    }

    [Theory]
    [InlineData("""{"initial":{"x":[1]},"on":{"*":{"x":"[state.x, state.x]"}}}""", "bytes")]
    [InlineData("""{"initial":{"x":"ab"},"on":{"*":{"x":"state.x + state.x"}}}""", "steps")]
    [InlineData("""{"initial":{"x":{}},"on":{"*":{"x":"{'x': state.x}"}}}""", "nested deeper")]
    [InlineData("""{"initial":{"x":1},"on":{"*":{"x":"state"}}}""", "nested deeper")]
    [InlineData("""{"initial":{"x":"aaaaaaaaaa","n":0},"on":{"*":{"n":"state.n + 1"}},"otherwise":"merge"}""", "")]
    public void Growth_without_end_is_stopped(string body, string reason)
    {
        var state = Definitions.NewState(Definitions.Make(body));
        FoldFailure? failure = null;
        for (var i = 0; i < 2_000 && failure is null; i++) failure = state.Apply("Grown", "{}");
        if (reason.Length == 0) failure.ShouldBeNull();
        else failure.ShouldNotBeNull().Message.ShouldContain(reason);
        state.SizeEstimate.ShouldBeLessThan(FoldLimits.ValueBytes + 1000);
        FoldState.Restore(state.Definition, Definitions.Alice, Definitions.Life, state.Seq, Encoding.UTF8.GetBytes(state.Text())).Text().ShouldBe(state.Text());
    }

    [Fact]
    public void Merging_without_end_is_stopped()
    {
        var state = Definitions.NewState();
        FoldFailure? failure = null;
        var text = new string('x', 1_000_000);
        for (var i = 0; i < 20 && failure is null; i++) failure = state.Apply("A", $"{{\"m{i}\":\"{text}\"}}");
        failure.ShouldNotBeNull().Message.ShouldBe("The state would take more than 16777216 bytes.");
        state.Apply("A", $"{{\"m0\":\"{text}\"}}").ShouldBeNull("Replacing is no growth.");
    }

    [Fact]
    public void Invariants_are_judged_on_the_state_as_it_is()
    {
        var state = Definitions.NewState(Definitions.Make(Account));
        state.Apply("Debited", """{"amount":5}""").ShouldBeNull();
        state.TryCheckInvariants(1, out var violation, out var failure).ShouldBeFalse();
        violation.ShouldBe(new InvariantViolation("state.balance >= 0", "insufficient funds", 1));
        failure.ShouldBeNull();
        state.Apply("Credited", """{"amount":5.0}""").ShouldBeNull();
        state.TryCheckInvariants(2, out violation, out failure).ShouldBeTrue();
        violation.ShouldBeNull();
    }

    [Fact]
    public void An_invariant_that_cannot_be_judged_is_a_failure()
    {
        var state = Definitions.NewState(Definitions.Make("""{"invariants":[{"rule":"entity.seq < 10 && entity.id == 'alice'"},{"rule":"state.x > 1"}]}"""));
        state.TryCheckInvariants(7, out var violation, out var failure).ShouldBeFalse();
        violation.ShouldBeNull();
        failure.ShouldBe(new FoldFailure(7, "state.x > 1", 1, 7, "There is no member \"x\" in the state; ask with has() whether there is.") { IsMissingMember = true, IsOfRule = true });
    }

    [Fact]
    public void Older_versions_are_brought_forward_before_they_fold()
    {
        var definition = Definitions.Make(
            """
            { "initial": { "sum": 0 }, "on": { "Credited": { "sum": "state.sum + payload.amount", "v": "event.schemaVersion" } },
              "upcast": [ { "type": "Credited", "from": 2, "to": 3, "set": { "amount": "payload.euro" }, "remove": ["euro"] },
                          { "type": "Credited", "from": 1, "to": 2, "set": { "euro": "payload.cents / 100", "cents": "payload.cents + 1" }, "remove": ["cents"] } ] }
            """);
        var state = Definitions.NewState(definition);
        state.Apply("Credited", """{"cents":1250}""", schemaVersion: 1).ShouldBeNull();
        state.Apply("Credited", """{"euro":1}""", schemaVersion: 2).ShouldBeNull();
        state.Apply("Credited", """{"amount":1}""", schemaVersion: 9).ShouldBeNull();
        state.Text().ShouldBe("""{"sum":14.5,"v":9}""");
        state.Apply("Credited", "[]", schemaVersion: 1)!.Message.ShouldBe("The upcast from version 1 needs a payload that is an object.");
        state.Apply("Credited", "{}", schemaVersion: 1)!.Expression.ShouldBe("payload.cents / 100");

        var writer = new ArrayBufferWriter<byte>();
        var e = new RecordedEvent(1, 0, new EventFields { Type = "Credited"u8, Payload = """{"cents":1250,"z":1.0}"""u8, SchemaVersion = 1 }, default, 0);
        Upcasting.TryUpcast(definition, e, Definitions.Alice, Definitions.Life, writer, out var version, out var failure).ShouldBeTrue();
        failure.ShouldBeNull();
        version.ShouldBe(3);
        Encoding.UTF8.GetString(writer.WrittenSpan).ShouldBe("""{"z":1.0,"cents":1251,"amount":12.5}""");
    }

    [Fact]
    public void A_condition_sees_state_and_entity()
    {
        var state = Definitions.NewState(Definitions.Make(Account));
        state.Apply("Credited", """{"amount":500}""").ShouldBeNull();
        Judge("state.balance >= 500 && entity.kind == 'user' && entity.seq == 12").ShouldBe("True");
        Judge("state.balance > 500").ShouldBe("False");
        Judge("state.balance").ShouldBe("A condition is true or false, not a number.");
        Judge("state.x == 1").ShouldBe("There is no member \"x\" in the state; ask with has() whether there is.");

        string Judge(string text)
        {
            Condition.TryCompile(text, 4096, out var condition, out _).ShouldBeTrue();
            return condition!.TryEvaluate(state, 12, out var holds, out var failure) ? holds.ToString() : failure!.Message;
        }
    }

    [Fact]
    public void Conditions_are_compiled_once_and_kept_within_bounds()
    {
        var cache = new ConditionCache(4096);
        cache.TryGet("state.a > 1", out var first, out _).ShouldBeTrue();
        for (var i = 0; i < 2_000; i++)
        {
            cache.TryGet($"state.a > {i}.5", out _, out _).ShouldBeTrue();
            cache.TryGet("state.a > 1", out var again, out _).ShouldBeTrue();
            again.ShouldBeSameAs(first, "What is used again and again stays.");
        }

        cache.TryGet("state.a >", out var none, out var error).ShouldBeFalse();
        none.ShouldBeNull();
        error!.Message.ShouldBe("Expected a value, found the end.");
    }

    [Fact]
    public void Random_histories_agree_with_a_plain_interpreter_over_clones_and_restores()
    {
        var definition = Definitions.Make(
            """
            { "initial": { "sum": 0, "last": null, "seen": [], "count": {} },
              "on": { "Added": { "sum": "state.sum + payload.n", "last": "payload.n" },
                      "Seen": { "seen": "payload.s in state.seen ? state.seen : state.seen + [payload.s]",
                                "count": "state.count.put(payload.s, payload.s in state.count ? state.count[payload.s] + 1 : 1)" } },
              "otherwise": "merge" }
            """);
        var events = Gen.Select(Gen.Int[0, 9], Gen.Int[-999, 999], Gen.Int[0, 12]);
        events.Array[0, 80].Sample(history =>
        {
            var state = Definitions.NewState(definition);
            var model = new FoldModel();
            foreach (var (kind, n, s) in history)
            {
                var number = (n / 4m).ToString(CultureInfo.InvariantCulture);
                switch (kind)
                {
                    case < 4:
                        state.Apply("Added", $"{{\"n\":{number}}}").ShouldBeNull();
                        model.Add(n / 4m);
                        break;
                    case < 7:
                        state.Apply("Seen", $"{{\"s\":\"s{s}\"}}").ShouldBeNull();
                        model.See($"s{s}");
                        break;
                    case 7:
                        state.Apply("Merged", $"{{\"extra\":{{\"m{s}\":{(n < 0 ? "null" : number)}}}}}").ShouldBeNull();
                        model.Merge($"m{s}", n < 0 ? null : n / 4m);
                        break;
                    case 8:
                        state = FoldState.Restore(definition, Definitions.Alice, Definitions.Life, state.Seq, Encoding.UTF8.GetBytes(state.Text()));
                        break;
                    default:
                        // The clone goes on; what happens to the original must not be seen.
                        var original = state;
                        state = state.Clone();
                        original.Apply("Merged", """{"extra":{"m1":-1},"sum":-1}""").ShouldBeNull();
                        original.Apply("Seen", """{"s":"s1"}""").ShouldBeNull();
                        break;
                }
            }

            JsonNode.DeepEquals(JsonNode.Parse(state.Text()), model.ToJson()).ShouldBeTrue($"{state.Text()} is not {model.ToJson().ToJsonString()}");
        }, iter: 3_000);
    }

    /// <summary>The same aggregate in plain C#.</summary>
    private sealed class FoldModel
    {
        private readonly List<string> _seen = [];
        private readonly Dictionary<string, int> _count = [];
        private Dictionary<string, decimal>? _extra;
        private decimal _sum;
        private decimal? _last;

        public void Add(decimal n)
        {
            _sum += n;
            _last = n;
        }

        public void See(string s)
        {
            if (!_seen.Contains(s)) _seen.Add(s);
            _count[s] = _count.GetValueOrDefault(s) + 1;
        }

        public void Merge(string name, decimal? value)
        {
            _extra ??= [];
            if (value is null) _extra.Remove(name);
            else _extra[name] = value.Value;
        }

        public JsonObject ToJson()
        {
            var json = new JsonObject
            {
                ["sum"] = Plain(_sum),
                ["last"] = _last is null ? null : Plain(_last.Value),
                ["seen"] = new JsonArray([.. _seen.Select(s => JsonValue.Create(s))]),
                ["count"] = new JsonObject(_count.Select(c => KeyValuePair.Create<string, JsonNode?>(c.Key, c.Value))),
            };
            if (_extra is not null) json["extra"] = new JsonObject(_extra.Select(m => KeyValuePair.Create<string, JsonNode?>(m.Key, Plain(m.Value))));
            return json;
        }

        private static JsonNode Plain(decimal number) => JsonNode.Parse((number / 1.0000000000000000000m).ToString(CultureInfo.InvariantCulture))!;
    }
}
