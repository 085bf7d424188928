namespace Warp.Http.Events;

/// <summary>What an append demands of the entity's last seq, and of its life if an ETag named one.</summary>
/// <param name="Seq">The last seq; 0 = has no events; null = anything goes.</param>
/// <param name="Life">The life the caller saw; null = any.</param>
public readonly record struct ExpectedSeq(long? Seq, Life? Life = null)
{
    public static ExpectedSeq Any => default;

    public static ExpectedSeq Nothing => new(0);

    public bool IsAny => Seq is null;
}
