namespace Warp.Http.Storage;

/// <summary>
/// Writes neighbouring runs as one: what was erased is left out, an entity's small pieces are packed together and compressed, its large ones are
/// taken as they are.
/// </summary>
/// <remarks>
/// Used by one thread, with a reader of each run that nobody else uses. Everything streams: memory does not grow with the runs, but for their filter.
/// </remarks>
internal sealed class RunMerger(IReadOnlyList<RunReader> inputs, IReadOnlySet<long> erased, byte[] nameSecret, RunBuilder output, Func<bool> goOn) : IDisposable
{
    /// <summary>A piece of at least this size is not unpacked to fill it up: that would move on to every piece behind it.</summary>
    private const int LargePieceBytes = Piece.RawBytesMax / 2;

    /// <summary>Rows between two looks at whether to go on, where rows are short.</summary>
    private const int RowsPerLook = 256;

    private readonly List<IDisposable> _open = [];
    private readonly StateMerge _states = new(output);
    private long _erasedEvents;

    /// <summary>False = it was told to stop; what was written is worth nothing.</summary>
    public bool Merge()
    {
        if (!CopyNames() || !CopyTags() || !CopyPieces() || !CopyStates()) return false;
        output.EndEvents();
        var due = inputs.Sum(input => input.Meta.Events) - _erasedEvents;
        if (output.Events != due)
        {
            var files = string.Join(", ", inputs.Select(input => input.FileName));
            throw new DamagedDataException($"{files}: a merge of {due} events wrote {output.Events}.") { File = files };
        }

        output.Finish(inputs[^1].Meta.LastPosition, inputs.Max(input => input.Meta.LastMs));
        return true;
    }

    public void Dispose()
    {
        foreach (var open in _open) open.Dispose();
    }

    // Tags are copied from the inputs' own tables. Only where one stands beside its place is it computed anew, for there the row doesn't tell it.
    private bool TagsAreInPlace => inputs.All(input => input.Meta.DisplacedTags == 0);

    private bool CopyNames()
    {
        var inPlace = TagsAreInPlace;
        return ForEach("SELECT entity, name FROM names ORDER BY entity", (entity, row) =>
        {
            if (erased.Contains(entity)) return;
            if (inPlace) output.AddName(entity, row.Blob(1));
            else output.AddName(entity, NameTag.Of(row.Blob(1), nameSecret), row.Blob(1));
        });
    }

    private bool CopyTags()
    {
        if (!TagsAreInPlace) return true;
        output.ExpectTags(inputs.Sum(input => input.Meta.Names));
        return ForEach("SELECT id, entity FROM tag ORDER BY id", (high, row) =>
        {
            if (!erased.Contains(row.Int64(1))) output.AddTag(high, row.Int64(1));
        });
    }

    private bool CopyStates()
    {
        var whole = ForEach("SELECT id >> 8, body FROM snap ORDER BY id", (entity, row) =>
        {
            if (!erased.Contains(entity)) _states.Add(entity, row.Blob(1));
        });
        _states.Flush();
        return whole;
    }

    private bool ForEach(string sql, Action<long, SqliteStatement> take)
    {
        var statements = inputs.Select(input => Opened(input.PrepareOnce(sql))).ToList();
        var rows = new AscendingRows(statements.ConvertAll<Func<long?>>(statement => () => statement.Step() ? statement.Int64(0) : null));
        var count = 0;
        return GoThrough(rows, source =>
        {
            take(rows.Key, statements[source]);
            return ++count % RowsPerLook != 0 || goOn();
        });
    }

    private bool CopyPieces()
    {
        var scans = inputs.Select(input => Opened(new RunScan(input))).ToList();
        var ids = inputs.Select(input => Opened(input.PrepareOnce("SELECT hashes FROM ids WHERE id = ?"))).ToList();
        var pieces = new AscendingRows(scans.ConvertAll<Func<long?>>(scan => () => scan.Next() ? scan.Entity : null));
        return GoThrough(pieces, source =>
        {
            TakePiece(scans[source], ids[source]);
            return goOn();
        });
    }

    private void TakePiece(RunScan scan, SqliteStatement ids)
    {
        var head = scan.Head;
        if (erased.Contains(scan.Entity)) _erasedEvents += head.Count;
        else if (head.RawLength >= LargePieceBytes) CopyPiece(scan, head, ids);
        else Repack(scan, head);
    }

    /// <summary>All inputs' rows in order. They are read at once, so only here it is known in which file a contradiction stands.</summary>
    private bool GoThrough(AscendingRows rows, Func<int, bool> take)
    {
        try
        {
            while (rows.MoveNext())
                if (!take(rows.Current)) return false;
            return true;
        }
        catch (Exception e) when (e is DamagedDataException { File: null } or InvalidDataException)
        {
            var file = inputs[rows.Current].FileName;
            throw new DamagedDataException($"{file}: {e.Message}", e) { File = file };
        }
    }

    private void CopyPiece(RunScan scan, in PieceHead head, SqliteStatement ids)
    {
        ids.Bind(1, scan.Id);
        output.AddPiece(scan.Entity, head, scan.Body, ids.Step() ? ids.Blob(0) : default);
        ids.Reset();
    }

    private void Repack(RunScan scan, in PieceHead head)
    {
        var raw = scan.Open(head);
        var chain = head.Start;
        while (!raw.IsEmpty)
        {
            var slice = Piece.ReadSlice(ref raw, ref chain);
            output.Add(scan.Entity, slice);
        }

        if (chain.Seq != head.LastSeq + 1) throw new DamagedDataException("A piece does not end at the seq that its head says.");
    }

    private T Opened<T>(T opened)
        where T : IDisposable
    {
        _open.Add(opened);
        return opened;
    }

    /// <summary>Of several states of one entity and aggregate, the one of the latest run is kept: it was made with what is defined since.</summary>
    private sealed class StateMerge(RunBuilder output)
    {
        private readonly List<byte[]> _newest = [];
        private long _entity;

        public void Add(long entity, ReadOnlySpan<byte> body)
        {
            if (entity != _entity) Flush();
            _entity = entity;
            var aggregate = StateBody.Read(body).Aggregate.ToArray();
            var known = _newest.FindIndex(other => StateBody.Read(other).Aggregate.SequenceEqual(aggregate));
            if (known < 0) _newest.Add(body.ToArray());
            else _newest[known] = body.ToArray();
        }

        public void Flush()
        {
            foreach (var body in _newest) output.AddState(_entity, body);
            _newest.Clear();
        }
    }
}
