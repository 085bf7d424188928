using Warp.Http.Storage;

namespace Warp.Http.Entities;

public sealed partial class EntityActor
{
    /// <summary>Activation without a file: false if only a run can tell.</summary>
    private bool TryLoadFromMemory()
    {
        _epoch = Shard.Epoch;
        var view = Shard.Views.Current;
        var tag = _registry.Store.TagOf(Name.Utf8);
        if (view.TryFindInMemory(tag, out var number) && !Shard.Tombstones.IsFenced(number))
        {
            // The name stands where the first append stands, so all of the life is in memory.
            BecomeLife(tag, number, view.LastSeq(number));
            return true;
        }

        if (view.MayBeInRuns(tag)) return false;
        BecomeAbsent(tag);
        return true;
    }

    /// <summary>On a reader's thread: activation from runs, then the command that waited for it.</summary>
    private bool LoadThenHandle(EntityCommand command)
    {
        _epoch = Shard.Epoch;
        using (var lease = Shard.Views.Lease())
        {
            var view = lease.View;
            var tag = _registry.Store.TagOf(Name.Utf8);
            var number = view.TryFindInMemory(tag, out var inMemory) && !Shard.Tombstones.IsFenced(inMemory)
                ? inMemory
                : view.FindInRuns(tag, Name.Utf8, entity => !Shard.Tombstones.IsFenced(entity));
            if (number == 0) BecomeAbsent(tag);
            else BecomeLife(tag, number, view.LastSeq(number));
        }

        return Handle(command, mayReadDisk: true);
    }

    private void BecomeLife(NameTag tag, long number, long lastSeq)
    {
        EntityMetrics.Activated.Add(1);
        _life = new EntityLife(Name, tag, number, lastSeq);
        _lastSeq = lastSeq;
        _erased = false;
        _loaded = true;
        Volatile.Write(ref _published, _life);
    }

    private void BecomeAbsent(NameTag tag)
    {
        _life = null;
        _nextLife = new EntityLife(Name, tag, 0, 0); // the command that asked is an append as a rule, and begins it
        _lastSeq = 0;
        _erased = Shard.Tombstones.TryFind(tag, out _);
        _loaded = true;
    }
}
