namespace Warp.Http.Storage;

/// <summary>How the check of a run ended.</summary>
internal enum RunCheckEnd
{
    Done,

    /// <summary>A merge or an erasure replaced the run meanwhile: what stands in its place is to be checked.</summary>
    Replaced,

    Stopped,
}

/// <summary>
/// Checks one run from end to end (without what was seen of the entities before: pages and pieces alone): each page's checksum, then each piece with its events, ids, seqs and positions, then names with their tags and
/// the filter, then states. It holds a view for a page of work at a time, so neither merges nor erasures wait for it.
/// </summary>
internal sealed class RunCheck(Shard shard, Run run, SeqTable? seqs, VerifyLog log, Action<string, string, string> onProblem, Action<string, string, Exception> onFailure, Func<ReadOnlyMemory<byte>, NameTag> tagOf, long idSeed)
{
    /// <summary>States and names that are read at once.</summary>
    private const int Batch = 1000;

    private readonly string _file = Path.GetFileName(run.Path);
    private readonly List<VerifyName> _names = [];
    private bool _hasProblem;

    public long Events { get; private set; }

    /// <param name="alreadyChecked">The position up to which the shard was checked before: a run that begins at or before it comes a second time.</param>
    public RunCheckEnd Check(long alreadyChecked)
    {
        try
        {
            var end = CheckPages();
            // What stands on damaged pages can't be read; the rest of the file would only repeat it.
            if (end == RunCheckEnd.Done && !_hasProblem) end = CheckPieces(alreadyChecked);
            if (seqs is null) return end;
            if (end == RunCheckEnd.Done && !_hasProblem) end = CheckMeta();
            if (end == RunCheckEnd.Done && !_hasProblem) end = CheckNames();
            if (end == RunCheckEnd.Done && !_hasProblem) end = CheckStates();
            return end;
        }
        catch (Exception e) when (ReadFailure.IsOfReading(e))
        {
            Failed("", e);
            return RunCheckEnd.Done;
        }
    }

    private RunCheckEnd CheckPages()
    {
        PageScan? scan = null;
        try
        {
            while (true)
            {
                if (log.RestOrStop()) return RunCheckEnd.Stopped;
                using var lease = shard.LeaseToVerify();
                if (!lease.View.Runs.Contains(run)) return RunCheckEnd.Replaced;
                scan ??= new PageScan(run.Path);
                var read = scan.Step((page, what) => Problem($"page {page}", what));
                log.AddBytes(read);
                if (read == 0) return RunCheckEnd.Done;
            }
        }
        finally
        {
            scan?.Dispose();
        }
    }

    private RunCheckEnd CheckPieces(long alreadyChecked)
    {
        var check = new PieceCheck(run, seqs, isAgain: run.FirstPosition <= alreadyChecked, shard.Tombstones, idSeed, Problem);
        while (true)
        {
            if (log.RestOrStop()) return RunCheckEnd.Stopped;
            using var lease = shard.LeaseToVerify();
            if (!lease.View.Runs.Contains(run)) return RunCheckEnd.Replaced;
            try
            {
                if (!run.Read(check, static (reader, check) => check.Step(reader), isFromDisk: true)) continue;
            }
            catch (Exception e) when (ReadFailure.IsOfReading(e))
            {
                Failed(check.Where, e);
            }

            Events = check.Events;
            return RunCheckEnd.Done;
        }
    }

    private RunCheckEnd CheckMeta()
    {
        using var lease = shard.LeaseToVerify();
        if (!lease.View.Runs.Contains(run)) return RunCheckEnd.Replaced;
        run.Read(this, (reader, check) =>
        {
            if (reader.Meta != run.Meta) check.Problem("meta", "It is not what it was when the run was opened.");
            if (!run.HasFilter(reader.ReadFilter())) check.Problem("filter", "It is not what it was when the run was opened.");
            return true;
        }, isFromDisk: true);
        return RunCheckEnd.Done;
    }

    private RunCheckEnd CheckNames()
    {
        long after = 0;
        long found = 0;
        while (true)
        {
            if (log.RestOrStop()) return RunCheckEnd.Stopped;
            using var lease = shard.LeaseToVerify();
            if (!lease.View.Runs.Contains(run)) return RunCheckEnd.Replaced;
            _names.Clear();
            run.Read(this, (reader, check) =>
            {
                reader.ListNames(after, Batch, (entity, name) => check._names.Add(new VerifyName(entity, name.Memory)));
                foreach (var name in check._names) check.CheckName(reader, name);
                return true;
            }, isFromDisk: true);
            found += _names.Count;
            if (_names.Count > 0) after = _names[^1].Entity;
            if (_names.Count == Batch) continue;
            if (found != run.Meta.Names) Problem("names", $"The run counts {run.Meta.Names} names; {found} are there.");
            return RunCheckEnd.Done;
        }
    }

    private void CheckName(RunReader reader, in VerifyName name)
    {
        var where = $"name of entity {name.Entity}";
        if (name.Name.Span.IndexOf((byte)'/') <= 0) Problem(where, "It is not a name.");
        var tag = tagOf(name.Name);
        if (!run.MayHold(tag)) Problem(where, "The filter does not know it: the entity could not be found.");
        // Of two lives of a name in one run the later is found.
        if (reader.FindName(tag, name.Name.Span) < name.Entity) Problem(where, "It is not found by its tag.");
        if (reader.LastSeq(name.Entity) == 0 && !shard.Tombstones.IsFenced(name.Entity)) Problem(where, "The run has the name and no event of it.");
    }

    private RunCheckEnd CheckStates()
    {
        long after = -1;
        while (true)
        {
            if (log.RestOrStop()) return RunCheckEnd.Stopped;
            using var lease = shard.LeaseToVerify();
            if (!lease.View.Runs.Contains(run)) return RunCheckEnd.Replaced;
            var read = run.Read(after, (reader, from) =>
            {
                using var states = reader.PrepareOnce("SELECT id, body FROM snap WHERE id > ? ORDER BY id LIMIT ?");
                states.Bind(1, from).Bind(2, Batch);
                var count = 0;
                for (; states.Step(); count++)
                {
                    after = states.Int64(0);
                    CheckState(RunReader.EntityOfState(after), states.Blob(1));
                }

                return count;
            }, isFromDisk: true);
            if (read < Batch) return RunCheckEnd.Done;
        }
    }

    private void CheckState(long entity, ReadOnlySpan<byte> body)
    {
        var state = StateBody.Read(body);
        if (state.Seq > seqs![entity] && !seqs.HasHoles && !shard.Tombstones.IsFenced(entity))
            Problem($"state of entity {entity}", $"It covers seq {state.Seq}; the entity is at {seqs[entity]}.");
    }

    private void Problem(string where, string what)
    {
        NoteHole();
        onProblem(_file, where, what);
    }

    private void Failed(string where, Exception e)
    {
        NoteHole();
        onFailure(_file, where, e);
    }

    /// <summary>What follows can't be held to what stands here.</summary>
    private void NoteHole()
    {
        _hasProblem = true;
        if (seqs is not null) seqs.HasHoles = true;
    }

    private readonly record struct VerifyName(long Entity, ReadOnlyMemory<byte> Name);
}
