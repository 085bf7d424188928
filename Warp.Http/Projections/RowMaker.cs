using System.Buffers;
using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Aggregates.Expressions;
using Warp.Http.Aggregates.Values;
using Warp.Http.Events;

namespace Warp.Http.Projections;

/// <summary>Makes rows: evaluates the columns' expressions and brings what comes out to SQL's types.</summary>
/// <remarks>One thread at a time.</remarks>
internal sealed class RowMaker(ProjectionPlan plan)
{
    private readonly JsonValue[] _members = new JsonValue[plan.Definition.Payload.Slots];
    private readonly ArrayBufferWriter<byte> _upcast = new();

    /// <summary>Adds the row of a state; on failure nothing is added.</summary>
    /// <returns>Null, or why there is no row.</returns>
    public string? TryAddState(EntityFold fold, List<SqlValue> values)
    {
        var evaluation = fold.State.Evaluate(fold.Seq);
        return TryAdd(ref evaluation, values);
    }

    /// <summary>Adds the row of an event.</summary>
    /// <param name="state">The state after it; null if no expression asks for it.</param>
    /// <param name="isMine">True if the event is of the plan's aggregate, whose upcasts then apply.</param>
    /// <returns>Null, or why there is no row.</returns>
    public string? TryAddEvent(EntityName name, Life life, in RecordedEvent recorded, FoldState? state, bool isMine, List<SqlValue> values)
    {
        try
        {
            return TryAdd(name, life, recorded, state, isMine, values);
        }
        catch (System.Text.Json.JsonException)
        {
            // Bodies are checked when they come in: only a damaged record, which checksums find first, gets here.
            return "The payload or the metadata is not JSON.";
        }
    }

    private string? TryAdd(EntityName name, Life life, in RecordedEvent recorded, FoldState? state, bool isMine, List<SqlValue> values)
    {
        var fields = recorded.Fields;
        if (isMine && plan.AggregateEntry?.Definition is { } definition)
        {
            _upcast.ResetWrittenCount();
            if (Upcasting.TryUpcast(definition, recorded, name, life, _upcast, out var version, out var failure))
            {
                fields.Payload = _upcast.WrittenSpan;
                fields.SchemaVersion = version;
            }
            else if (failure is not null)
            {
                return failure.ToString();
            }
        }

        var evaluation = state is not null
            ? state.Evaluate(recorded.Seq)
            : new Evaluation { State = JsonValue.Of(JsonMap.Empty), Entity = name, Life = life, Seq = recorded.Seq, Steps = FoldLimits.Steps };
        evaluation.Event = new RecordedEvent(recorded.Seq, recorded.RecordedAtMs, fields, recorded.IdempotencyKey, recorded.IndexInAppend);
        evaluation.Payload = plan.Definition.Payload.Read(fields.Payload, _members);
        evaluation.PayloadMembers = _members;
        return TryAdd(ref evaluation, values);
    }

    private string? TryAdd(ref Evaluation evaluation, List<SqlValue> values)
    {
        var before = values.Count;
        foreach (var (column, expression) in plan.Definition.Columns)
        {
            var value = expression.Root.Evaluate(ref evaluation);
            string? error = null;
            if (!value.IsError) error = TryConvert(value, column.Type, out var converted) is { } refused ? $"Column {column.Name}: {refused}" : Add(values, converted);
            else if (evaluation.Fault!.IsMissingMember) values.Add(SqlValue.Null);
            else error = $"Column {column.Name}: {evaluation.Fault.Message} (line {evaluation.Fault.At.Line}, column {evaluation.Fault.At.Column} of the expression \"{expression.Text}\")";
            if (error is null) continue;
            values.RemoveRange(before, values.Count - before);
            return error;
        }

        return null;
    }

    private static string? Add(List<SqlValue> values, in SqlValue value)
    {
        values.Add(value);
        return null;
    }

    /// <returns>Null, or why the value is not of the column's type.</returns>
    private static string? TryConvert(in JsonValue value, string type, out SqlValue converted)
    {
        converted = SqlValue.Null;
        if (value.Kind is JsonKind.Null or JsonKind.Missing) return null;
        if (type is "TEXT")
        {
            converted = SqlValue.Of(value.Kind == JsonKind.Text ? value.Utf8 : JsonRenderer.ToUtf8(value));
            return null;
        }

        if (value.IsBool)
        {
            var bit = value.Kind == JsonKind.True ? 1 : 0;
            converted = type is "REAL" ? SqlValue.Of((double)bit) : SqlValue.Of(bit);
            return null;
        }

        if (value.IsNumber) return TryConvertNumber(value, type, out converted);
        if (type.Length > 0) return $"{(value.Kind == JsonKind.Text ? "a text" : "a list or map")} is not of type {type}.";
        converted = SqlValue.Of(value.Kind == JsonKind.Text ? value.Utf8 : JsonRenderer.ToUtf8(value));
        return null;
    }

    private static string? TryConvertNumber(in JsonValue value, string type, out SqlValue converted)
    {
        converted = SqlValue.Null;
        if (value.IsOutOfRange) return $"the number {Encoding.ASCII.GetString(value.Characters!)} can't be calculated with.";
        if (type is not "REAL" && value.Number.TryToInt64(out var integer))
        {
            converted = SqlValue.Of(integer);
            return null;
        }

        if (type is "INTEGER") return $"{value.Number} is no whole number of 64 bits.";
        converted = SqlValue.Of(value.Number.ToDouble());
        return null;
    }
}
