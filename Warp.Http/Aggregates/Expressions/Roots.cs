using System.Text;
using Warp.Http.Aggregates.Values;
using Warp.Http.Events;

namespace Warp.Http.Aggregates.Expressions;

internal sealed class StateNode(Token at) : Node(at)
{
    public override JsonValue Evaluate(ref Evaluation e) => e.State;
}

internal sealed class PayloadNode(Token at) : Node(at)
{
    public override JsonValue Evaluate(ref Evaluation e) =>
        e.Payload.IsNumber && e.Payload.IsOutOfRange ? SelectionNode.FailOutOfRange(ref e, this, e.Payload) : e.Payload;
}

/// <summary>A field of <c>event</c> or <c>entity</c>; only <c>occurredAt</c> and <c>metadata</c> may be missing.</summary>
internal sealed class RootFieldNode(Token at, RootField field) : SelectionNode(at)
{
    /// <summary>Metadata was accepted within the body's depth, of which this is the most that can be configured.</summary>
    private const int MetadataDepth = 512;

    /// <summary>Room for <c>2026-11-22T16:20:19.123Z</c>.</summary>
    private const int TimeBytes = 32;

    public override JsonValue Select(ref Evaluation e)
    {
        switch (field)
        {
            case RootField.EventId:
                return JsonValue.Of(MakeEventId(e.Event, e.Life));
            case RootField.EventSeq:
                return JsonValue.Of(e.Event.Seq);
            case RootField.EventType:
                return JsonValue.Of(e.Event.Fields.Type.ToArray());
            case RootField.EventSchemaVersion:
                return JsonValue.Of(e.Event.Fields.SchemaVersion);
            case RootField.EventRecordedAt:
                return JsonValue.Of(MakeTime(e.Event.RecordedAtMs));
            case RootField.EventOccurredAt:
                return e.Event.Fields.OccurredAt.IsEmpty ? default : JsonValue.Of(e.Event.Fields.OccurredAt.ToArray());
            case RootField.EventMetadata:
                return e.ReadMetadata(MetadataDepth);
            case RootField.EntityKind:
                return JsonValue.Of(e.Entity is null ? [] : e.Entity.Kind.ToArray());
            case RootField.EntityId:
                return JsonValue.Of(e.Entity is null ? [] : e.Entity.Id.ToArray());
            default:
                return JsonValue.Of(e.Seq);
        }
    }

    protected override string Wanted(ref Evaluation e) => field == RootField.EventOccurredAt ? "event.occurredAt" : "event.metadata";

    private static byte[] MakeEventId(in RecordedEvent e, Life life)
    {
        if (!e.Fields.Id.IsEmpty) return e.Fields.Id.ToArray();
        if (!e.IdempotencyKey.IsEmpty) return [.. e.IdempotencyKey, .. Encoding.ASCII.GetBytes($":{e.IndexInAppend}")];
        Span<byte> id = stackalloc byte[64];
        return id[..life.FormatEventId(id, e.Seq)].ToArray();
    }

    private static byte[] MakeTime(long unixMs)
    {
        Span<byte> text = stackalloc byte[TimeBytes];
        DateTimeOffset.FromUnixTimeMilliseconds(unixMs).UtcDateTime.TryFormat(text, out var length, "yyyy-MM-dd'T'HH:mm:ss.fff'Z'");
        return text[..length].ToArray();
    }
}

/// <summary><c>event</c> or <c>entity</c> as a whole: a map of its fields.</summary>
internal sealed class RootMapNode : Node
{
    private readonly (byte[] Name, RootFieldNode Value)[] _fields;

    public RootMapNode(Token at, (byte[] Name, RootFieldNode Value)[] fields)
        : base(at)
    {
        _fields = fields;
        foreach (var (_, value) in fields) Adopt(value);
    }

    public override JsonValue Evaluate(ref Evaluation e)
    {
        var map = new JsonMap(capacity: _fields.Length);
        foreach (var (name, field) in _fields)
        {
            var value = field.Select(ref e);
            if (!value.IsMissing) map.Set(name, value);
        }

        return JsonValue.Of(map);
    }
}

internal enum RootField : byte
{
    EventId,
    EventSeq,
    EventType,
    EventSchemaVersion,
    EventRecordedAt,
    EventOccurredAt,
    EventMetadata,
    EntityKind,
    EntityId,
    EntitySeq,
}
