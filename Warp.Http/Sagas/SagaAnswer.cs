using Warp.Http.Events;

namespace Warp.Http.Sagas;

/// <summary>How a call on a saga ended.</summary>
internal enum SagaAnswerKind
{
    /// <summary>The saga, as far as it has come.</summary>
    Saga,

    NotFound,

    /// <summary>The id belongs to a saga of other steps.</summary>
    OtherSteps,

    /// <summary>Only a saga that is stuck can be retried or resolved.</summary>
    NotStuck,

    /// <summary>As many sagas run as may.</summary>
    TooMany,

    /// <summary>The saga could not be begun; nothing of it is stored, or it is in doubt, as the outcome says.</summary>
    Refused,
}

/// <param name="HasEnded">False while it runs; the caller chose not to wait.</param>
internal readonly record struct SagaAnswer(SagaAnswerKind Kind, SagaState? Saga = null, bool HasEnded = false, AppendOutcome Refusal = default)
{
    public static SagaAnswer Of(SagaState saga) => new(SagaAnswerKind.Saga, saga, saga.HasEnded);
}
