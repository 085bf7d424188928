using System.Globalization;
using Warp.Http.Aggregates;
using Warp.Http.Events;

namespace Warp.Http.Endpoints;

/// <summary>The one place that turns how an append ended into what the client is told.</summary>
internal static class ProblemMapping
{
    /// <param name="expected">What the append expected, for the text of a mismatch.</param>
    /// <returns>Null for a success. <see cref="AppendStatus.Erased"/> needs a look-up of its receipt and is not mapped here.</returns>
    public static Problem? Of(in AppendOutcome outcome, in ExpectedSeq expected) => outcome.Status switch
    {
        AppendStatus.Appended or AppendStatus.Replayed => null,
        AppendStatus.SeqMismatch => SeqMismatch(outcome, expected),
        AppendStatus.ConditionFalse => new Problem(412, "condition-false", "The condition is false.",
            $"\"{outcome.Detail}\" is false on the state at seq {outcome.LastSeq}.")
        {
            ErrorPath = "$.expect.when",
            Extras = [("condition", outcome.Detail), ("seq", outcome.LastSeq)],
        },
        AppendStatus.EventIdConflict => new Problem(409, "event-id-conflict", "The event id is used already.",
            $"The id \"{outcome.Detail}\" belongs to the event at seq {outcome.FirstSeq}, with other content or in another append; a replay is the whole same append.")
        {
            Extras = [("id", outcome.Detail), ("seq", outcome.FirstSeq)],
        },
        AppendStatus.ReservedEventId => Problems.InvalidRequest("$.id",
            $"The id \"{outcome.Detail}\" has the form of the ids that the service gives in this life, but names no stored event."),
        AppendStatus.FoldFailed => Problems.FoldFailed((FoldFailure)outcome.Reason!),
        AppendStatus.InvariantViolated => Problems.InvariantViolated((InvariantViolation)outcome.Reason!),
        AppendStatus.MailboxFull => new Problem(429, "mailbox-full", "The entity has too many appends waiting.",
            outcome.Detail ?? "The entity's mailbox is full (mailboxCommands); nothing was stored.")
        {
            Retryable = true,
            RetryAfterSeconds = 1,
        },
        AppendStatus.Overloaded => new Problem(503, "overloaded", "The service takes no more for now.",
            outcome.Detail ?? "The shard's queue is full (Warp__QueuedBytesMax); nothing was stored.")
        {
            Retryable = true,
            RetryAfterSeconds = 1,
        },
        AppendStatus.StorageFull => new Problem(507, "storage-full", "The disk is full.",
            outcome.Detail ?? "The disk has too little room (Warp__FreeBytesMin); nothing was stored. Reads and erasures go on.")
        {
            Retryable = true,
        },
        AppendStatus.Unavailable => Problems.ShardUnavailable(outcome.Detail ?? "The entity's shard is out of service; nothing was stored."),
        AppendStatus.InDoubt => Problems.ShardUnavailable(
            "The commit failed: whether the events are stored is not known. Send them again with the same ids or Idempotency-Key; a replay tells."),
        _ => throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"No problem is mapped to {outcome.Status}.")),
    };

    /// <summary>True where the same append may succeed later: what a stream must not let later lines overtake.</summary>
    public static bool IsRetryable(AppendStatus status) =>
        status is AppendStatus.MailboxFull or AppendStatus.Overloaded or AppendStatus.StorageFull or AppendStatus.Unavailable or AppendStatus.InDoubt;

    private static Problem SeqMismatch(in AppendOutcome outcome, in ExpectedSeq expected)
    {
        var seq = expected.Seq?.ToString(CultureInfo.InvariantCulture);
        var detail = expected.Life is { } life && life != outcome.Life
            ? $"Life {life} was expected; the entity's life is {(outcome.Life.IsNone ? "none" : outcome.Life)}, at seq {outcome.LastSeq}."
            : $"{(seq is null ? "Another seq" : $"Seq {seq}")} was expected; the entity is at seq {outcome.LastSeq}.";
        return Problems.SeqMismatch(seq, outcome.LastSeq, detail);
    }
}
