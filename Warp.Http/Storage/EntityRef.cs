using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>One life of an entity as its shard knows it.</summary>
public class EntityRef(EntityName name, NameTag tag, long number)
{
    private long _number = number;

    public EntityName Name { get; } = name;

    public NameTag Tag { get; } = tag;

    /// <summary>
    /// 0 until its first append is committed. Given by the writer in commit order, taken back if that commit fails;
    /// readers see it after the durable seq that was published behind it.
    /// </summary>
    public long Number
    {
        get => Volatile.Read(ref _number);
        internal set => Volatile.Write(ref _number, value);
    }
}
