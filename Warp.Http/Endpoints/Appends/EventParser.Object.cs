using System.Buffers;
using System.Text.Json;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <content>One JSON object: an event, or at the root a batch.</content>
internal ref partial struct EventParser
{
    /// <summary>Reads from the object's start to its end; an event is added to the append.</summary>
    private bool Object(ref Utf8JsonReader reader, EventMembers allowed)
    {
        var start = (int)reader.TokenStartIndex;
        var seen = EventMembers.None;
        EventFields e = default;
        e.SchemaVersion = 1;
        _scratchUsed = 0;
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            var member = EventMember.Of(ref reader);
            if ((member & allowed) == 0) return RefuseUnknown(ref reader, member, allowed);
            if ((seen & member) != 0) return Refuse(PathOf(member), "The member is given twice.");
            seen |= member;
            reader.Read();
            if (!Member(ref reader, member, ref e)) return false;
        }

        if ((seen & EventMembers.Entity) == 0 && (allowed & EventMembers.Entity) != 0)
            return Refuse("$.entity", "The entity is missing; a line names it as in \"user/alice\".");
        if ((seen & EventMembers.OfBatch) != 0) return EndOfBatch(seen);
        if ((seen & EventMembers.Type) == 0) return Refuse(PathOf(EventMembers.Type), "The type is missing; every event has one.");
        var sentBytes = (int)reader.BytesConsumed - start;
        if (sentBytes > _limits.EventBytes)
        {
            _problem = Problems.PayloadTooLarge("The event's length in bytes", "eventBytes", _limits.EventBytes, sentBytes, PathOf(EventMembers.None));
            return false;
        }

        if (e.Payload.IsEmpty) e.Payload = "{}"u8;
        _events.Add(e);
        return true;
    }

    private bool Member(ref Utf8JsonReader reader, EventMembers member, ref EventFields e)
    {
        switch (member)
        {
            case EventMembers.Type:
                return Text(ref reader, member, ref e.Type) && CheckType(e.Type);
            case EventMembers.Payload:
                e.Payload = Value(ref reader);
                return true;
            case EventMembers.Aggregate:
                return Text(ref reader, member, ref e.Aggregate) && CheckAggregate(e.Aggregate);
            case EventMembers.SchemaVersion:
                if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out e.SchemaVersion) && e.SchemaVersion >= 1) return true;
                return Refuse(PathOf(member), $"A schemaVersion is an integer from 1 to {int.MaxValue}.");
            case EventMembers.Id:
                return Text(ref reader, member, ref e.Id) && CheckId(e.Id);
            case EventMembers.Metadata:
                return Metadata(ref reader, ref e);
            case EventMembers.OccurredAt:
                return Text(ref reader, member, ref e.OccurredAt) && CheckOccurredAt(e.OccurredAt);
            case EventMembers.Events:
                return reader.TokenType == JsonTokenType.StartArray ? Array(ref reader, "$.events") : Refuse("$.events", "The events are an array.");
            case EventMembers.Entity:
                return Entity(ref reader);
            default:
                return Expect(ref reader);
        }
    }

    private bool EndOfBatch(EventMembers seen)
    {
        if ((seen & EventMembers.OfEvent) != 0)
            return Refuse("$", "The body mixes an event's members with events or expect; give {\"events\":[…],\"expect\":{…}}.");
        return (seen & EventMembers.Events) != 0 || Refuse("$.events", "The events are missing beside expect.");
    }

    private bool RefuseUnknown(ref Utf8JsonReader reader, EventMembers member, EventMembers allowed)
    {
        var name = reader.GetString()!;
        if (member != EventMembers.None)
        {
            return Refuse(PathOf(member), member == EventMembers.Entity
                ? "An event names no entity: the path does, or a line of POST /v1/events."
                : $"\"{name}\" belongs to the body's root, not to an event.");
        }

        var known = (allowed & EventMembers.Entity) != 0 ? "entity, type, payload" : "type, payload";
        var batch = (allowed & EventMembers.Events) != 0 ? "; several have events and expect" : "";
        var shown = name.Length <= 64 ? name : name[..64] + "…";
        return Refuse(PathOf(EventMembers.None) + "." + shown, $"The member is unknown; an event has {known}, aggregate, schemaVersion, id, metadata, occurredAt{batch}.");
    }

    private bool Metadata(ref Utf8JsonReader reader, ref EventFields e)
    {
        if (reader.TokenType != JsonTokenType.StartObject) return Refuse(PathOf(EventMembers.Metadata), "Metadata is a JSON object.");
        var from = (int)reader.TokenStartIndex;
        e.Metadata = Value(ref reader);
        var sentBytes = (int)reader.BytesConsumed - from;
        if (sentBytes <= _limits.MetadataBytes) return true;
        _problem = Problems.PayloadTooLarge("The metadata's length in bytes", "metadataBytes", _limits.MetadataBytes, sentBytes, PathOf(EventMembers.Metadata));
        return false;
    }

    /// <summary>The value as it was sent, digits and all, on one line: records are shown in NDJSON.</summary>
    private ReadOnlySpan<byte> Value(scoped ref Utf8JsonReader reader)
    {
        var from = (int)reader.TokenStartIndex;
        reader.Skip();
        var sent = _json[from..(int)reader.BytesConsumed];
        if (sent.IndexOfAny((byte)'\n', (byte)'\r') < 0) return sent;

        // Strings of valid JSON have no raw line break, so any that is found stands between tokens.
        var room = Scratch(sent.Length);
        var length = JsonStrictness.Compact(sent, room);
        _scratchUsed += length;
        return room[..length];
    }

    /// <summary>The string as plain text.</summary>
    private bool Text(ref Utf8JsonReader reader, EventMembers member, ref ReadOnlySpan<byte> text)
    {
        if (reader.TokenType != JsonTokenType.String) return Refuse(PathOf(member), "The value is a string.");
        var from = (int)reader.TokenStartIndex + 1;
        if (!reader.ValueIsEscaped)
        {
            text = _json[from..((int)reader.BytesConsumed - 1)];
            return true;
        }

        var room = Scratch(reader.ValueSpan.Length);
        var length = reader.CopyString(room);
        _scratchUsed += length;
        text = room[..length];
        return true;
    }

    private Span<byte> Scratch(int length)
    {
        _scratch ??= ArrayPool<byte>.Shared.Rent(_json.Length);
        return _scratch.AsSpan(_scratchUsed, length);
    }
}
