using Warp.Http.Events;

namespace Warp.Http.Sagas;

/// <summary>Where a saga stands.</summary>
public enum SagaResult
{
    /// <summary>Actions are sent, one after another.</summary>
    Running,

    /// <summary>A step was refused; what was done before it is undone, last first.</summary>
    Compensating,

    /// <summary>Every action is done.</summary>
    Committed,

    /// <summary>A step was refused, and whatever was done before is undone.</summary>
    Compensated,

    /// <summary>A compensation was refused for good: a person must look at it.</summary>
    Stuck,
}

/// <summary>Where a step stands.</summary>
public enum StepStatus
{
    /// <summary>Not sent, or sent without an answer so far.</summary>
    Pending,

    /// <summary>The action is stored.</summary>
    Done,

    /// <summary>The action was refused, and is not stored.</summary>
    Refused,

    /// <summary>The action and its compensation are stored.</summary>
    Compensated,

    /// <summary>The action was stored and its party erased since: there is nothing left to undo.</summary>
    Erased,

    /// <summary>The action is stored, its compensation was refused.</summary>
    Stuck,
}

/// <summary>What a person said of a saga that was stuck.</summary>
public sealed record SagaResolution(string Note, long AtMs);

/// <summary>A step as the log tells of it.</summary>
internal sealed class StepState(PartyRef party)
{
    public PartyRef Party { get; } = party;

    public StepStatus Status { get; set; }

    /// <summary>The seq of the action's event in the party; 0 while there is none.</summary>
    public long Seq { get; set; }

    /// <summary>Why the action, or of a stuck step the compensation, was refused.</summary>
    public AppendOutcome? Refusal { get; set; }

    /// <summary>Where the party's companion keeps what a fold said; 0 = nothing is kept.</summary>
    public long DetailAt { get; set; }

    /// <summary>What the step does. Null in a saga that was read from its log, until it is asked for, and for ever once the party is erased.</summary>
    public SagaStep? Content { get; set; }

    public void Refuse(in LogEntry entry, StepStatus status)
    {
        Status = status;
        Refusal = entry.Refusal;
        DetailAt = entry.DetailAt;
    }
}

/// <summary>A saga as a fold over its log. The runner applies to it what it has written, so that memory and log tell the same.</summary>
internal sealed class SagaState(string id, StepState[] steps, TimeSpan timeout, long startedMs)
{
    public string Id { get; } = id;

    public StepState[] Steps { get; } = steps;

    public TimeSpan Timeout { get; } = timeout;

    public long StartedMs { get; } = startedMs;

    public SagaResult Result { get; private set; }

    public SagaResolution? Resolution { get; private set; }

    /// <summary>The log's last seq.</summary>
    public long LogSeq { get; private set; }

    /// <summary>The life of the saga's own entity; sagas of a shard are created in its order.</summary>
    public Life Life { get; set; }

    /// <summary>Nothing is left to do, unless a person asks for it.</summary>
    public bool HasEnded => Result is SagaResult.Committed or SagaResult.Compensated or SagaResult.Stuck;

    public void Apply(in LogEntry entry, long recordedMs)
    {
        LogSeq++;
        switch (entry.Type)
        {
            case LogType.Started:
                break;
            case LogType.StepDone:
                Steps[entry.Step].Status = StepStatus.Done;
                Steps[entry.Step].Seq = entry.Seq;
                break;
            case LogType.StepRefused:
                Steps[entry.Step].Refuse(entry, StepStatus.Refused);
                Result = SagaResult.Compensating;
                break;
            case LogType.Compensating or LogType.Retried:
                Result = SagaResult.Compensating;
                break;
            case LogType.StepCompensated:
                Steps[entry.Step].Status = StepStatus.Compensated;
                Steps[entry.Step].Refusal = null;
                break;
            case LogType.StepErased:
                Steps[entry.Step].Status = StepStatus.Erased;
                Steps[entry.Step].Refusal = null;
                break;
            case LogType.CompensationRefused:
                Steps[entry.Step].Refuse(entry, StepStatus.Stuck);
                break;
            case LogType.Ended:
                Result = entry.Result;
                break;
            case LogType.Resolved:
                Result = SagaResult.Compensated;
                Resolution = new SagaResolution(entry.Note!, recordedMs);
                break;
        }
    }
}
