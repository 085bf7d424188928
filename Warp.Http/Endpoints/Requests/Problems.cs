using System.Globalization;
using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Endpoints;

/// <summary>Every problem type the service knows, each made in one place.</summary>
internal static class Problems
{
    public static Problem InvalidJson(string detail, string path = "$") =>
        new(400, "invalid-json", "The body is not valid JSON.", detail) { ErrorPath = path };

    /// <param name="path">A JSON path, or the name of the parameter or header.</param>
    public static Problem InvalidRequest(string path, string detail) =>
        new(400, "invalid-request", "The request is not valid.", detail) { ErrorPath = path };

    public static Problem InvalidEntityId(string detail, string path = "path") =>
        new(400, "invalid-entity-id", "The entity's name is not valid.", detail) { ErrorPath = path };

    public static Problem EmptyBatch() =>
        new(400, "empty-batch", "The append has no events.", "An append has 1 event or more; the body has none.") { ErrorPath = "$" };

    public static Problem InvalidCursor(string detail, string path = "cursor") => new(400, "invalid-cursor", "The cursor is not valid.", detail) { ErrorPath = path };

    public static Problem ReservedKind(ReadOnlySpan<byte> kind) =>
        new(403, "reserved-kind", "The kind is reserved.",
            $"Kinds that begin with \"warp.\" belong to the service; \"{System.Text.Encoding.UTF8.GetString(kind)}\" can't be written to.");

    public static Problem EntityNotFound() => new(404, "entity-not-found", "There is no such entity.", "No event was ever appended to this entity.");

    public static Problem AggregateNotFound(string aggregate) =>
        new(404, "aggregate-not-found", "There is no such aggregate.", $"\"{aggregate}\" is not defined, and the entity has no events of it.");

    public static Problem AggregateNotDefined(string aggregate) =>
        new(404, "aggregate-not-found", "There is no such aggregate.", $"\"{aggregate}\" is not defined.");

    public static Problem ProjectionNotFound(string projection) =>
        new(404, "projection-not-found", "There is no such projection.", $"\"{projection}\" is not defined.");

    /// <param name="detail">Whose it is.</param>
    public static Problem AlreadyExists(string detail) => new(409, "already-exists", "The name is taken.", detail);

    public static Problem AggregateInUse(string aggregate, IReadOnlyList<string> users) =>
        new(409, "in-use", "The aggregate is in use.", $"\"{aggregate}\" is used by {string.Join(", ", users)}; delete that first.") { Extras = [("users", users)] };

    public static Problem ErasureNotFound() => new(404, "erasure-not-found", "There is no such erasure.", "No receipt has this id.");

    public static Problem VerificationNotFound(string detail) => new(404, "verification-not-found", "There is no such verification.", detail);

    public static Problem SagaNotFound(string id) => new(404, "saga-not-found", "There is no such saga.", $"No saga \"{id}\" was ever begun.");

    public static Problem SagaConflict(string detail) => new(409, "saga-conflict", "The saga's id, or its state, does not allow this.", detail);

    public static Problem TooManySagas(int max) => new(429, "too-many-sagas", "Too many sagas run at once.",
        string.Create(CultureInfo.InvariantCulture, $"{max} sagas run, as many as are allowed (Warp__Sagas__InFlight); nothing of this one was stored."))
    {
        Retryable = true,
        RetryAfterSeconds = 1,
    };

    public static Problem RouteNotFound() =>
        new(404, "route-not-found", "There is nothing at this path.", "See /openapi.yaml for every path, or /swagger to try them.");

    public static Problem MethodNotAllowed(string method, string? allow) =>
        new(405, "method-not-allowed", "The method is not allowed here.", $"{method} is not allowed at this path; allowed: {allow}.") { Allow = allow };

    public static Problem NotAcceptable(string offered) =>
        new(406, "not-acceptable", "None of the accepted media types can be given.", $"The Accept header must allow {offered}.");

    public static Problem UnsupportedMediaType(string detail) => new(415, "unsupported-media-type", "The body's media type is not supported.", detail);

    public static Problem PayloadTooLarge(string what, string limitName, long limit, long actual, string? path = null) =>
        new(413, "payload-too-large", "The request is too large.",
            string.Create(CultureInfo.InvariantCulture, $"{what} has {actual}; at most {limit} are allowed ({limitName})."))
        {
            ErrorPath = path,
            Extras = [("limit", limit), ("actual", actual)],
        };

    /// <param name="erasure">Null where the shard that knows of it could not be opened.</param>
    public static Problem EntityErased(in Tombstone? erasure) =>
        new(410, "entity-erased", "The entity was erased.", "Its data is gone for good. POST …/events?recreate=true begins a new life at seq 1.")
        {
            Extras = [("erasedAt", erasure is { } told ? Rfc3339.Format(told.ErasedAtMs) : null), ("receiptId", erasure?.ReceiptId.ToString("N"))],
        };

    public static Problem SeqMismatch(string? expected, long actual, string detail) =>
        new(412, "seq-mismatch", "The entity's last seq is not the expected one.", detail)
        {
            Extras = [("expectedSeq", long.TryParse(expected, NumberStyles.None, CultureInfo.InvariantCulture, out var seq) ? seq : expected), ("actualSeq", actual)],
        };

