using System.Collections.Frozen;
using System.Runtime.CompilerServices;
using Warp.Http.Aggregates.Values;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>How a function may be called: <c>f(x)</c>, <c>x.f()</c>, or both.</summary>
[Flags]
internal enum FunctionForms
{
    None = 0,
    Global = 1,
    Method = 2,
    Both = Global | Method,
}

/// <summary>The body of a function; a method's target is its first argument. Answers an error through the evaluation.</summary>
internal delegate JsonValue FunctionBody(ref Evaluation e, CallNode at, scoped ReadOnlySpan<JsonValue> arguments);

/// <param name="ArgumentsMin">A method's target included.</param>
internal sealed record Function(string Name, FunctionForms Forms, int ArgumentsMin, int ArgumentsMax, FunctionBody Body);

/// <summary>Every function by name. A new family of functions is a file with a list, added here.</summary>
internal static class Functions
{
    public static FrozenDictionary<string, Function> All { get; } =
        new[] { NumberFunctions.All, TextFunctions.All, PatternFunction.All, ContainerFunctions.All, TimeFunctions.All }
        .SelectMany(family => family)
        .ToFrozenDictionary(function => function.Name, StringComparer.Ordinal);
}

internal sealed class CallNode : Node
{
    private readonly Function _function;
    private readonly Node[] _arguments;

    public CallNode(Token at, Function function, Node[] arguments)
        : base(at)
    {
        _function = function;
        _arguments = Adopt(arguments);
    }

    /// <summary>What the function makes of its literal arguments and keeps; any thread may set it, always to an equal value.</summary>
    public object? Memo { get; set; }

    public string FunctionName => _function.Name;

    public Node Argument(int index) => _arguments[index];

    public override JsonValue Evaluate(ref Evaluation e)
    {
        // On the stack: a call to min or abs allocates nothing.
        Values values = default;
        for (var i = 0; i < _arguments.Length; i++)
        {
            values[i] = _arguments[i].Evaluate(ref e);
            if (values[i].IsError) return values[i];
        }

        return _function.Body(ref e, this, values[.._arguments.Length]);
    }

    /// <summary>Fails because an argument is of the wrong kind.</summary>
    public JsonValue FailArgument(ref Evaluation e, int index, string expected, in JsonValue found) =>
        e.Fail(_arguments[index], $"'{_function.Name}' takes {expected}, not {Name(found)}.");

    [InlineArray(FoldLimits.Arguments)]
    private struct Values
    {
        private JsonValue _first;
    }
}
