namespace Warp.Http.Events;

/// <summary>The event as clients see it ("event out"): what history, export and subscriptions send.</summary>
public static class EventJson
{
    /// <summary>Appends one object on one line: a stored payload has no line break.</summary>
    /// <param name="entity">Named first, where events of several entities come together; else empty.</param>
    public static void Write(JsonBuffer json, in RecordedEvent recorded, Life life, ReadOnlySpan<byte> entity = default)
    {
        var e = recorded.Fields;
        json.Raw((byte)'{');
        if (!entity.IsEmpty)
        {
            json.Raw("\"entity\":"u8);
            json.Text(entity);
            json.Raw((byte)',');
        }

        json.Raw("\"id\":"u8);
        WriteId(json, e.Id, recorded.IdempotencyKey, recorded.IndexInAppend, life, recorded.Seq);
        json.Raw(",\"seq\":"u8);
        json.Number(recorded.Seq);
        json.Raw(",\"type\":"u8);
        json.Text(e.Type);
        if (!e.Aggregate.IsEmpty)
        {
            json.Raw(",\"aggregate\":"u8);
            json.Text(e.Aggregate);
        }

        json.Raw(",\"schemaVersion\":"u8);
        json.Number(e.SchemaVersion);
        json.Raw(",\"payload\":"u8);
        json.Raw(e.Payload);
        if (!e.Metadata.IsEmpty)
        {
            json.Raw(",\"metadata\":"u8);
            json.Raw(e.Metadata);
        }

        if (!e.OccurredAt.IsEmpty)
        {
            json.Raw(",\"occurredAt\":"u8);
            json.Text(e.OccurredAt);
        }

        json.Raw(",\"recordedAt\":"u8);
        json.Time(recorded.RecordedAtMs);
        json.Raw((byte)'}');
    }

    /// <summary>Appends an event's id: the caller's, else the key's with the index, else the one that follows from life and seq.</summary>
    public static void WriteId(JsonBuffer json, ReadOnlySpan<byte> id, ReadOnlySpan<byte> idempotencyKey, int index, Life life, long seq)
    {
        if (!id.IsEmpty)
        {
            json.Text(id);
        }
        else if (!idempotencyKey.IsEmpty)
        {
            json.Text(idempotencyKey);
            json.Truncate(json.Length - 1);
            json.Raw((byte)':');
            json.Number(index);
            json.Raw((byte)'"');
        }
        else
        {
            json.Raw((byte)'"');
            json.Advance(life.FormatEventId(json.GetSpan(40), seq));
            json.Raw((byte)'"');
        }
    }
}
