namespace Warp.Http.Aggregates.Expressions;

/// <content>Names: roots and their fields, variables, functions, macros. And the parser's small tools.</content>
internal sealed partial class Parser
{
    private static readonly Dictionary<string, RootField> EventFields = new(StringComparer.Ordinal)
    {
        ["id"] = RootField.EventId,
        ["seq"] = RootField.EventSeq,
        ["type"] = RootField.EventType,
        ["schemaVersion"] = RootField.EventSchemaVersion,
        ["recordedAt"] = RootField.EventRecordedAt,
        ["occurredAt"] = RootField.EventOccurredAt,
        ["metadata"] = RootField.EventMetadata,
    };

    private static readonly Dictionary<string, RootField> EntityFields = new(StringComparer.Ordinal)
    {
        ["kind"] = RootField.EntityKind,
        ["id"] = RootField.EntityId,
        ["seq"] = RootField.EntitySeq,
    };

    private Node Root(Token name)
    {
        // The innermost macro's variable is the one meant.
        var variable = _variables.LastIndexOf(name.Text);
        if (variable >= 0) return new VariableNode(name, variable);
        switch (name.Text)
        {
            case "state" when Sees(ExpressionScope.State):
                return new StateNode(name);
            case "payload" when Sees(ExpressionScope.Payload):
                return Payload(name);
            case "event" when Sees(ExpressionScope.Event):
                return Fields(name, EventFields);
            case "entity" when Sees(ExpressionScope.Entity):
                return Fields(name, EntityFields);
            case "state" or "payload" or "event" or "entity":
                throw Error(name, $"'{name.Text}' can't be used here, only {Roots()}.");
            default:
                throw Error(name, $"There is no '{name.Text}'; an expression begins with {Roots()}, a value or a function.");
        }
    }

    private bool Sees(ExpressionScope root) => (compilation.Scope & root) != 0;

    private string Roots()
    {
        var roots = Enum.GetValues<ExpressionScope>().Where(root => int.PopCount((int)root) == 1 && Sees(root));
        return string.Join(", ", roots.Select(root => root.ToString().ToLowerInvariant()));
    }

    /// <summary>The payload as a whole, unless a member of it is chosen at once.</summary>
    private Node Payload(Token name)
    {
        if (TryTakeMemberName(out var at, out var member))
        {
            var utf8 = compilation.Names.Get(member);
            return new PayloadMemberNode(at, utf8, compilation.Payload.SlotOf(utf8));
        }

        compilation.Payload.IsWhole = true;
        return new PayloadNode(name);
    }

    private Node Fields(Token name, Dictionary<string, RootField> fields)
    {
        if (!TryTakeMemberName(out var at, out var member))
            return new RootMapNode(name, [.. fields.Select(field =>
                (compilation.Names.Get(field.Key), new RootFieldNode(name, field.Value)))]);
        if (fields.TryGetValue(member, out var found)) return new RootFieldNode(at, found);
        throw Error(at, $"'{name.Text}' has no '{member}', only {string.Join(", ", fields.Keys)}.");
    }

    /// <summary>Takes <c>.name</c> or <c>["name"]</c>, but not <c>.name(</c>, which is a call.</summary>
    private bool TryTakeMemberName(out Token at, out string name)
    {
        at = Current;
        name = string.Empty;
        if (at.Is(".") && tokens[_at + 1].Kind == TokenKind.Name && !tokens[_at + 2].Is("("))
        {
            at = tokens[_at + 1];
            name = at.Text;
            _at += 2;
            return true;
        }

        if (!at.Is("[") || tokens[_at + 1] is not { Kind: TokenKind.Literal, Value.Kind: Values.JsonKind.Text } literal || !tokens[_at + 2].Is("]"))
            return false;
        name = literal.Value.GetString();
        _at += 3;
        return true;
    }

    private SelectionNode Member(Token at, Node target, string name)
    {
        var utf8 = compilation.Names.Get(name);
        return target is StateNode ? new StateMemberNode(at, utf8) : new MemberNode(at, target, utf8);
    }

    private Node ParseCall(Token name)
    {
        if (Macros.IsTest(name.Text)) return ParseHas(name);
        return Call(name, FunctionForms.Global, ParseArguments());
    }

