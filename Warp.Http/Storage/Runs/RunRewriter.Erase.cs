namespace Warp.Http.Storage;

internal sealed partial class RunRewriter
{
    private readonly List<(Task Gone, string Path)> _leaving = []; // the thread's own: files that were replaced and are still read, or there
    private volatile bool _erasureWaits; // for some of them

    /// <summary>
    /// Carries erasures to the runs: each run that holds an erased life is written again without it; when the last file that held it is
    /// unlinked, the erasure is complete. One rewrite serves all that wait. True if something changed.
    /// </summary>
    private bool Erase()
    {
        UnlinkLeft();

        // Those whose fence came during the last seal wait for the next one; the others don't wait for them.
        var pending = _tombstones.Pending().FindAll(t => !_tombstones.IsUnsealed(t));
        if (pending.Count == 0) return false;
        var erased = pending.ConvertAll(t => t.Entity);
        var changed = false;
        foreach (var run in _views.Current.Runs)
        {
            if (_stopping) return false;
            if (!Holds(run, erased)) continue;
            if (Rewrite([run], () => !_stopping) is not { } rewritten) return false;
            StorageMetrics.SealedBytes.Add(rewritten.Bytes);
            if (!Replace([run], rewritten, StoreStep.RewriteBuilt, StoreStep.RewriteNamed)) return false;
            changed = true;
        }

        // A merge's inputs may hold it too. What is still being read is looked at again when it is gone.
        if (_quarantined) return false;
        UnlinkLeft();
        _erasureWaits = _leaving.Count > 0;
        if (_erasureWaits) return changed;
        DirectorySync.Flush(_directory); // a power cut brings no unlinked file back
        _options.AtStep?.Invoke(StoreStep.ErasureClean);
        if (_quarantined) return false;
        _catalog.Completed(pending.ConvertAll(t => t.ReceiptId));
        foreach (var tombstone in pending) _tombstones.Completed(tombstone);
        return true;
    }

    /// <summary>What could not be unlinked when its last reader let go of it is tried again: while it is there, no erasure is complete.</summary>
    private void UnlinkLeft()
    {
        for (var i = _leaving.Count - 1; i >= 0; i--)
        {
            var (gone, path) = _leaving[i];
            if (!gone.IsCompleted || !MayUnlink) continue;
            if (gone.Exception is not null) File.Delete(path); // throws as long as it cannot be done
            _leaving.RemoveAt(i);
        }
    }

    private void Left()
    {
        if (_erasureWaits) ErasureDue();
        else Due();
    }

    private static bool Holds(Run run, List<long> entities) =>
        run.Read(entities, static (reader, entities) => entities.Exists(entity => reader.LastSeq(entity) > 0 || reader.HoldsName(entity) || reader.HoldsState(entity)));
}
