using System.ComponentModel.DataAnnotations;

namespace Warp.Http.Events;

/// <summary>Every maximum the service holds (<c>Warp:Limits</c>); published at <c>GET /v1/info</c> under the same names.</summary>
public sealed class Limits
{
    public const string Section = "Warp:Limits";

    /// <summary>Bytes of a request body, but for the streaming routes, which have no limit on the whole.</summary>
    [Range(1024, 1 << 30)]
    public int BodyBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>Bytes of one event as it was sent.</summary>
    [Range(256, 64 * 1024 * 1024)]
    public int EventBytes { get; init; } = 1024 * 1024;

    /// <summary>Events in one append. Bounds how long one entity keeps the writer.</summary>
    [Range(1, 100_000)]
    public int BatchEvents { get; init; } = 10_000;

    /// <summary>UTF-8 bytes of an entity id after percent-decoding.</summary>
    [Range(1, 1024)]
    public int IdBytes { get; init; } = 256;

    /// <summary>Characters of an entity kind.</summary>
    [Range(1, 256)]
    public int KindChars { get; init; } = 64;

    /// <summary>Characters (Unicode scalar values) of an event type.</summary>
    [Range(1, 1024)]
    public int TypeChars { get; init; } = 128;

    /// <summary>Characters of an event id.</summary>
    [Range(1, 1024)]
    public int EventIdChars { get; init; } = 128;

    /// <summary>Nesting of objects and arrays in a body.</summary>
    [Range(4, 512)]
    public int JsonDepth { get; init; } = 64;

    /// <summary>Bytes of an event's metadata as JSON.</summary>
    [Range(2, 8 * 1024 * 1024)]
    public int MetadataBytes { get; init; } = 64 * 1024;

    /// <summary>Characters of one expression.</summary>
    [Range(16, 1024 * 1024)]
    public int ExpressionChars { get; init; } = 4096;

    /// <summary>Commands that wait in one entity's mailbox; one more is refused with 429.</summary>
    [Range(1, 1_000_000)]
    public int MailboxCommands { get; init; } = 1024;

    /// <summary>Events in one page of history.</summary>
    [Range(1, 100_000)]
    public int HistoryLimit { get; init; } = 10_000;

    /// <summary>Seconds that a request may ask to wait.</summary>
    [Range(1, 3600)]
    public int WaitSeconds { get; init; } = 60;

    /// <summary>Steps of a saga.</summary>
    [Range(1, 10_000)]
    public int SagaSteps { get; init; } = 100;

    /// <summary>Rows of a query's answer.</summary>
    [Range(1, 10_000_000)]
    public int QueryRows { get; init; } = 10_000;

    /// <summary>Bytes of a query's answer.</summary>
    [Range(1024, 1 << 30)]
    public int QueryBytes { get; init; } = 8 * 1024 * 1024;

    /// <summary>Seconds a query may run.</summary>
    [Range(1, 3600)]
    public int QuerySeconds { get; init; } = 2;

    /// <summary>Characters of a SQL text.</summary>
    [Range(16, 1024 * 1024)]
    public int SqlChars { get; init; } = 16_384;

    /// <summary>Event streams open at once. An idle one costs some 20 KB; one more is refused with 503.</summary>
    [Range(1, 1_000_000)]
    public int Subscriptions { get; init; } = 10_000;

    /// <summary>
    /// Entities of which lines failed in one streaming append: their later lines fail, too, so they are remembered, some 200 bytes each. One more
    /// ends the stream.
    /// </summary>
    [Range(1, 1_000_000)]
    public int StreamFailedEntities { get; init; } = 16_384;

    /// <summary>Bytes of an aggregate's name; fixed by its grammar.</summary>
    public const int NameChars = 64;

    /// <summary>Characters of an Idempotency-Key: an event id less the room for <c>:index</c>.</summary>
    public const int IdempotencyKeyChars = 120;
}
