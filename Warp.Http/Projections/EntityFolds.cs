using Warp.Http.Aggregates;
using Warp.Http.Events;

namespace Warp.Http.Projections;

/// <summary>A life's state as far as the projection has gone with it.</summary>
internal sealed class EntityFold(long key, EntityName name, Life life, FoldState state)
{
    public long Key { get; } = key;

    public EntityName Name { get; } = name;

    public Life Life { get; } = life;

    public FoldState State { get; } = state;

    /// <summary>The entity's seq that the projection has come to.</summary>
    public long Seq { get; set; }

    /// <summary>True if the entity has an event of the aggregate.</summary>
    public bool HasEvents { get; set; }

    /// <summary>Why its history does not fold, by this plan and for ever; null if it does.</summary>
    public FoldFailure? Failure { get; set; }

    /// <summary>True while it stands among those whose row is to be made.</summary>
    public bool IsTouched { get; set; }

    public long Bytes => 200 + Name.Utf8.Length + State.SizeEstimate;
}

/// <summary>The states that a projection folds on, under a bound of memory.</summary>
/// <remarks>
/// One thread at a time. Two generations: when the younger has half of the memory, it becomes the older, and what the older held and nobody asked for
/// since is let go. A state that is let go is folded anew when its entity's next event comes.
/// </remarks>
internal sealed class EntityFolds(long bytesMax)
{
    private Dictionary<long, EntityFold> _young = [];
    private Dictionary<long, EntityFold> _old = [];
    private long _youngBytes;

    public EntityFold? Find(long key)
    {
        if (_young.TryGetValue(key, out var fold)) return fold;
        if (!_old.Remove(key, out fold)) return null;
        Add(fold);
        return fold;
    }

    public void Add(EntityFold fold)
    {
        _young[fold.Key] = fold;
        _youngBytes += fold.Bytes;
    }

    public void Remove(long key)
    {
        _young.Remove(key);
        _old.Remove(key);
    }

    /// <summary>Between two steps: what is in use by a step must not go.</summary>
    public void Trim()
    {
        if (_youngBytes <= bytesMax / 2) return;

        // States grow after they were added: counted again, so that the bound holds.
        _youngBytes = 0;
        foreach (var fold in _young.Values) _youngBytes += fold.Bytes;
        if (_youngBytes <= bytesMax / 2) return;
        _old = _young;
        _young = [];
        _youngBytes = 0;
    }
}
