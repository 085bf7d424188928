using Warp.Http.Events;

namespace Warp.Http.Entities;

/// <summary>SKETCH of the face; the body lands from another branch. Pooled: Rent, fill, AppendAsync, await once, read, Return.</summary>
public sealed class AppendCommand
{
    public static AppendCommand Rent() => throw new NotSupportedException();

    /// <summary>Copies the name (kind/id, checked with EntityName.TryCheck) into the command's own buffer.</summary>
    public void SetEntity(ReadOnlySpan<byte> name) => throw new NotSupportedException();

    public ReadOnlySpan<byte> Entity => throw new NotSupportedException();

    /// <summary>The events in stored form: Add each, then Seal() before AppendAsync.</summary>
    public EncodedEvents Events { get; } = new();

    public ExpectedSeq Expect { get; set; }

    /// <summary>Copies the Idempotency-Key; empty = none.</summary>
    public void SetIdempotencyKey(ReadOnlySpan<byte> ascii) => throw new NotSupportedException();

    /// <summary>?recreate=true.</summary>
    public bool Recreate { get; set; }

    public void Return() => throw new NotSupportedException();
}
