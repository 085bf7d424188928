namespace Warp.Http.Tests.Aggregates;

/// <summary>A member and the expression that gives its value.</summary>
internal sealed record ModelAssignment(string Member, ExpressionModel Value);

internal sealed record ModelUpcast(string Type, int From, int To, ModelAssignment[] Set, string[] Remove);

internal sealed record ModelEvent(string Type, string Payload, string? Aggregate, int SchemaVersion);

/// <summary>A state, or the seq of the event that does not fold.</summary>
internal readonly record struct ModelFold(object? State, long FailedSeq = 0, bool HasEvents = false);

/// <summary>An aggregate's definition, interpreted the plain way: event by event, from the beginning, in the words of the contract.</summary>
internal sealed class DefinitionModel
{
    public required Dictionary<string, object?> Initial { get; init; }

    public required Dictionary<string, ModelAssignment[]> On { get; init; }

    public required string Otherwise { get; init; }

    public required bool IsStrict { get; init; }

    public required (ExpressionModel Rule, string Message)[] Invariants { get; init; }

    public required ModelUpcast[] Upcasts { get; init; }

    public required string? DefaultForKind { get; init; }

    public bool FoldsBeforeAppend => IsStrict || Invariants.Length > 0 || Otherwise is "reject";

    public string ToJson()
    {
        var body = new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["initial"] = Initial,
            ["on"] = On.ToDictionary(rule => rule.Key, rule => (object?)Texts(rule.Value), StringComparer.Ordinal),
            ["otherwise"] = Otherwise,
            ["strict"] = IsStrict,
            ["invariants"] = Invariants.Select(i => (object?)Map(("rule", i.Rule.Text), ("message", i.Message))).ToList(),
            ["upcast"] = Upcasts.Select(u => (object?)Map(
                ("type", u.Type), ("from", (decimal)u.From), ("to", (decimal)u.To), ("set", Texts(u.Set)), ("remove", u.Remove.ToList<object?>()))).ToList(),
        };
        if (DefaultForKind is not null) body["defaultForKind"] = DefaultForKind;
        return PlainJson.Text(body);
    }

    /// <param name="definition">Null folds by default merge.</param>
    /// <param name="events">Those that belong to the aggregate, with their seqs.</param>
    public static ModelFold Fold(DefinitionModel? definition, IEnumerable<(long Seq, ModelEvent Event)> events, ModelDefects defects)
    {
        object? state = definition?.Initial ?? [];
        var hasEvents = false;
        foreach (var (seq, e) in events)
        {
            hasEvents = true;
            if (definition is null) state = MergePatch(state, PlainJson.Parse(e.Payload));
            else if (!definition.TryApply(seq, e, defects, ref state)) return new ModelFold(null, seq);
        }

        return new ModelFold(state, 0, hasEvents);
    }

    private bool TryApply(long seq, ModelEvent e, ModelDefects defects, ref object? state)
    {
        var isNamed = On.TryGetValue(e.Type, out var rule);
        if (!isNamed || defects.HasFlag(ModelDefects.StarComesFirst)) rule = On.GetValueOrDefault("*", rule!);
        if (rule is null && Otherwise is "reject") return false;
        if (rule is null && Otherwise is "ignore") return true;
        var payload = PlainJson.Parse(e.Payload);
        var version = e.SchemaVersion;
        if (!TryUpcast(seq, e.Type, ref payload, ref version, defects)) return false;
        if (rule is null)
        {
            state = MergePatch(state, payload);
            return true;
        }

        return TryAssign(rule, new ModelScope(state, payload, seq, e.Type, version), defects, ref state);
    }

    private bool TryUpcast(long seq, string type, ref object? payload, ref int version, ModelDefects defects)
    {
        var current = version;
        while (Array.Find(Upcasts, u => u.Type == type && u.From == current) is { } upcast)
        {
            var times = defects.HasFlag(ModelDefects.UpcastsTwice) ? 2 : 1;
            for (var i = 0; i < times; i++)
            {
                if (payload is not Dictionary<string, object?> before) return false;
                var values = upcast.Set.Select(set => set.Value.Value(new ModelScope(null, before, seq, type, current))).ToList();
                if (values.Exists(ExpressionModel.IsError)) return false;
                var after = new Dictionary<string, object?>(before, StringComparer.Ordinal);
                foreach (var name in upcast.Remove) after.Remove(name);
                for (var j = 0; j < values.Count; j++) after[upcast.Set[j].Member] = values[j];
                payload = after;
            }

            version = current = upcast.To;
            if (defects.HasFlag(ModelDefects.UpcastsOnce)) break;
        }

        return true;
    }

    private static bool TryAssign(ModelAssignment[] rule, ModelScope scope, ModelDefects defects, ref object? state)
    {
        var values = new object?[rule.Length];
        var after = state is Dictionary<string, object?> map ? new Dictionary<string, object?>(map, StringComparer.Ordinal) : null;
        for (var i = 0; i < rule.Length; i++)
        {
            values[i] = rule[i].Value.Value(defects.HasFlag(ModelDefects.AssignsOneByOne) ? scope with { State = after } : scope);
            if (ExpressionModel.IsError(values[i]) || after is null) return false;
            if (defects.HasFlag(ModelDefects.AssignsOneByOne)) after[rule[i].Member] = values[i];
        }

        if (after is null) return false;
        for (var i = 0; i < rule.Length; i++) after[rule[i].Member] = values[i];
        state = after;
        return true;
    }

    /// <summary>RFC 7396, section 2.</summary>
    private static object? MergePatch(object? target, object? patch)
    {
        if (patch is not Dictionary<string, object?> members) return patch;
        var result = target is Dictionary<string, object?> map ? new Dictionary<string, object?>(map, StringComparer.Ordinal) : [];
        foreach (var (name, value) in members)
        {
            if (value is null) result.Remove(name);
            else result[name] = MergePatch(result.GetValueOrDefault(name), value);
        }

        return result;
    }

    private static Dictionary<string, object?> Texts(ModelAssignment[] assignments) =>
        assignments.ToDictionary(a => a.Member, a => (object?)a.Value.Text, StringComparer.Ordinal);

    private static Dictionary<string, object?> Map(params (string Name, object? Value)[] members) =>
        members.ToDictionary(m => m.Name, m => m.Value, StringComparer.Ordinal);
}

/// <summary>Defects that the comparison must notice, put into the model: a model with one must soon disagree with the service.</summary>
[Flags]
internal enum ModelDefects
{
    None = 0,

    /// <summary>Invariants are judged after each event of an append instead of after all of it.</summary>
    JudgesEachEvent = 1,

    /// <summary>An upcast is applied to what it made.</summary>
    UpcastsTwice = 2,

    /// <summary>Only the first upcast of a chain is applied.</summary>
    UpcastsOnce = 4,

    /// <summary>A right-hand side sees what the one before it assigned.</summary>
    AssignsOneByOne = 8,

    /// <summary><c>*</c> is taken for types that have a rule of their own.</summary>
    StarComesFirst = 16,

    /// <summary>What a refused append would have made stays behind, to be judged on by the next one.</summary>
    KeepsRefused = 32,

    /// <summary>States go on by the definition they were begun with.</summary>
    KeepsTheOldDefinition = 64,

    /// <summary><c>expect.when</c> sees the state after the append.</summary>
    JudgesConditionAfterwards = 128,
}