    public static Problem FoldFailed(FoldFailure failure) => new(422, "fold-failed", "The state can't be folded.", failure.ToString())
    {
        // Where no expression is to blame there is no place in one.
        Extras = failure.Expression is null
            ? [("seq", failure.Seq), ("expression", null)]
            : [("seq", failure.Seq), ("expression", failure.Expression), ("line", (long)failure.Line), ("column", (long)failure.Column)],
    };

    public static Problem InvariantViolated(InvariantViolation violation) =>
        new(422, "invariant-violated", "An invariant does not hold after the append.", $"{violation.Message} (\"{violation.Rule}\" is false at seq {violation.Seq})")
        {
            Extras = [("rule", violation.Rule), ("message", violation.Message), ("seq", violation.Seq)],
        };

    public static Problem InvalidDefinition(IReadOnlyList<DefinitionError> errors) => errors.FirstOrDefault(e => e.IsRepetition) is { } repetition
        ? new(400, "invalid-request", "The request is not valid.", $"{repetition.Path}: {repetition}") { Errors = ErrorsOf(errors) }
        : new(422, "invalid-definition", "The definition is not valid.", $"{errors[0].Path}: {errors[0]}")
        {
            Errors = ErrorsOf(errors),
            Extras = [("expression", errors[0].Expression), ("line", (long)errors[0].Line), ("column", (long)errors[0].Column)],
        };

    /// <summary>A filter on an aggregate that a kind's events may or may not belong to.</summary>
    public static Problem ContestedKind(ReadOnlySpan<byte> kind, IReadOnlyList<string> claims) =>
        new(422, "invalid-definition", "Definitions contradict each other.",
            $"{string.Join(" and ", claims)} have the same defaultForKind, \"{System.Text.Encoding.UTF8.GetString(kind)}\": whose its events are that name no aggregate can't be told.")
        { ErrorPath = "aggregate" };

    private static List<(string Path, string Text)> ErrorsOf(IEnumerable<DefinitionError> errors) => [.. errors.Select(e => (e.Path, e.ToString()))];

    public static Problem InvalidSql(string detail) => new(422, "invalid-sql", "The statement is not one that can be asked.", detail) { ErrorPath = "$.sql" };

    public static Problem QueryTimeout(int seconds) =>
        new(504, "query-timeout", "The query took too long.", $"It ran for {seconds} s, as long as a query may (querySeconds); ask for less, or index what it looks for.");

    public static Problem TooManyQueries(int seconds) =>
        new(503, "overloaded", "The service takes no more for now.", $"Other queries took all the {seconds} s that this one might run (querySeconds).") { Retryable = true, RetryAfterSeconds = 1 };

    public static Problem ProjectionStale(string required, string reached) =>
        new(504, "projection-stale", "The wait ended before the projections were far enough.", "What minCursor asks for is not in every table that the statement reads; it is on its way.")
        {
            Retryable = true,
            Extras = [("required", required), ("reached", reached)],
        };

    public static Problem WaitTimeout(long required, long reached) =>
        new(504, "wait-timeout", "The wait ended before the seq was reached.",
            string.Create(CultureInfo.InvariantCulture, $"The entity is at seq {reached}; seq {required} was waited for."))
        {
            Retryable = true,
            Extras = [("required", required), ("reached", reached)],
        };

    public static Problem ShardUnavailable(string detail) =>
        new(503, "shard-unavailable", "This part of the store is out of service.", detail) { Retryable = true, RetryAfterSeconds = 5 };

    public static Problem ProjectionStoreUnavailable() =>
        new(503, "projection-store-unavailable", "The store of projections is out of service.",
            "The tables of projections can't be read or written now; appends and states are served. Whether a change was made is not known; ask again.")
        {
            Retryable = true,
            RetryAfterSeconds = 5,
        };

    public static Problem RequestTimeout(string detail) =>
        new(408, "request-timeout", "The request did not arrive in time.", detail) { Retryable = true };

    public static Problem ShuttingDown() =>
        new(503, "shutting-down", "The service is stopping.", "Send what has no reply yet again, to the restarted service.") { Retryable = true, RetryAfterSeconds = 5 };

    /// <summary>Ends a stream of appends: it can remember no more entities of which lines failed, and lines that come later could overtake those.</summary>
    public static Problem TooManyFailed(int max) =>
        new(503, "overloaded", "The service takes no more for now.",
            string.Create(CultureInfo.InvariantCulture, $"Lines of more than {max} entities (streamFailedEntities) failed in this stream; send what was not stored again, in another."))
        {
            Retryable = true,
            RetryAfterSeconds = 5,
        };

    public static Problem TooManySubscriptions(int max) =>
        new(503, "overloaded", "The service takes no more for now.", $"{max} subscriptions are open, as many as there may be (Warp__Limits__Subscriptions).") { Retryable = true, RetryAfterSeconds = 5 };

    /// <summary>Says nothing of the cause: that stands in the log under the same trace id.</summary>
    public static Problem Internal() =>
        new(500, "internal-error", "The service failed.", "The cause is in the service's log under this traceId. The outcome of a write is not known.");
}
