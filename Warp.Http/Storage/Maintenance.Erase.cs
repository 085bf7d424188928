namespace Warp.Http.Storage;

internal sealed partial class Maintenance
{
    /// <summary>
    /// Carries erasures to the runs. First the fences are sealed (with them everything before is out of the journals), then each run that holds
    /// an erased life is written again without it; when the last file that held it is unlinked, the erasure is complete.
    /// One rotation and one rewrite serve all that wait.
    /// </summary>
    private void Erase()
    {
        _leaving.RemoveAll(task => task.IsCompletedSuccessfully);
        if (_leaving.Find(task => task.IsFaulted) is { } failed)
        {
            _leaving.Remove(failed);
            throw new StorageException("A file that was replaced cannot be unlinked; the next start deletes it.", failed.Exception);
        }

        // Those whose fence came during the last seal wait for the next one; the others don't wait for them.
        var pending = _tombstones.Pending().FindAll(t => !_tombstones.IsUnsealed(t));
        if (pending.Count == 0) return;
        var erased = pending.Select(t => t.Entity).ToList();
        foreach (var run in _views.Current.Runs)
            if (Holds(run, erased)) Rewrite(run);
        if (_leaving.Exists(task => !task.IsCompletedSuccessfully)) return; // a page is still being read; looked at again next turn
        DirectorySync.Flush(_directory); // a power cut brings no unlinked file back
        _options.AtStep?.Invoke(StoreStep.ErasureClean);
        foreach (var tombstone in pending)
        {
            _catalog.Completed(tombstone.ReceiptId);
            _tombstones.Completed(tombstone);
        }
    }

    private static bool Holds(Run run, List<long> entities) =>
        run.Read(entities, static (reader, entities) => entities.Exists(entity => reader.LastSeq(entity) > 0 || reader.HoldsName(entity)));

    /// <summary>Copies a run without the fenced lives and puts the copy in its place.</summary>
    private void Rewrite(Run old)
    {
        var id = _catalog.NextFileId();
        using (var builder = new RunBuilder(_directory, id, _idSeed))
        {
            old.Read(builder, (reader, to) =>
            {
                Copy(reader, to);
                return true;
            });
            builder.Finish(old.FirstPosition, old.LastPosition, old.LastMs);
        }

        var run = Run.Open(_directory, id, _onDamage);
        StorageMetrics.SealedBytes.Add(run.Bytes);
        NameInCatalog(run, StoreStep.RewriteBuilt, () => _catalog.Replaced(old.Id, new RunEntry(run.Id, run.FirstPosition, run.LastPosition)));
        _options.AtStep?.Invoke(StoreStep.RewriteNamed);
        var gone = old.Retire();
        _leaving.Add(gone);
        _ = gone.ContinueWith(static (_, state) => ((Maintenance)state!).Due(), this, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        _views.Replace(view => new View(view.Runs.Replace(old, run), view.Memtables));
    }

    private void Copy(RunReader reader, RunBuilder builder)
    {
        using var names = reader.PrepareOnce("SELECT entity, name FROM names ORDER BY entity");
        while (names.Step())
            if (!_tombstones.IsFenced(names.Int64(0))) builder.AddName(names.Int64(0), NameTag.Of(names.Blob(1), _nameSecret), names.Blob(1));
        using var pieces = reader.PrepareOnce(
            "SELECT p.id, first_seq, last_seq, first_pos, last_pos, min_ms, max_ms, raw_len, aggregates, body, i.hashes FROM piece p LEFT JOIN ids i USING(id) ORDER BY p.id");
        while (pieces.Step())
            if (!_tombstones.IsFenced(Piece.EntityOf(pieces.Int64(0)))) builder.CopyPiece(pieces, pieces.Blob(10));
        using var states = reader.PrepareOnce("SELECT id >> 8, body FROM snap ORDER BY id");
        while (states.Step())
            if (!_tombstones.IsFenced(states.Int64(0))) builder.AddState(states.Int64(0), states.Blob(1));
    }
}
