namespace Warp.Http.Aggregates.Values;

/// <summary>What a <see cref="JsonValue"/> is.</summary>
public enum JsonKind : byte
{
    /// <summary>No value: a member that isn't there.</summary>
    Missing = 0,
    Null,
    False,
    True,
    Number,
    Text,
    List,
    Map,

    /// <summary>An expression failed; the evaluation knows why. Never part of a list, a map or a state.</summary>
    Error,
}
