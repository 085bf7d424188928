namespace Warp.Http.Events;

/// <summary>One event's parts as UTF-8, borrowed from a request body or a record; an absent part is empty.</summary>
/// <remarks>
/// <see cref="Type"/>, <see cref="Aggregate"/>, <see cref="Id"/> and <see cref="OccurredAt"/> are plain text (no JSON escapes);
/// <see cref="Metadata"/> and <see cref="Payload"/> are JSON without line breaks between tokens, digits as they were sent.
/// </remarks>
public ref struct EventFields
{
    public ReadOnlySpan<byte> Type;
    public ReadOnlySpan<byte> Aggregate;

    /// <summary>The id the caller gave; empty where the id follows from an Idempotency-Key or from life and seq.</summary>
    public ReadOnlySpan<byte> Id;

    /// <summary>RFC 3339 text exactly as the caller sent it.</summary>
    public ReadOnlySpan<byte> OccurredAt;
    public ReadOnlySpan<byte> Metadata;
    public ReadOnlySpan<byte> Payload;

    /// <summary>From 1; 1 is the default and takes no room in the record.</summary>
    public int SchemaVersion;
}
