using Warp.Http.Events;

namespace Warp.Http.Sagas;

/// <summary>The types of the events in a saga's log, by their names.</summary>
internal enum LogType
{
    Started,
    StepDone,
    StepRefused,
    Compensating,
    StepCompensated,

    /// <summary>The party was erased after the action: its compensation is moot.</summary>
    StepErased,
    CompensationRefused,
    Ended,
    Retried,
    Resolved,
}

/// <summary>An event of a saga's log; which members speak depends on the type.</summary>
/// <param name="Seq">StepDone: the action's seq in the party. StepCompensated: the compensation's.</param>
internal readonly record struct LogEntry(LogType Type, int Step = 0, long Seq = 0)
{
    public AppendOutcome Refusal { get; init; }

    /// <summary>Where the party's companion keeps what a fold said; 0 = nothing is kept.</summary>
    public long DetailAt { get; init; }

    public SagaResult Result { get; init; }

    public string? Note { get; init; }

    public static LogEntry Refused(LogType type, int step, in AppendOutcome refusal, long detailAt) =>
        new(type, step) { Refusal = refusal, DetailAt = detailAt };

    public static LogEntry Ended(SagaResult result) => new(LogType.Ended) { Result = result };
}
