using CsCheck;

namespace Warp.Http.Tests.Aggregates;

/// <summary>Random definitions and appends over a few members and types, so that they meet.</summary>
/// <remarks>
/// Numbers only grow by what payloads bring, so that decimals of the model never round; what trees of operators give is kept in members
/// that no expression reads.
/// </remarks>
internal sealed class RandomAggregates(Random random)
{
    private static readonly string[] Types = ["Added", "Taken", "Seen", "Noted", "Other"];

    private static readonly ExpressionModel N = ExpressionModel.Member("state", "n");

    private static readonly ExpressionModel[] StateLeaves =
    [
        N, ExpressionModel.Member("state", "m"), ExpressionModel.Member("state", "t"), ExpressionModel.Member("state", "missing"),
        ExpressionModel.Has("state", "missing"), ExpressionModel.Has("state", "wild"), new("entity.seq", scope => (decimal)scope.Seq),
        new("size(state.seen)", scope => ExpressionModel.Member("state", "seen").Value(scope) switch
        {
            List<object?> list => (decimal)list.Count,
            Dictionary<string, object?> map => (decimal)map.Count,
            string text => (decimal)text.EnumerateRunes().Count(),
            _ => ExpressionModel.Error,
        }),
    ];

    private static readonly Gen<ExpressionModel> Wild = ExpressionModel.Over(
        2,
        [
            .. StateLeaves, ExpressionModel.Member("payload", "n"), ExpressionModel.Member("payload", "s"), ExpressionModel.Has("payload", "n"),
            new("event.seq", scope => (decimal)scope.Seq), new("event.type", scope => scope.Type), new("event.schemaVersion", scope => (decimal)scope.SchemaVersion),
        ]);

    private static readonly Gen<ExpressionModel> WildRules = ExpressionModel.Over(2, StateLeaves);

    private readonly PCG _generator = new(1, (ulong)random.NextInt64());

    public DefinitionModel Definition(string? defaultForKind)
    {
        var isStrict = random.Next(4) == 0;
        var isWild = isStrict || random.Next(6) == 0;
        var on = new Dictionary<string, ModelAssignment[]>(StringComparer.Ordinal);
        foreach (var type in Types)
            if (random.Next(4) > 0) on[type] = Rule(type, isWild);
        if (random.Next(3) == 0) on["*"] = [new("m", Sum(ExpressionModel.Member("state", "m"), "+", 1)), new("last", new("event.type", scope => scope.Type))];
        return new DefinitionModel
        {
            Initial = PlainJson.Parse(random.Next(8) == 0 ? "{}" : $$$"""{"n":{{{random.Next(3)}}},"m":0.5,"t":"x","seen":[],"count":{}}""") as Dictionary<string, object?> ?? [],
            On = on,
            Otherwise = random.Next(5) switch { 0 => "reject", 1 or 2 => "merge", _ => "ignore" },
            IsStrict = isStrict,
            Invariants = [.. Enumerable.Range(0, random.Next(3)).Select(i => (Invariant(), $"rule {i}"))],
            Upcasts = Upcasts(),
            DefaultForKind = defaultForKind,
        };
    }

    public ModelCondition Condition(string? aggregate) => new(Invariant(), aggregate);

    public ModelEvent Event(string? aggregate)
    {
        var type = random.Next(12) == 0 ? "Strange" : Types[random.Next(Types.Length)];
        var number = (random.Next(-400, 800) / 4m).ToString(System.Globalization.CultureInfo.InvariantCulture);
        var payload = random.Next(16) switch
        {
            0 => "{}",
            1 => $$"""{"s":{{number}}}""",
            2 => """{"m":null,"extra":{"a":1,"b":null}}""",
            3 => $$"""{"extra":{"a":null,"s":"{{number}}"},"n":{{number}}}""",
            4 when random.Next(4) == 0 => "[1]",
            _ => $$"""{"n":{{number}},"s":"s{{random.Next(5)}}"}""",
        };
        return new ModelEvent(type, payload, aggregate, random.Next(3) == 0 ? random.Next(1, 4) : 1);
    }

