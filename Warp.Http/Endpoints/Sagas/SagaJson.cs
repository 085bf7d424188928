using System.Text;
using Warp.Http.Events;
using Warp.Http.Sagas;

namespace Warp.Http.Endpoints;

/// <summary>A saga as clients see it. Whose party is erased shows what was done, and not to whom.</summary>
internal sealed class SagaJson(SagaService sagas)
{
    private const string Gone = "(erased with its party)";

    private static readonly string[] s_statuses = [.. Enum.GetNames<StepStatus>().Select(name => name.ToUpperInvariant())];

    public void Write(JsonBuffer json, SagaState saga)
    {
        json.Raw("{\"sagaId\":"u8);
        json.Text(saga.Id);
        json.Raw(",\"resultType\":"u8);
        json.Text(LogFormat.NameOf(saga.Result));
        json.Raw(",\"steps\":["u8);
        for (var i = 0; i < saga.Steps.Length; i++)
        {
            if (i > 0) json.Raw((byte)',');
            WriteStep(json, saga, i);
        }

        json.Raw((byte)']');
        if (saga.Resolution is { } resolution)
        {
            json.Raw(",\"resolution\":{\"note\":"u8);
            json.Text(resolution.Note);
            json.Raw(",\"at\":"u8);
            json.Time(resolution.AtMs);
            json.Raw((byte)'}');
        }

        json.Raw((byte)'}');
    }

    /// <summary>A step as its entity's export shows it: what was done to that entity, and nothing of the others.</summary>
    public static void WriteExported(JsonBuffer json, SagaState saga, KeptStep kept)
    {
        var step = saga.Steps[kept.Number];
        json.Raw("{\"saga\":"u8);
        json.Text(saga.Id);
        json.Raw(",\"step\":"u8);
        json.Number(kept.Number);
        json.Raw(",\"resultType\":"u8);
        json.Text(LogFormat.NameOf(saga.Result));
        json.Raw(",\"status\":"u8);
        json.Text(s_statuses[(int)step.Status]);
        json.Raw(",\"seq\":"u8);
        if (step.Seq > 0) json.Number(step.Seq);
        else json.Raw("null"u8);
        kept.Step.WriteContent(json);
        json.Raw((byte)'}');
    }

    private void WriteStep(JsonBuffer json, SagaState saga, int number)
    {
        var step = saga.Steps[number];
        if (step.Content is { } content && !sagas.Parties.IsErased(step.Party))
        {
            json.Raw("{\"entity\":"u8);
            json.Text(content.Entity.Span);
        }
        else
        {
            json.Raw("{\"entity\":null,\"erased\":true"u8);
        }

        json.Raw(",\"status\":"u8);
        json.Text(s_statuses[(int)step.Status]);
        json.Raw(",\"seq\":"u8);
        if (step.Seq > 0) json.Number(step.Seq);
        else json.Raw("null"u8);
        if (step.Refusal is { } refusal)
        {
            json.Raw(",\"problem\":"u8);
            ProblemWriter.WritePast(json, ProblemOf(saga.Id, number, step, refusal), $"/v1/sagas/{saga.Id}");
        }

        json.Raw((byte)'}');
    }

    /// <summary>What the append would have got, had it been sent by itself. What the log leaves out is taken from the step, as long as that is there.</summary>
    private Problem ProblemOf(string sagaId, int number, StepState step, in AppendOutcome refusal)
    {
        switch (refusal.Status)
        {
            case AppendStatus.Erased:
                return Problems.EntityErased(sagas.Parties.FindErasure(step.Party));
            case AppendStatus.ConditionFalse:
                return ProblemMapping.Of(refusal with { Detail = step.Content?.ExpectWhen ?? Gone }, default)!;
            case AppendStatus.EventIdConflict or AppendStatus.ReservedEventId:
                Span<byte> id = stackalloc byte[36];
                var length = SagaIds.WriteEventId(id, sagaId, number, isCompensation: step.Status == StepStatus.Stuck);
                return ProblemMapping.Of(refusal with { Detail = Encoding.ASCII.GetString(id[..length]) }, default)!;
            default:
                return ProblemMapping.Of(refusal, new ExpectedSeq(step.Content?.ExpectSeq))!;
        }
    }
}
