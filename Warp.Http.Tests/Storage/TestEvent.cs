using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Tests.Storage;

/// <summary>An event as a caller sends it.</summary>
internal sealed record TestEvent(
    string Type, string Payload = "{}", string? Id = null, string? Aggregate = null, int SchemaVersion = 1, string? Metadata = null,
    string? OccurredAt = null);

internal sealed record TestAppend(
    string Entity, TestEvent[] Events, ExpectedSeq Expect = default, string? Key = null, AppendCondition? When = null,
    bool Recreate = false)
{
    public AppendCommand ToCommand()
    {
        var command = AppendCommand.Rent();
        command.SetEntity(Encoding.UTF8.GetBytes(Entity));
        if (Key is not null) command.SetIdempotencyKey(Encoding.ASCII.GetBytes(Key));
        command.Expect = Expect;
        command.When = When;
        command.Recreate = Recreate;
        foreach (var e in Events)
        {
            command.Events.Add(new EventFields
            {
                Type = Encoding.UTF8.GetBytes(e.Type),
                Payload = Encoding.UTF8.GetBytes(e.Payload),
                Id = Encoding.UTF8.GetBytes(e.Id ?? ""),
                Aggregate = Encoding.UTF8.GetBytes(e.Aggregate ?? ""),
                SchemaVersion = e.SchemaVersion,
                Metadata = Encoding.UTF8.GetBytes(e.Metadata ?? ""),
                OccurredAt = Encoding.UTF8.GetBytes(e.OccurredAt ?? ""),
            });
        }

        command.Events.Seal();
        return command;
    }
}

/// <summary>An event as it was read back.</summary>
internal sealed record StoredEvent(
    long Seq, string Id, string Type, string Payload, string Aggregate, int SchemaVersion, string Metadata, string OccurredAt,
    long RecordedAtMs)
{
    public static StoredEvent Of(in RecordedEvent recorded, Life life)
    {
        var e = recorded.Fields;
        using var id = JsonBuffer.Rent();
        EventJson.WriteId(id, e.Id, recorded.IdempotencyKey, recorded.IndexInAppend, life, recorded.Seq);
        return new StoredEvent(
            recorded.Seq, Encoding.UTF8.GetString(id.Written).Trim('"'), Text(e.Type), Text(e.Payload), Text(e.Aggregate), e.SchemaVersion,
            Text(e.Metadata), Text(e.OccurredAt), recorded.RecordedAtMs);

        static string Text(ReadOnlySpan<byte> utf8) => Encoding.UTF8.GetString(utf8);
    }
}
