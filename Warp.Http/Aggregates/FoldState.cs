using System.Buffers;
using System.Text.Json;
using Warp.Http.Aggregates.Expressions;
using Warp.Http.Aggregates.Values;
using Warp.Http.Events;

namespace Warp.Http.Aggregates;

/// <summary>The state of one aggregate of one entity, brought forward event by event.</summary>
/// <remarks>
/// One thread at a time. What a state shares with its <see cref="Clone">clones</see> is never written to: the owner object says which maps
/// are this state's alone, and taking a new one gives them all up at once. That makes a clone cheap enough to keep one for each append
/// in flight.
/// </remarks>
public sealed partial class FoldState
{
    /// <summary>Bytes of this object, its owner and the root's slot.</summary>
    private const int HeaderBytes = 120;

    private readonly AggregateDefinition? _definition;
    private readonly EntityName _entity;
    private readonly Life _life;
    private MapOwner _owner = new();
    private JsonValue _root;
    private long _work; // of former owners, and of expressions

    private FoldState(AggregateDefinition? definition, EntityName entity, Life life, JsonValue root, long seq)
    {
        _definition = definition;
        _entity = entity;
        _life = life;
        _root = root;
        Seq = seq;
    }

    /// <summary>The last event that was applied, whether or not it changed anything; 0 for none.</summary>
    public long Seq { get; private set; }

    /// <summary>Null where the state folds by merging payloads (RFC 7396) over <c>{}</c>.</summary>
    public AggregateDefinition? Definition => _definition;

    /// <summary>Bytes in memory, about; parts shared with clones are counted by each.</summary>
    public long SizeEstimate => HeaderBytes + _root.Weight;

    /// <summary>What folding has cost besides the events' number and bytes, in steps: those of expressions, and members of maps that were copied.</summary>
    public long Work => _work + _owner.Copied;

    /// <summary>The state before the first event.</summary>
    /// <param name="definition">Null folds by default merge.</param>
    public static FoldState Create(AggregateDefinition? definition, EntityName entity, Life life) =>
        new(definition, entity, life, JsonValue.Of(definition?.Initial ?? JsonMap.Empty), 0);

    /// <summary>A state as it was rendered after the event with that seq, by the same version of the definition.</summary>
    /// <exception cref="JsonException">The bytes are not JSON.</exception>
    public static FoldState Restore(AggregateDefinition? definition, EntityName entity, Life life, long seq, ReadOnlySpan<byte> rendered) =>
        new(definition, entity, life, JsonParser.Parse(rendered, FoldLimits.ValueDepth), seq);

    /// <summary>A state that goes on by itself from here; costs one small object.</summary>
    public FoldState Clone()
    {
        GiveUpMaps();
        return new FoldState(_definition, _entity, _life, _root, Seq);
    }

    /// <summary>Writes the state as UTF-8 JSON without white space.</summary>
    public void Render(IBufferWriter<byte> writer) => JsonRenderer.Render(writer, _root);

    /// <summary>Folds one event of this aggregate in. The caller feeds them in order of seq and only those that belong here.</summary>
    /// <returns>Null, or why the event doesn't fold; then the state is as it was before.</returns>
    public FoldFailure? Apply(in RecordedEvent e)
    {
        try
        {
            var failure = _definition is null
                ? Merge(e.Seq, JsonParser.Parse(e.Fields.Payload, FoldLimits.ValueDepth))
                : ApplyDefined(_definition, e);
            if (failure is null) Seq = e.Seq;
            return failure;
        }
        catch (JsonException)
        {
            // Payloads are checked when they come in: only a damaged record, which checksums find first, gets here.
            return FoldFailure.OfEvent(e.Seq, "The payload or the metadata is not JSON.");
        }
    }

    /// <summary>Judges the definition's invariants, in their order, on the state as it is.</summary>
    /// <param name="seq">The entity's last seq, that of the append's last event.</param>
    /// <param name="violation">The first that doesn't hold.</param>
    /// <param name="failure">Set if one can't be judged.</param>
    /// <returns>True if all hold; else either violation or failure is set.</returns>
    public bool TryCheckInvariants(long seq, out InvariantViolation? violation, out FoldFailure? failure)
    {
        violation = null;
        failure = null;
        if (_definition is null) return true;
        foreach (var invariant in _definition.Invariants)
        {
            if (!invariant.Rule.TryEvaluate(this, seq, out var holds, out failure)) return false;
            if (holds) continue;
            violation = new InvariantViolation(invariant.Rule.Text, invariant.Message, seq);
            return false;
        }

        return true;
    }

    /// <summary>From now on somebody else may see the maps there are: each is copied before it is changed.</summary>
    private void GiveUpMaps()
    {
        _work += _owner.Copied;
        _owner = new MapOwner();
    }

    /// <summary>An evaluation over this state, of which only state and entity are seen.</summary>
    internal Evaluation Evaluate(long seq) => new()
    {
        State = _root,
        Entity = _entity,
        Life = _life,
        Seq = seq,
        Steps = FoldLimits.Steps,
    };
}

/// <summary>An invariant that the state breaks: the problem <c>invariant-violated</c>.</summary>
/// <param name="Rule">The rule's expression.</param>
/// <param name="Message">The definition's words for it.</param>
/// <param name="Seq">The last event of the append that was judged.</param>
public sealed record InvariantViolation(string Rule, string Message, long Seq);
