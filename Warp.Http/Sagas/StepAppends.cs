using System.Buffers.Text;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Sagas;

/// <summary>Sends the actions and compensations of steps, each under the id that follows from saga, step and direction.</summary>
internal sealed class StepAppends(SagaAppends appends, ConditionCache conditions)
{
    /// <summary>No entity has as many events: with it, an action that is stored answers as a replay, and one that is not is refused.</summary>
    private static readonly ExpectedSeq s_impossible = new(long.MaxValue);

    public ValueTask<AppendOutcome> SendActionAsync(string sagaId, int number, StepState step)
    {
        var command = CommandOf(sagaId, number, step, isCompensation: false);
        if (step.Content!.ExpectSeq is { } seq) command.Expect = new ExpectedSeq(seq);
        if (step.Content.ExpectWhen is { } when)
        {
            // It was compiled before the saga was accepted.
            if (!conditions.TryGet(when, out var condition, out var error)) throw new InvalidDataException($"A saga's condition does not compile any more: {error}");
            command.When = new AppendCondition(condition!, step.Content.ExpectAggregate);
        }

        return appends.SendAsync(command);
    }

    /// <summary>Asks whether the action is stored, and stores nothing.</summary>
    public ValueTask<AppendOutcome> FindActionAsync(string sagaId, int number, StepState step)
    {
        var command = CommandOf(sagaId, number, step, isCompensation: false);
        command.Expect = s_impossible;
        return appends.SendAsync(command);
    }

    public ValueTask<AppendOutcome> SendCompensationAsync(string sagaId, int number, StepState step) =>
        appends.SendAsync(CommandOf(sagaId, number, step, isCompensation: true));

    private static AppendCommand CommandOf(string sagaId, int number, StepState step, bool isCompensation)
    {
        var content = step.Content!;
        var e = isCompensation ? content.Compensation!.Value : content.Action;
        Span<byte> id = stackalloc byte[36];
        id = id[..SagaIds.WriteEventId(id, sagaId, number, isCompensation)];
        Span<byte> metadata = stackalloc byte[SagaIds.CharsMax + 40];
        metadata = metadata[..WriteMetadata(metadata, sagaId, number)];
        var command = AppendCommand.Rent();
        command.SetEntity(content.Entity.Span);
        command.BoundLife = step.Party.Bound;
        command.Events.Add(new EventFields
        {
            Type = e.Type.Span,
            Aggregate = content.Aggregate.Span,
            Id = id,
            Metadata = metadata,
            Payload = e.Payload.Span,
            SchemaVersion = content.SchemaVersion,
        });
        command.Events.Seal();
        return command;
    }

    /// <summary>By which whoever reads the party's history finds the saga. An id needs no escapes.</summary>
    private static int WriteMetadata(Span<byte> destination, string sagaId, int number)
    {
        "{\"saga\":\""u8.CopyTo(destination);
        var at = 9;
        at += System.Text.Encoding.ASCII.GetBytes(sagaId, destination[at..]);
        "\",\"step\":"u8.CopyTo(destination[at..]);
        at += 9;
        Utf8Formatter.TryFormat(number, destination[at..], out var digits);
        at += digits;
        destination[at++] = (byte)'}';
        return at;
    }
}
