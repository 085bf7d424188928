using Warp.Http.Storage;

namespace Warp.Http.Entities;

public sealed partial class EntityActor
{
    /// <summary>Activation without a file: false if only a run can tell.</summary>
    private bool TryLoadFromMemory()
    {
        _epoch = Shard.Epoch;
        var view = Shard.Views.Current;
        if (view.TryFindInMemory(Tag, out var number) && !Shard.Tombstones.IsFenced(number))
        {
            // The name stands where the first append stands, so all of the life is in memory.
            BecomeLife(number, view.LastSeq(number));
            return true;
        }

        if (view.MayBeInRuns(Tag)) return false;
        BecomeAbsent();
        return true;
    }

    /// <summary>On a reader's thread: activation from runs, then the command that waited for it.</summary>
    private bool LoadThenHandle(EntityCommand command)
    {
        _epoch = Shard.Epoch;
        using (var lease = Shard.Views.Lease())
        {
            var view = lease.View;
            var number = view.TryFindInMemory(Tag, out var inMemory) && !Shard.Tombstones.IsFenced(inMemory)
                ? inMemory
                : view.FindInRuns(Tag, Name.Utf8, entity => !Shard.Tombstones.IsFenced(entity));
            if (number == 0) BecomeAbsent();
            else BecomeLife(number, view.LastSeq(number));
        }

        return Handle(command, mayReadDisk: true);
    }

    private void BecomeLife(long number, long lastSeq)
    {
        EntityMetrics.Activated.Add(1);
        _life = new EntityLife(new EntityRef(Name, Tag, number), lastSeq);
        _lastSeq = lastSeq;
        _erased = false;
        _loaded = true;
        Volatile.Write(ref _published, _life);
    }

    private void BecomeAbsent()
    {
        _life = null;
        _lastSeq = 0;
        _erased = Shard.Tombstones.TryFind(Tag, out _);
        _loaded = true;
    }
}
