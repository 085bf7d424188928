namespace Warp.Http.Aggregates.Expressions;

/// <summary>Which roots an expression sees.</summary>
[Flags]
public enum ExpressionScope
{
    None = 0,
    State = 1,
    Payload = 2,
    Event = 4,
    Entity = 8,

    /// <summary>The right-hand sides of <c>on</c>.</summary>
    Fold = State | Payload | Event | Entity,

    /// <summary>Rules over a state: invariants and <c>expect.when</c>.</summary>
    Rule = State | Entity,

    /// <summary>The right-hand sides of <c>upcast</c>: an event becomes its newer version whatever the state.</summary>
    Upcast = Payload | Event,
}
