using Microsoft.Extensions.Logging;

namespace Warp.Http.Storage;

internal sealed partial class ShardWriter
{
    private Exception? _failure; // writer's thread only: why the last row was refused

    /// <summary>
    /// After a failed commit: the group is in doubt, and its journal is never touched again, for the page cache may show what the disk does not
    /// have. The catalog cuts it at the last durable position, so that rows in doubt can't come back; a new journal goes on from there.
    /// If that fails too, appends stay refused until it works.
    /// </summary>
    private void Fail()
    {
        // Before anything is told: an actor that hears of the failure must already find the new epoch.
        Volatile.Write(ref _epoch, _epoch + 1);
        StorageMetrics.CommitFailures.Add(1);
        LogCommitFailed(_logger, _failure!, _journal.Id, _durablePosition);
        Volatile.Write(ref _trouble, "A commit failed; a new journal is being made.");
        for (var i = _group.Count - 1; i >= 0; i--)
        {
            var item = _group[i];
            if (item.Failure != CommitFailure.None) continue;
            item.Failure = CommitFailure.InDoubt;
            TakeBackNumber(item);
            item.OnFailed_WriterThreadOnly();
        }

        CompleteGroup();
        while (!_quarantined && !TryReplaceJournal())
        {
            RefuseQueued();
            if (_stopping) return;
            _wake.WaitOne(TroubleRetry);
        }

        Volatile.Write(ref _trouble, null);
    }

    private void TakeBackNumber(CommitItem item)
    {
        if (!item.IsFirstOfEntity) return;
        // The group gave its numbers in ascending order and is walked backwards, so the counter ends where it was.
        item.EntityRef!.Number = 0;
        item.IsFirstOfEntity = false;
        _lastEntity--;
    }

    private bool TryReplaceJournal()
    {
        try
        {
            // What failed may have been marked before its error came. First this: a crash in between must not leave a mark ahead of what counts.
            _mark.Rewrite();
            _options.AtStep?.Invoke(StoreStep.MarkTakenBack);
            _catalog.FailJournal(_journal.Id, _durablePosition);
            _journal.Dispose();
            BeginJournal(TakeNextJournal() ?? Journal.Create(_directory, _catalog, _options));
            _maintenanceDue();
            return true;
        }
        catch (DamagedDataException e)
        {
            _onDamage(e);
            return false;
        }
        catch (IOException e)
        {
            Volatile.Write(ref _trouble, "A commit failed, and no new journal can be made; it is tried again every second.");
            LogReplaceFailed(_logger, e);
            return false;
        }
    }

    /// <summary>Answers what came in meanwhile: nothing of it was written.</summary>
    private void RefuseQueued()
    {
        _group.Clear();
        for (IQueued<CommitItem>? item = Take(); item is not null; item = item.Next) _group.Add((CommitItem)item);
        RefuseGroup();
    }

    private void RefuseGroup()
    {
        // An actor may have given their seqs under the epoch that stands: its next append would be written behind a hole.
        if (_group.Count > 0) Volatile.Write(ref _epoch, _epoch + 1);
        foreach (var item in _group)
        {
            item.Failure = CommitFailure.Refused;
            item.OnFailed_WriterThreadOnly();
        }

        CompleteGroup();
    }

    private void CompleteGroup()
    {
        var batch = Completions.Rent();
        foreach (var item in _group)
        {
            if (!batch.Add(item)) continue;
            batch.Queue();
            batch = Completions.Rent();
        }

        batch.Queue();
        _group.Clear();
    }

    /// <summary>A bug, not a disk: the shard stops, everybody who waits is told, and so is everybody who comes.</summary>
    private void StopForGood(Exception e)
    {
        LogStopped(_logger, e);
        Volatile.Write(ref _epoch, _epoch + 1);
        Volatile.Write(ref _trouble, "The writer stopped at an error that it has no answer to; see the log. Restart the service.");
        foreach (var item in _group)
        {
            if (item.Failure != CommitFailure.None) continue;
            item.Failure = CommitFailure.InDoubt;
            item.OnFailed_WriterThreadOnly();
        }

        CompleteGroup();
        while (!_stopping)
        {
            RefuseQueued();
            Sleep();
        }
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "A group commit failed in journal {Journal}; everything up to position {Position} is durable.")]
    private static partial void LogCommitFailed(ILogger logger, Exception e, long journal, long position);

    [LoggerMessage(Level = LogLevel.Error, Message = "No new journal can be made after a failed commit; appends are refused and it is tried again.")]
    private static partial void LogReplaceFailed(ILogger logger, Exception e);

    [LoggerMessage(Level = LogLevel.Critical, Message = "A shard's writer stopped.")]
    private static partial void LogStopped(ILogger logger, Exception e);
}