    private ModelAssignment[] Rule(string type, bool isWild)
    {
        var n = ExpressionModel.Member("payload", "n");
        var s = ExpressionModel.Member("payload", "s");
        List<ModelAssignment> rule = type switch
        {
            "Added" => [new("n", IfHas("n", Sum(N, "+", n), N)), new("t", IfHas("s", s, new("event.type", scope => scope.Type)))],
            "Taken" => [new("n", IfHas("n", Sum(N, "-", n), N)), new("m", N)],
            "Seen" => [new("seen", IfHas("s", Seen(), ExpressionModel.Member("state", "seen"))), new("count", IfHas("s", Count(), ExpressionModel.Member("state", "count")))],
            "Noted" => [new("m", N), new("n", new("event.schemaVersion", scope => (decimal)scope.SchemaVersion))],
            _ => [new("n", Sum(N, "+", 1))],
        };
        if (isWild) rule.Add(new ModelAssignment("wild", Wild.Generate(_generator, null, out _)));
        if (isWild && random.Next(3) == 0) rule[0] = new ModelAssignment(rule[0].Member, type is "Added" or "Taken" ? Sum(N, "+", n) : rule[0].Value);
        return [.. rule];
    }

    private ExpressionModel Invariant()
    {
        if (random.Next(8) == 0) return WildRules.Generate(_generator, null, out _);
        var bound = random.Next(-300, 100);
        ExpressionModel[] rules =
        [
            new($"state.n >= {bound}", scope => N.Value(scope) is decimal n ? n >= bound : ExpressionModel.Error),
            new("!has(state.seen) || size(state.seen) <= 4", scope =>
                scope.State is not Dictionary<string, object?> map ? ExpressionModel.Error : !map.TryGetValue("seen", out var seen) || seen is not List<object?> list || list.Count <= 4),
            new("has(state.n)", ExpressionModel.Has("state", "n").Value),
            new("entity.seq < 150 && state.n > -1000", scope => scope.Seq >= 150 ? false : N.Value(scope) is decimal n ? n > -1000 : ExpressionModel.Error),
        ];
        return rules[random.Next(rules.Length)];
    }

    /// <summary>A chain, a part of it, or none. None gives the same when it is applied to what it made.</summary>
    private ModelUpcast[] Upcasts()
    {
        var n = ExpressionModel.Member("payload", "n");
        List<ModelUpcast> chain = [];
        if (random.Next(3) == 0) return [];
        if (random.Next(4) > 0) chain.Add(new ModelUpcast("Added", 2, 3, [new("n", IfHas("n", Sum(n, "-", 1), new ExpressionModel("7", _ => 7m)))], ["extra"]));
        if (random.Next(4) > 0) chain.Add(new ModelUpcast("Added", 1, 2, [new("n", IfHas("n", Sum(n, "+", n), new ExpressionModel("3", _ => 3m))), new("was", new("payload", scope => scope.Payload))], []));
        if (random.Next(3) > 0) chain.Add(new ModelUpcast("Other", 1, 3, [new("other", n)], ["s"]));
        return [.. chain];
    }

    private static ExpressionModel IfHas(string name, ExpressionModel then, ExpressionModel otherwise)
    {
        var has = ExpressionModel.Has("payload", name);
        return new($"{has.Text} ? {then.Text} : {otherwise.Text}", scope => has.Value(scope) is bool truth ? (truth ? then : otherwise).Value(scope) : ExpressionModel.Error);
    }

    private static ExpressionModel Sum(ExpressionModel left, string sign, decimal right) => Sum(left, sign, ExpressionModel.Literal($"{right}", right));

    private static ExpressionModel Sum(ExpressionModel left, string sign, ExpressionModel right) => new($"{left.Text} {sign} {right.Text}", scope =>
        left.Value(scope) is decimal a && right.Value(scope) is decimal b ? (sign is "+" ? a + b : a - b) : ExpressionModel.Error);

    private static ExpressionModel Seen() => new("payload.s in state.seen ? state.seen : state.seen + [payload.s]", scope =>
    {
        if (ExpressionModel.Member("state", "seen").Value(scope) is not List<object?> seen) return ExpressionModel.Error;
        var s = ExpressionModel.Member("payload", "s").Value(scope);
        return seen.Exists(other => PlainJson.AreEqual(other, s)) ? seen : [.. seen, s];
    });

    private static ExpressionModel Count() => new("state.count.put(payload.s, payload.s in state.count ? state.count[payload.s] + 1 : 1)", scope =>
    {
        if (ExpressionModel.Member("state", "count").Value(scope) is not Dictionary<string, object?> count) return ExpressionModel.Error;
        if (ExpressionModel.Member("payload", "s").Value(scope) is not string s) return ExpressionModel.Error;
        if (count.TryGetValue(s, out var known) && known is not decimal) return ExpressionModel.Error;
        return new Dictionary<string, object?>(count, StringComparer.Ordinal) { [s] = known is decimal number ? number + 1 : 1m };
    });
}