    private Node ParseMethod(Token name, Node target)
    {
        if (Macros.Find(name.Text, FollowsVariable()) is { } macro) return ParseMacro(name, target, macro);
        return Call(name, FunctionForms.Method, [target, .. ParseArguments()]);
    }

    private static CallNode Call(Token name, FunctionForms form, List<Node> arguments)
    {
        if (!Functions.All.TryGetValue(name.Text, out var function)) throw Error(name, $"There is no function '{name.Text}'.");
        if ((function.Forms & form) == 0)
        {
            var rightForm = form == FunctionForms.Global ? $"on a value: value.{name.Text}(…)" : $"as {name.Text}(…)";
            throw Error(name, $"'{name.Text}' is called {rightForm}.");
        }

        if (arguments.Count < function.ArgumentsMin || arguments.Count > function.ArgumentsMax)
        {
            var own = form == FunctionForms.Method ? 1 : 0;
            var most = function.ArgumentsMax == function.ArgumentsMin ? string.Empty : $" to {function.ArgumentsMax - own}";
            var noun = function.ArgumentsMax - own == 1 ? "argument" : "arguments";
            throw Error(name, $"'{name.Text}' takes {function.ArgumentsMin - own}{most} {noun} here, not {arguments.Count - own}.");
        }

        return Checked(new CallNode(name, function, [.. arguments]), name);
    }

    private List<Node> ParseArguments()
    {
        var arguments = new List<Node>();
        if (TryTake(")")) return arguments;
        while (true)
        {
            arguments.Add(ParseExpression());
            if (TryTake(")")) return arguments;
            Take(",", "',' or ')' after an argument");
        }
    }

    private HasNode ParseHas(Token name)
    {
        var argument = ParseExpression();
        Take(")", "')' after the argument of has");
        if (argument is not SelectionNode selection) throw Error(name, "has() asks for a member or an item, as in has(state.balance).");
        return Checked(new HasNode(name, selection), name);
    }

    /// <summary>True before <c>name,</c>: a macro's first argument is the name of its variable.</summary>
    private bool FollowsVariable() => Current.Kind == TokenKind.Name && tokens[_at + 1].Is(",");

    private MacroNode ParseMacro(Token name, Node target, MacroKind kind)
    {
        var variable = TakeName("the name of a variable");
        if (variable.Text is "state" or "payload" or "event" or "entity")
            throw Error(variable, $"'{variable.Text}' can't be the name of a variable.");
        if (_variables.Count == FoldLimits.Variables)
            throw Error(name, $"More than {FoldLimits.Variables} macros stand within each other.");
        Take(",", "',' after the variable");
        _variables.Add(variable.Text);
        var body = ParseExpression();
        Node? filter = null;
        if (kind == MacroKind.Map && TryTake(","))
        {
            filter = body;
            body = ParseExpression();
        }

        _variables.RemoveAt(_variables.Count - 1);
        Take(")", $"')' after the arguments of {name.Text}");
        return Checked(new MacroNode(name, kind, target, _variables.Count, filter, body), name);
    }

    private void Enter()
    {
        if (++_depth > FoldLimits.SourceDepth) throw Error(Current, $"The expression is nested deeper than {FoldLimits.SourceDepth}.");
    }

    private static T Checked<T>(T node, in Token at)
        where T : Node =>
        node.Depth <= FoldLimits.TreeDepth
            ? node
            : throw Error(at, $"The expression has more than {FoldLimits.TreeDepth} operations upon each other.");

    private bool TryTake(string sign)
    {
        if (!Current.Is(sign)) return false;
        _at++;
        return true;
    }

    private void Take(string sign, string expected)
    {
        if (!TryTake(sign)) throw Unexpected(expected);
    }

    private Token TakeName(string expected)
    {
        if (Current.Kind != TokenKind.Name) throw Unexpected(expected);
        return tokens[_at++];
    }

    private ExpressionSyntaxException Unexpected(string expected) => Error(Current, $"Expected {expected}, found {Current.Shown}.");

    private static ExpressionSyntaxException Error(in Token at, string message) => new(at.Line, at.Column, message);
}
