using System.Diagnostics;

namespace Warp.Http.Storage;

/// <summary>
/// Checks one shard: what the catalog says, each run in order of position, then what is in memory against its journals and the mark. Seals, merges
/// and erasures go on beside it: what they replace is checked in its new place.
/// </summary>
internal sealed class ShardCheck(Shard shard, Store store, VerifyLog log)
{
    /// <summary>A file that is being written may be read half; what is still wrong after so many looks is wrong.</summary>
    private const int Looks = 5;

    private static readonly TimeSpan BetweenLooks = TimeSpan.FromMilliseconds(100);

    private readonly SeqTable _seqs = new();
    private readonly string _directory = Path.Combine("shards", shard.Index.ToString("D3"));
    private int _files;
    private long _bytes;
    private long _events;
    private long _touched;
    private bool _isDamaged;
    private bool _isIncomplete;

    /// <summary>Bytes of the files there are to read.</summary>
    public static long BytesOf(Shard shard)
    {
        if (!shard.CanBeVerified) return 0;
        using var lease = shard.LeaseToVerify();
        return lease.View.Runs.Sum(run => run.Bytes) + lease.View.Memtables.Sum(memtable => memtable.Bytes);
    }

    /// <summary>The runs of the newest data alone, each by itself, up to so many bytes: what a start has time for.</summary>
    public void CheckNewest(long bytesMax)
    {
        using var lease = shard.LeaseToVerify();
        for (var i = lease.View.Runs.Length - 1; i >= 0 && lease.View.Runs[i].Bytes <= bytesMax; i--)
        {
            bytesMax -= lease.View.Runs[i].Bytes;
            NewRunCheck(lease.View.Runs[i], null).Check(long.MaxValue);
        }
    }

    public void Check()
    {
        var started = Stopwatch.GetTimestamp();
        try
        {
            if (shard.CanBeVerified) CheckAll();
            else CheckFiles();
        }
        catch (ShardUnavailableException)
        {
            // The store is being closed; the verification is stopped as well.
        }
        catch (Exception e) when (ReadFailure.IsOfReading(e))
        {
            Failed("", "", e);
        }

        log.Add(new VerifyShard(shard.Index, log.OutcomeOf(_isDamaged, _isIncomplete), _files, _bytes, _events, _seqs.Entities, Stopwatch.GetElapsedTime(started).TotalSeconds));
    }

    /// <summary>Of a shard that never came into service: why, and each file whose checksums say what is wrong with it.</summary>
    private void CheckFiles()
    {
        Problem("", "", shard.Damage ?? "The shard is out of service.");
        var directory = Path.Combine(store.DirectoryPath, _directory);
        foreach (var path in Directory.EnumerateFiles(directory).Order(StringComparer.Ordinal))
        {
            var name = Path.GetFileName(path);
            if (log.RestOrStop()) return;
            try
            {
                if (name is "mark" && HighWaterMark.Check(path) is { } what) Problem(name, "", what);
                else if (name is "catalog.db" || (name.StartsWith("run-", StringComparison.Ordinal) && name.EndsWith(".db", StringComparison.Ordinal))) CheckPagesOf(path, name);
                else if (name.EndsWith(".db-wal", StringComparison.Ordinal)) WalScan.Check(path);
                else continue;
            }
            catch (Exception e) when (ReadFailure.IsOfReading(e))
            {
                Failed(name, "", e);
            }

            _files++;
            _bytes += new FileInfo(path).Length;
        }
    }

    private void CheckPagesOf(string path, string name)
    {
        using var scan = new PageScan(path);
        while (!log.RestOrStop())
        {
            var read = scan.Step((page, what) => Problem(name, $"page {page}", what));
            log.AddBytes(read);
            if (read == 0) return;
        }
    }

    private void CheckAll()
    {
        var due = shard.DurablePosition;
        log.Begin($"catalog of shard {shard.Index}");
        CheckCatalog();
        long position = 0;
        while (position < due && !log.Stop.IsCancellationRequested)
        {
            Run? run;
            Memtable? memtable;
            using (var lease = shard.LeaseToVerify())
            {
                run = FeedReader.RunAt(lease.View, position + 1);
                memtable = run is null ? lease.View.Memtables.FirstOrDefault(m => m.LastPosition > position) : null;
            }

            if (run is not null)
            {
                log.Begin($"runs of shard {shard.Index}");
                position = CheckRun(run, position);
            }
            else if (memtable is null || memtable.FirstPosition != position + 1)
            {
                Problem("", "", $"Position {position + 1} stands in no run and no journal; {due} is durable.");
                return;
            }
            else
            {
                log.Begin($"journals of shard {shard.Index}");
                position = CheckMemtable(memtable);
            }
        }

        if (!log.Stop.IsCancellationRequested) CheckMark();
    }

