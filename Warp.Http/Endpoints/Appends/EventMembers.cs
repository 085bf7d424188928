using System.Text.Json;

namespace Warp.Http.Endpoints;

/// <summary>The member names an append's JSON may have, as bits: which are allowed here, which were seen already.</summary>
[Flags]
internal enum EventMembers
{
    None = 0,
    Type = 1,
    Payload = 2,
    Aggregate = 4,
    SchemaVersion = 8,
    Id = 16,
    Metadata = 32,
    OccurredAt = 64,
    Events = 128,
    Expect = 256,
    Entity = 512,

    OfEvent = Type | Payload | Aggregate | SchemaVersion | Id | Metadata | OccurredAt,
    OfBatch = Events | Expect,
}

internal static class EventMember
{
    /// <summary>The member whose name the reader stands on; <see cref="EventMembers.None"/> if it is none of ours.</summary>
    public static EventMembers Of(ref Utf8JsonReader reader)
    {
        if (reader.ValueIsEscaped) return OfEscaped(ref reader);
        var name = reader.ValueSpan;
        return name.Length switch
        {
            2 when name.SequenceEqual("id"u8) => EventMembers.Id,
            4 when name.SequenceEqual("type"u8) => EventMembers.Type,
            6 when name.SequenceEqual("entity"u8) => EventMembers.Entity,
            6 when name.SequenceEqual("events"u8) => EventMembers.Events,
            6 when name.SequenceEqual("expect"u8) => EventMembers.Expect,
            7 when name.SequenceEqual("payload"u8) => EventMembers.Payload,
            8 when name.SequenceEqual("metadata"u8) => EventMembers.Metadata,
            9 when name.SequenceEqual("aggregate"u8) => EventMembers.Aggregate,
            10 when name.SequenceEqual("occurredAt"u8) => EventMembers.OccurredAt,
            13 when name.SequenceEqual("schemaVersion"u8) => EventMembers.SchemaVersion,
            _ => EventMembers.None,
        };
    }

    /// <summary>A name written with escapes is the same name, so it must not pass as unknown, nor as a second one.</summary>
    private static EventMembers OfEscaped(ref Utf8JsonReader reader)
    {
        if (reader.ValueTextEquals("id"u8)) return EventMembers.Id;
        if (reader.ValueTextEquals("type"u8)) return EventMembers.Type;
        if (reader.ValueTextEquals("entity"u8)) return EventMembers.Entity;
        if (reader.ValueTextEquals("events"u8)) return EventMembers.Events;
        if (reader.ValueTextEquals("expect"u8)) return EventMembers.Expect;
        if (reader.ValueTextEquals("payload"u8)) return EventMembers.Payload;
        if (reader.ValueTextEquals("metadata"u8)) return EventMembers.Metadata;
        if (reader.ValueTextEquals("aggregate"u8)) return EventMembers.Aggregate;
        if (reader.ValueTextEquals("occurredAt"u8)) return EventMembers.OccurredAt;
        return reader.ValueTextEquals("schemaVersion"u8) ? EventMembers.SchemaVersion : EventMembers.None;
    }
}
