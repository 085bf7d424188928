using Warp.Http.Aggregates;

namespace Warp.Http.Entities;

/// <summary><c>expect.when</c>: a condition on a folded state.</summary>
/// <param name="Aggregate">Whose state; null = the kind's default aggregate.</param>
public sealed record AppendCondition(Condition Condition, string? Aggregate);