    /// <returns>The position up to which the shard is checked.</returns>
    private long CheckRun(Run run, long position)
    {
        // Also of a run that was replaced before its end some entities' seqs are known already.
        var check = NewRunCheck(run, _seqs);
        var touched = _touched;
        _touched = Math.Max(touched, run.LastPosition);
        if (check.Check(touched) != RunCheckEnd.Done) return position;
        _files++;
        _bytes += run.Bytes;
        _events += check.Events;
        return run.LastPosition;
    }

    private RunCheck NewRunCheck(Run run, SeqTable? seqs) =>
        new(shard, run, seqs, log, Problem, Failed, name => store.TagOf(name.Span), store.IdSeed);

    private long CheckMemtable(Memtable memtable)
    {
        var rows = memtable.Rows.ToArray();
        var name = $"journal-{memtable.JournalId}.db";
        var check = new MemtableCheck(memtable, rows, _seqs, shard.Tombstones, (where, what) => Problem(name, where, what));
        _events += check.Check();
        CheckJournal(memtable, name, rows.Length);
        log.AddBytes(memtable.Bytes);
        _files += 2;
        _bytes += memtable.Bytes;
        var last = rows.Length == 0 ? memtable.LastPosition : rows[^1].LastPosition;
        // It may be sealed with its neighbour into a run that begins before what is checked by now: its entities' seqs are known then.
        _touched = Math.Max(_touched, last);
        return last;
    }

    private void CheckJournal(Memtable memtable, string name, int rows)
    {
        var path = Path.Combine(store.DirectoryPath, _directory, name);
        var wal = path + "-wal";
        LookAgain(name + "-wal", () =>
        {
            var isCut = shard.IsJournalCut(memtable.JournalId);
            if (!IsInUse(memtable)) return null; // sealed meanwhile: its files go away
            if (!File.Exists(path) || !File.Exists(wal)) return IsInUse(memtable) ? "The file is missing." : null;
            try
            {
                // The transaction that made the table comes first, then one for each row.
                var transactions = WalScan.Check(wal, isCut);
                return transactions > rows || !IsInUse(memtable) ? null : $"{rows} rows are durable; {Math.Max(0, transactions - 1)} are intact.";
            }
            catch (FileNotFoundException)
            {
                return IsInUse(memtable) ? "The file is missing." : null;
            }
            catch (DamagedDataException e)
            {
                return IsInUse(memtable) ? e.Message : null;
            }
        });
    }

    private bool IsInUse(Memtable memtable)
    {
        using var lease = shard.LeaseToVerify();
        return lease.View.Memtables.Contains(memtable);
    }

    private void CheckMark() => LookAgain("mark", () => HighWaterMark.Check(Path.Combine(store.DirectoryPath, _directory, "mark")));

    private void CheckCatalog()
    {
        _files++;
        try
        {
            foreach (var (where, what) in shard.CheckCatalog()) Problem("catalog.db", where, what);
        }
        catch (StorageException e)
        {
            Failed("catalog.db", "", e);
        }
    }

    private void LookAgain(string file, Func<string?> look)
    {
        string? what = null;
        for (var i = 0; i < Looks && !log.Stop.IsCancellationRequested; i++)
        {
            if (i > 0) log.Stop.WaitHandle.WaitOne(BetweenLooks);
            try
            {
                what = look();
            }
            catch (Exception e) when (ReadFailure.IsOfReading(e))
            {
                Failed(file, "", e);
                return;
            }

            if (what is null) return;
        }

        if (what is not null && !log.Stop.IsCancellationRequested) Problem(file, "", what);
    }

    /// <summary>A read did not come to its end. Only what can't be otherwise at the next try is damage: a shard is not taken from its users for less.</summary>
    private void Failed(string file, string where, Exception e)
    {
        if (ReadFailure.IsDamage(e))
        {
            Problem(file, where, e.Message);
            return;
        }

        _isIncomplete = true;
        log.Add(VerifyProblem.NotChecked(shard.Index, PathOf(file), where, e));
    }

    private string PathOf(string file) => file.Length == 0 ? _directory : Path.Combine(_directory, file);

    /// <summary>Tells it, and takes the shard out of service: what it would answer from there on can't be trusted.</summary>
    private void Problem(string file, string where, string what)
    {
        _isDamaged = true;
        var path = PathOf(file);
        log.Add(new VerifyProblem(shard.Index, path, where, what));
        if (shard.Damage is null) shard.Quarantine(new DamagedDataException($"{path}{(where.Length == 0 ? "" : $", {where}")}: {what}"));
    }
}
