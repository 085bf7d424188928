using System.Buffers;
using System.Text.Json;
using Warp.Http.Aggregates.Values;
using Warp.Http.Events;

namespace Warp.Http.Aggregates;

/// <summary>Brings single events to their newest version, for history that asks for it.</summary>
public static class Upcasting
{
    /// <summary>Writes the event's payload in its newest version.</summary>
    /// <param name="definition">The aggregate that the event belongs to.</param>
    /// <param name="payload">Takes the payload as UTF-8 JSON; nothing is written unless the answer is true.</param>
    /// <param name="schemaVersion">The version after the upcasts.</param>
    /// <param name="failure">Set if an upcast fails; the event is then shown as it is stored, or refused.</param>
    /// <returns>False if the event stays as it is: no upcast starts from its version, or one fails.</returns>
    public static bool TryUpcast(
        AggregateDefinition definition,
        in RecordedEvent e,
        EntityName entity,
        Life life,
        IBufferWriter<byte> payload,
        out int schemaVersion,
        out FoldFailure? failure)
    {
        failure = null;
        schemaVersion = e.Fields.SchemaVersion;
        if (definition.Upcaster.Find(e.Fields.Type, schemaVersion) is not { } first) return false;
        try
        {
            var evaluation = FoldState.Create(definition: null, entity, life).Evaluate(e.Seq);
            evaluation.Event = e;
            var value = JsonParser.Parse(e.Fields.Payload, FoldLimits.ValueDepth);
            failure = definition.Upcaster.Apply(first, ref evaluation, ref value, ref schemaVersion);
            if (failure is not null)
            {
                schemaVersion = e.Fields.SchemaVersion;
                return false;
            }

            JsonRenderer.Render(payload, value);
            return true;
        }
        catch (JsonException)
        {
            failure = FoldFailure.OfEvent(e.Seq, "The payload or the metadata is not JSON.");
            return false;
        }
    }
}
