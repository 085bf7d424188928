using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>What is to be tried.</summary>
/// <param name="Version">Null if the definition came with the body.</param>
/// <param name="Entity">Whose history is folded first; null for none.</param>
internal sealed record TrialRequest(string Name, AggregateDefinition Definition, int? Version, byte[]? Entity);

/// <summary>Folds events by a definition, whether or not it stands, and writes the state after each.</summary>
internal sealed class Trial
{
    /// <summary>Steps that are shown. A state is shown with each, so bytes bound it, too.</summary>
    private const int StepsMax = 1_000;

    private readonly TrialRequest _request;
    private readonly JsonBuffer _json;
    private readonly byte[] _name;
    private readonly bool _ownsDefault;
    private readonly int _bytesMax;
    private int _steps;
    private long _firstHidden;

    /// <param name="actor">Null where no entity's history is folded: then the events are those of one that no store has.</param>
    public Trial(TrialRequest request, EntityActor? actor, AggregateSet definitions, Limits limits, JsonBuffer json)
    {
        _request = request;
        _json = json;
        _name = Encoding.UTF8.GetBytes(request.Name);
        _bytesMax = limits.BodyBytes;
        var claimed = request.Definition.DefaultForKind;
        var entity = actor?.Name ?? new EntityName(Encoding.UTF8.GetBytes($"{claimed ?? "sample"}/try"));

        // Alone, sample events without an aggregate are meant for this one. In a history they are its own as they would be by this definition.
        _ownsDefault = actor is null
            || (claimed is not null && Encoding.UTF8.GetBytes(claimed).AsSpan().SequenceEqual(entity.Kind))
            || definitions.OwnerOfDefault(entity.Kind, request.Name) == DefaultOwner.Own;
        State = FoldState.Create(request.Definition, entity, actor?.Life ?? new Life(0, 1));
    }

    public FoldState State { get; }

    /// <summary>The last event's, whichever aggregate it belongs to.</summary>
    public long Seq { get; private set; }

    public FoldFailure? Apply(in RecordedEvent e)
    {
        Seq = e.Seq;
        if (e.Fields.Aggregate.IsEmpty ? !_ownsDefault : !e.Fields.Aggregate.SequenceEqual(_name)) return null;
        if (State.Apply(e) is { } failure) return failure;
        if (_steps >= StepsMax || _json.Length > _bytesMax)
        {
            if (_firstHidden == 0) _firstHidden = e.Seq;
            return null;
        }

        if (_steps++ > 0) _json.Raw((byte)',');
        _json.Raw("{\"seq\":"u8);
        _json.Number(e.Seq);
        _json.Raw(",\"type\":"u8);
        _json.Text(e.Fields.Type);
        _json.Raw(",\"state\":"u8);
        State.Render(_json);
        _json.Raw((byte)'}');
        return null;
    }

    public void WriteEnd()
    {
        _json.Raw("],\"firstHiddenSeq\":"u8);
        WriteOrNull(_firstHidden == 0 ? null : _firstHidden);
        _json.Raw(",\"seq\":"u8);
        _json.Number(Seq);
        _json.Raw(",\"definitionVersion\":"u8);
        WriteOrNull(_request.Version);
        _json.Raw(",\"state\":"u8);
        State.Render(_json);
        _json.Raw((byte)'}');
    }

    private void WriteOrNull(long? number)
    {
        if (number is { } known) _json.Number(known);
        else _json.Raw("null"u8);
    }
}
