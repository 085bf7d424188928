using Warp.Http.Aggregates;

namespace Warp.Http.Entities;

/// <summary>A folded state as it is answered; immutable.</summary>
public sealed class StateSnapshot
{
    /// <summary>The entity's seq that it is of.</summary>
    public required long Seq { get; init; }

    /// <summary>Null where the state folds by default merge.</summary>
    public required int? DefinitionVersion { get; init; }

    /// <summary><c>"seq.life.definitionVersion"</c>, with the quotes.</summary>
    public required string ETag { get; init; }

    /// <summary>The state alone, UTF-8 JSON.</summary>
    public required ReadOnlyMemory<byte> State { get; init; }

    /// <summary>The whole answer of <c>GET …/aggregates/{aggregate}</c>, UTF-8 JSON.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>The seq at which its fold began: 0, or that of a stored state.</summary>
    internal long BeganAt { get; init; }

    /// <summary>What it keeps in memory, about: <see cref="State"/> is a part of <see cref="Body"/>.</summary>
    internal long Bytes => 96 + (2 * ETag.Length) + Body.Length;

    /// <summary>The definitions it was folded under: after any change it is folded, or at least looked at, again.</summary>
    internal AggregateSet? Definitions { get; init; }
}

public enum StateStatus
{
    Found,
    NoSuchAggregate,
    FoldFailed,
    BeyondLastSeq,
    Erased,
}

/// <summary>A state, or why there is none.</summary>
/// <param name="Failure">FoldFailed: seq, expression, line, column, message.</param>
public readonly record struct StateResult(StateStatus Status, StateSnapshot? Snapshot = null, FoldFailure? Failure = null)
{
    internal static StateResult Of(FoldFailure failure) => new(StateStatus.FoldFailed, null, failure);
}
