namespace Warp.Http.Events;

/// <summary>
/// How far a consumer is in one shard's feed: everything up to <see cref="Position"/> is done, and of what lies behind it up to
/// <see cref="Until"/> everything of entities below <see cref="Entity"/> and of that entity itself everything up to <see cref="Seq"/>.
/// </summary>
/// <remarks>
/// Where events stand by position (in memory), <see cref="Until"/> equals <see cref="Position"/>. In a run they stand by entity: a place inside
/// it says which range of positions was being read. The range stays what it is when that run becomes part of a larger one, so a place
/// outlives seals, merges and rewrites.
/// </remarks>
public readonly record struct FeedPlace(long Position, long Until, long Entity, long Seq)
{
    /// <summary>As <see cref="Seq"/>: nothing of the entity is left in the range.</summary>
    public const long WholeEntity = long.MaxValue;

    public static FeedPlace Start => default;

    /// <summary>True if the place is a position and nothing more.</summary>
    public bool IsPlain => Until == Position;

    /// <summary>True if it is the one way to say what it says.</summary>
    public bool IsCanonical => Position >= 0 && (IsPlain ? Entity == 0 && Seq == 0 : Until > Position && Entity > 0 && Seq > 0);

    public static FeedPlace At(long position) => new(position, position, 0, 0);

    /// <summary>The same range, with another entity's events done.</summary>
    public FeedPlace After(long entity, long seq) => this with { Entity = entity, Seq = seq };
}
