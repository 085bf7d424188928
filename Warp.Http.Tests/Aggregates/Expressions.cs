using System.Text;
using Warp.Http.Aggregates;
using Warp.Http.Aggregates.Expressions;
using Warp.Http.Aggregates.Values;
using Warp.Http.Events;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Aggregates;

/// <summary>Evaluates single expressions as the right-hand side of a rule.</summary>
internal sealed class Expressions
{
    public string State { get; init; } = "{}";

    public string Payload { get; init; } = "{}";

    public string Metadata { get; init; } = "";

    public string Type { get; init; } = "Tested";

    public string Id { get; init; } = "";

    public int SchemaVersion { get; init; } = 1;

    public long Seq { get; init; } = 1;

    public long RecordedAtMs { get; init; }

    public string Entity { get; init; } = "user/alice";

    /// <summary>What the last evaluation was charged.</summary>
    public int StepsUsed { get; private set; }

    /// <summary>How long the last one took, by itself (<see cref="ThreadTime"/>).</summary>
    public TimeSpan Took { get; private set; }

    /// <summary>The value as JSON, or <c>error: </c> and the message, of compilation or evaluation.</summary>
    public string Evaluate(string text)
    {
        var plan = new PayloadPlan();
        var compilation = new Compilation(ExpressionScope.Fold, new Utf8Names(), plan, new Limits().ExpressionChars);
        if (!Expression.TryCompile(text, compilation, out var expression, out var error)) return $"error: {error!.Message}";
        var members = new JsonValue[plan.Slots];
        var fields = new EventFields
        {
            Type = Encoding.UTF8.GetBytes(Type),
            Id = Encoding.UTF8.GetBytes(Id),
            Metadata = Encoding.UTF8.GetBytes(Metadata),
            Payload = Encoding.UTF8.GetBytes(Payload),
            SchemaVersion = SchemaVersion,
        };
        var e = new Evaluation
        {
            State = JsonParser.Parse(Encoding.UTF8.GetBytes(State), 64),
            Payload = plan.Read(fields.Payload, members),
            PayloadMembers = members,
            Event = new RecordedEvent(Seq, RecordedAtMs, fields, default, 0),
            Entity = new EntityName(Encoding.UTF8.GetBytes(Entity)),
            Life = new Life(0, 1),
            Seq = Seq,
            Steps = FoldLimits.Steps,
        };
        var started = ThreadTime.Now;
        var value = expression!.Root.Evaluate(ref e);
        Took = ThreadTime.Now - started;
        StepsUsed = FoldLimits.Steps - Math.Max(0, e.Steps);
        if (!value.IsError) return Encoding.UTF8.GetString(JsonRenderer.ToUtf8(value));
        var failure = expression.Failure(e);
        failure.Line.ShouldBeGreaterThan(0);
        failure.Column.ShouldBeGreaterThan(0);
        return $"error: {failure.Message}";
    }

    public static ExpressionError? Compile(string text)
    {
        Expression.TryCompile(text, ExpressionScope.Fold, new Limits().ExpressionChars, out _, out var error);
        return error;
    }
}
