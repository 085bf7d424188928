using System.Text;
using System.Text.Json;
using Warp.Http.Aggregates.Values;
using Warp.Http.Events;

namespace Warp.Http.Sagas;

/// <summary>An event that a step appends: its type as plain text, its payload as JSON on one line.</summary>
public readonly record struct StepEvent(ReadOnlyMemory<byte> Type, ReadOnlyMemory<byte> Payload)
{
    internal bool IsSame(in StepEvent other) =>
        Type.Span.SequenceEqual(other.Type.Span) && JsonEquality.AreEqual(Payload.Span, other.Payload.Span);
}

/// <summary>One step of a saga as it was asked for: what is done to which entity, and how it is undone.</summary>
/// <param name="Entity">The party, <c>kind/id</c>.</param>
/// <param name="Aggregate">Empty = the kind's default.</param>
/// <param name="Compensation">Null: the step needs none.</param>
public sealed record SagaStep(ReadOnlyMemory<byte> Entity, ReadOnlyMemory<byte> Aggregate, int SchemaVersion, StepEvent Action, StepEvent? Compensation)
{
    /// <summary>The party's last seq that the action expects; null = any.</summary>
    public long? ExpectSeq { get; init; }

    /// <summary>An expression over the folded state that must be true before the action; null = none.</summary>
    public string? ExpectWhen { get; init; }

    public string? ExpectAggregate { get; init; }

    /// <summary>True if both ask for the same: payloads compared as JSON.</summary>
    internal bool IsSame(SagaStep other) =>
        ReferenceEquals(this, other)
        || (Entity.Span.SequenceEqual(other.Entity.Span) && Aggregate.Span.SequenceEqual(other.Aggregate.Span) && SchemaVersion == other.SchemaVersion
        && ExpectSeq == other.ExpectSeq && string.Equals(ExpectWhen, other.ExpectWhen, StringComparison.Ordinal)
        && string.Equals(ExpectAggregate, other.ExpectAggregate, StringComparison.Ordinal)
        && Action.IsSame(other.Action)
        && (Compensation is { } compensation ? other.Compensation is { } others && compensation.IsSame(others) : other.Compensation is null));

    /// <summary>The step as the party's companion keeps it.</summary>
    internal void Write(JsonBuffer json, string sagaId, int number)
    {
        json.Raw("{\"saga\":"u8);
        json.Text(sagaId);
        json.Raw(",\"step\":"u8);
        json.Number(number);
        json.Raw(",\"entity\":"u8);
        json.Text(Entity.Span);
        WriteContent(json);
        json.Raw((byte)'}');
    }

    /// <summary>What is done, as further members of an object.</summary>
    internal void WriteContent(JsonBuffer json)
    {
        if (!Aggregate.IsEmpty)
        {
            json.Raw(",\"aggregate\":"u8);
            json.Text(Aggregate.Span);
        }

        json.Raw(",\"schemaVersion\":"u8);
        json.Number(SchemaVersion);
        json.Raw(",\"action\":"u8);
        Write(json, Action);
        if (Compensation is { } compensation)
        {
            json.Raw(",\"compensation\":"u8);
            Write(json, compensation);
        }

        if (ExpectSeq is not null || ExpectWhen is not null) WriteExpect(json);
    }

    /// <summary>Reads back what <see cref="Write(JsonBuffer, string, int)"/> wrote.</summary>
    internal static SagaStep Read(ReadOnlyMemory<byte> stored, out string sagaId, out int number)
    {
        using var document = JsonDocument.Parse(stored);
        var step = document.RootElement;
        sagaId = step.GetProperty("saga"u8).GetString()!;
        number = step.GetProperty("step"u8).GetInt32();
        var expect = step.TryGetProperty("expect"u8, out var given) ? given : default;
        return new SagaStep(
            Text(step, "entity"u8), Text(step, "aggregate"u8), step.GetProperty("schemaVersion"u8).GetInt32(), Event(step.GetProperty("action"u8)),
            step.TryGetProperty("compensation"u8, out var compensation) ? Event(compensation) : null)
        {
            ExpectSeq = Has(expect, "seq"u8, out var seq) ? seq.GetInt64() : null,
            ExpectWhen = Has(expect, "when"u8, out var when) ? when.GetString() : null,
            ExpectAggregate = Has(expect, "aggregate"u8, out var aggregate) ? aggregate.GetString() : null,
        };
    }

    private static void Write(JsonBuffer json, in StepEvent e)
    {
        json.Raw("{\"type\":"u8);
        json.Text(e.Type.Span);
        json.Raw(",\"payload\":"u8);
        json.Raw(e.Payload.Span);
        json.Raw((byte)'}');
    }

    private void WriteExpect(JsonBuffer json)
    {
        json.Raw(",\"expect\":{"u8);
        if (ExpectSeq is { } seq)
        {
            json.Raw("\"seq\":"u8);
            json.Number(seq);
            if (ExpectWhen is not null) json.Raw((byte)',');
        }

        if (ExpectWhen is not null)
        {
            json.Raw("\"when\":"u8);
            json.Text(ExpectWhen);
            if (ExpectAggregate is not null)
            {
                json.Raw(",\"aggregate\":"u8);
                json.Text(ExpectAggregate);
            }
        }

        json.Raw((byte)'}');
    }

    private static bool Has(JsonElement expect, ReadOnlySpan<byte> name, out JsonElement value)
    {
        value = default;
        return expect.ValueKind == JsonValueKind.Object && expect.TryGetProperty(name, out value);
    }

    private static byte[] Text(JsonElement step, ReadOnlySpan<byte> name) =>
        step.TryGetProperty(name, out var value) ? Encoding.UTF8.GetBytes(value.GetString()!) : [];

    private static StepEvent Event(JsonElement e) => new(Text(e, "type"u8), Encoding.UTF8.GetBytes(e.GetProperty("payload"u8).GetRawText()));
}
