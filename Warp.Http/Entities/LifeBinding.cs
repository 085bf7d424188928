namespace Warp.Http.Entities;

/// <summary>Which life of a name an append may land in; default: whichever there is. Any other answers as erased.</summary>
/// <remarks>
/// Who sends an append again after a long time binds it: ids are unique within a life only, so a repetition that meets a recreated entity would
/// be a new event there.
/// </remarks>
public readonly record struct LifeBinding
{
    private const long FirstLife = -1;
    private readonly long _number;

    private LifeBinding(long number) => _number = number;

    /// <summary>The first life that the name ever has: the entity was unknown when the append was decided on.</summary>
    public static LifeBinding First => new(FirstLife);

    public bool IsAny => _number == 0;

    public bool IsFirst => _number == FirstLife;

    /// <summary>The life's number in its shard; meaningless for any and first.</summary>
    public long Number => _number;

    /// <param name="number">A life that is durable.</param>
    public static LifeBinding To(long number) => new(number);
}
