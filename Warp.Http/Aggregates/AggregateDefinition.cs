using System.IO.Hashing;
using Warp.Http.Aggregates.Values;
using Warp.Http.Events;

namespace Warp.Http.Aggregates;

/// <summary>What an aggregate does with an event whose type no rule names.</summary>
public enum Otherwise
{
    /// <summary>The state stays as it is.</summary>
    Ignore,

    /// <summary>The payload is merged into the state (RFC 7396).</summary>
    Merge,

    /// <summary>The event doesn't fold, and an append of it is refused.</summary>
    Reject,
}

/// <summary>A compiled definition of an aggregate. Immutable: any number of states fold by it at once.</summary>
public sealed class AggregateDefinition
{
    private readonly FoldRules _rules;
    private readonly Upcaster _upcaster;

    private AggregateDefinition(DefinitionParts parts, byte[] source)
    {
        Source = source;
        Fingerprint = XxHash3.HashToUInt64(source);
        Initial = parts.Initial;
        _rules = new FoldRules(parts.Rules);
        Otherwise = parts.Otherwise;
        IsStrict = parts.IsStrict;
        Invariants = parts.Invariants;
        _upcaster = new Upcaster(parts.Upcasts);
        DefaultForKind = parts.DefaultForKind;
    }

    /// <summary>The body as it was sent, UTF-8 JSON.</summary>
    public ReadOnlyMemory<byte> Source { get; }

    /// <summary>A hash of the body: a state that was stored under another does not fold on under this.</summary>
    public ulong Fingerprint { get; }

    /// <summary>The state before the first event.</summary>
    public JsonMap Initial { get; }

    public Otherwise Otherwise { get; }

    /// <summary>True if an event that doesn't fold is refused even where no invariant asks.</summary>
    public bool IsStrict { get; }

    public IReadOnlyList<Invariant> Invariants { get; }

    /// <summary>The kind whose events belong to this aggregate when they name none; null for no kind.</summary>
    public string? DefaultForKind { get; }

    /// <summary>
    /// True if an append has to be folded, and then judged with <see cref="FoldState.TryCheckInvariants"/>, before it is accepted: the
    /// definition is strict, has invariants, or rejects types it doesn't name. A failure to fold then refuses the append.
    /// </summary>
    public bool FoldsBeforeAppend => IsStrict || Invariants.Count > 0 || Otherwise == Otherwise.Reject;

    internal Upcaster Upcaster => _upcaster;

    /// <summary>The rule for a type, the one for <c>*</c>, or null if <see cref="Otherwise"/> decides.</summary>
    internal FoldRule? FindRule(ReadOnlySpan<byte> type) => _rules.Find(type);

    /// <summary>Reads the body of <c>PUT /v1/aggregates/{name}</c> and compiles every expression in it.</summary>
    /// <param name="body">UTF-8 JSON; copied.</param>
    /// <param name="errors">Everything that is wrong with it; empty on success.</param>
    /// <returns>Null if there are errors.</returns>
    public static AggregateDefinition? Parse(ReadOnlySpan<byte> body, Limits limits, out IReadOnlyList<DefinitionError> errors)
    {
        var source = body.ToArray();
        var reader = new DefinitionReader(limits);
        var parts = reader.Read(source);
        errors = reader.Errors;
        return reader.Errors.Count == 0 ? new AggregateDefinition(parts, source) : null;
    }
}

/// <summary>One thing that is wrong with a definition.</summary>
/// <param name="Path">Where in the body, as in <c>$.on.Credited.balance</c>.</param>
/// <param name="Message">What was expected and what was found, in one sentence.</param>
/// <param name="Expression">The expression's text if it is one that is wrong.</param>
/// <param name="Line">Line in the expression, from 1; 0 without one.</param>
/// <param name="Column">Column in that line, from 1; 0 without one.</param>
public sealed record DefinitionError(string Path, string Message, string? Expression = null, int Line = 0, int Column = 0)
{
    /// <summary>True for a member that is given twice: then it is the body that is wrong, whatever it defines.</summary>
    public bool IsRepetition { get; init; }

    public override string ToString() => Expression is null ? Message : $"Line {Line}, column {Column}: {Message}";
}

/// <summary>A rule that the state must keep, as data.</summary>
public sealed record Invariant(Condition Rule, string Message);
