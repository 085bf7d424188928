using Warp.Http.Aggregates.Values;
using Warp.Http.Events;

namespace Warp.Http.Aggregates.Expressions;

/// <summary>Why a node has no value. The node carries the place.</summary>
internal sealed record EvaluationFault(Node At, string Message, bool IsMissingMember = false);

/// <summary>What one evaluation sees and may still use. Lives on the stack of the thread that folds.</summary>
/// <remarks>
/// An expression that fails gives <see cref="JsonKind.Error"/> and leaves the reason in <see cref="Fault"/>: a rejected append costs no
/// exception, and <c>&amp;&amp;</c> and <c>||</c> can pass over an error as CEL wants it.
/// </remarks>
internal ref struct Evaluation
{
    public JsonValue State;

    /// <summary>The payload's members that the rule reads, by the slots of its <see cref="PayloadPlan"/>; missing ones are
    /// missing.</summary>
    public ReadOnlySpan<JsonValue> PayloadMembers;

    /// <summary>The whole payload if the plan says so; else only its kind matters (a map, or what it is instead).</summary>
    public JsonValue Payload;

    public RecordedEvent Event;
    public Life Life;
    public EntityName? Entity;

    /// <summary>The entity's seq: of the event that is folded, or of the state that is judged.</summary>
    public long Seq;

    /// <summary>Steps left; below zero the evaluation has failed, and nothing passes over that.</summary>
    public int Steps;

    public EvaluationFault? Fault;

    private JsonValue[]? _variables;
    private JsonValue _metadata; // missing until it is read

    /// <summary>Values of the macros' variables, by depth. Made when a macro first runs.</summary>
    public JsonValue[] Variables => _variables ??= new JsonValue[FoldLimits.Variables];

    /// <summary>The event's metadata, parsed once, however often a macro's body asks for it; missing if there is none.</summary>
    public JsonValue ReadMetadata(int depthMax)
    {
        if (_metadata.IsMissing && !Event.Fields.Metadata.IsEmpty) _metadata = JsonParser.Parse(Event.Fields.Metadata, depthMax);
        return _metadata;
    }

    public JsonValue Fail(Node at, string message)
    {
        Fault = new EvaluationFault(at, message);
        return JsonValue.Error;
    }

    public JsonValue FailMissing(Node at, string message)
    {
        Fault = new EvaluationFault(at, message, IsMissingMember: true);
        return JsonValue.Error;
    }

    /// <summary>Takes steps off; false if there were too few left, and then the caller returns <see cref="Exhausted"/>.</summary>
    public bool TryCharge(long steps)
    {
        Steps = (int)Math.Max(-1, Steps - steps);
        return Steps >= 0;
    }

    /// <summary>For finding a member by a calculated name, which is hashed or compared.</summary>
    public bool TryChargeName(byte[] name) => name.Length < 64 || TryCharge(name.Length >> 6);

    public JsonValue Exhausted(Node at)
    {
        Steps = -1;
        return Fail(at, $"The expressions of one event take more than {FoldLimits.Steps} steps.");
    }

    /// <summary>A value that was made, if it is within bounds.</summary>
    public JsonValue Bounded(Node at, in JsonValue value)
    {
        if (value.Weight > FoldLimits.ValueBytes) return Fail(at, $"The value would take more than {FoldLimits.ValueBytes} bytes.");
        if (value.Depth > FoldLimits.ValueDepth) return Fail(at, $"The value would be nested deeper than {FoldLimits.ValueDepth}.");
        return value;
    }
}
