using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Subscriptions;

/// <summary>One entity that is followed in a tail, with its subscribers. Under the tail's gate, but for what is marked.</summary>
/// <param name="number">0 while the entity does not exist: its first record will say.</param>
/// <param name="tag">The name's, by which fences know it.</param>
internal sealed class EntityTopic(EntityName name, NameTag tag, long number)
{
    private long _lastSeq;

    public EntityName Name { get; } = name;

    public NameTag Tag { get; } = tag;

    public long Number { get; set; } = number;

    /// <summary>True if the name had a life before this one: ids then carry the life.</summary>
    public bool IsRecreated { get; set; }

    public List<Subscriber> Subscribers { get; } = [];

    /// <summary>The last seq that came by here; 0 = none yet. Written after its event was pushed; any thread reads.</summary>
    public long LastSeq
    {
        get => Volatile.Read(ref _lastSeq);
        set => Volatile.Write(ref _lastSeq, value);
    }
}
