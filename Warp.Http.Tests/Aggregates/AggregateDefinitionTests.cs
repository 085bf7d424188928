using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Events;

namespace Warp.Http.Tests.Aggregates;

public sealed class AggregateDefinitionTests
{
    [Fact]
    public void An_empty_definition_has_the_defaults()
    {
        var definition = Definitions.Make("{}");
        definition.Initial.Count.ShouldBe(0);
        definition.Otherwise.ShouldBe(Otherwise.Ignore);
        definition.IsStrict.ShouldBeFalse();
        definition.FoldsBeforeAppend.ShouldBeFalse();
        definition.DefaultForKind.ShouldBeNull();
    }

    [Theory]
    [InlineData("""{"strict":true}""")]
    [InlineData("""{"otherwise":"reject"}""")]
    [InlineData("""{"invariants":[{"rule":"true"}]}""")]
    public void Rules_make_an_append_fold_first(string body) => Definitions.Make(body).FoldsBeforeAppend.ShouldBeTrue();

    [Fact]
    public void The_body_is_kept_as_it_was_sent() =>
        Encoding.UTF8.GetString(Definitions.Make("""{ "initial": {"a": 1.0} }""").Source.Span).ShouldBe("""{ "initial": {"a": 1.0} }""");

    [Fact]
    public void Every_error_is_found_with_its_path()
    {
        AggregateDefinition.Parse(
            """
            {
              "initial": [],
              "on": { "Credited": { "balance": "state.balance +", "x": 5 }, "T 02": { "it's": "1 +\n 2 *" }, "": "1" },
              "otherwise": "maybe", "strict": "yes", "extra": 1, "strict": true,
              "invariants": [ { "message": 1 }, { "rule": "payload.x", "extra": 1 }, 7 ],
              "upcast": [ { "type": "Credited", "from": 2, "to": 2, "set": { "a": "state.x" }, "remove": [1] }, {"type":"A","from":1,"to":2}, {"type":"A","from":1,"to":3} ],
              "defaultForKind": "User"
            }
            """u8,
            new Limits(),
            out var errors).ShouldBeNull();
        errors.Select(error => $"{error.Path}: {error}").ShouldBe(
        [
            "$.initial: 'initial' is an object: the state's members before the first event.",
            "$.on.Credited.balance: Line 1, column 16: Expected a value, found the end.",
            "$.on.Credited.x: An expression is a string.",
            "$.on['T 02']['it\\'s']: Line 2, column 5: Expected a value, found the end.",
            "$.on['']: An event type has 1 to 128 characters and no control character.",
            "$.on['']: Expected an object of members with an expression each.",
            "$.otherwise: 'otherwise' is ignore, merge or reject. It is 'maybe'.",
            "$.strict: 'strict' is true or false.",
            "$.extra: A definition has only initial, on, otherwise, strict, invariants, upcast and defaultForKind.",
            "$.strict: The member is given twice.",
            "$.invariants[0].message: 'message' is a string.",
            "$.invariants[0]: An invariant has a rule: an expression that is true as long as it holds.",
            "$.invariants[1].rule: Line 1, column 1: 'payload' can't be used here, only state, entity.",
            "$.invariants[1].extra: An invariant has only rule and message.",
            "$.invariants[2]: An invariant is an object with rule and message.",
            "$.upcast[0].set.a: Line 1, column 1: 'state' can't be used here, only payload, event.",
            "$.upcast[0].remove[0]: The name of a member is a string.",
            "$.upcast[0]: An upcast has from, a version of at least 1, and to, a greater one.",
            "$.upcast[2]: Two upcasts start from version 1 of this type.",
            "$.defaultForKind: The kind must match [a-z][a-z0-9_.-]*.",
        ]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{\"on\":")]
    [InlineData("{\"initial\":{\"a\":\"\\ud800\"}}")]
    [InlineData("{\"\\udc00\":1}")]
    public void What_is_not_an_object_of_JSON_is_one_error(string body)
    {
        AggregateDefinition.Parse(Encoding.UTF8.GetBytes(body), new Limits(), out var errors).ShouldBeNull();
        errors.ShouldHaveSingleItem().Path.ShouldBe("$");
    }
}
