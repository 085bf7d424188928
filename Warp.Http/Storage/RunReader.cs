using Warp.Http.Events;

namespace Warp.Http.Storage;

internal enum PieceChoice
{
    Read,

    /// <summary>Its body is not touched.</summary>
    Skip,

    Stop,
}

/// <summary>Receives the pieces of a run in order of entity and seq.</summary>
internal interface IPieceVisitor
{
    /// <summary>What to do with the next piece, judged by its columns.</summary>
    PieceChoice Choose(long entity, long lastSeq, long firstPosition, long lastPosition);

    /// <summary>False = enough.</summary>
    bool Visit(long entity, in EntitySlice slice);
}

/// <summary>One connection to a run with its prepared statements. Used by one thread at a time.</summary>
internal sealed class RunReader : IDisposable
{
    private readonly SqliteDatabase _database;
    private readonly SqliteStatement _ascending;
    private readonly SqliteStatement _descending;
    private readonly SqliteStatement _range;
    private readonly SqliteStatement _lastSeq;
    private readonly SqliteStatement _summary;
    private readonly SqliteStatement _ids;
    private readonly SqliteStatement _byTag;
    private readonly SqliteStatement _nameOf;
    private readonly SqliteStatement _names;
    private readonly SqliteStatement _states;
    private readonly SqliteStatement _pieces;

    public RunReader(string path)
    {
        _database = SqliteDatabase.OpenImmutable(path);
        _ascending = _database.Prepare("SELECT body FROM piece WHERE id BETWEEN ? AND ? AND last_seq >= ? AND first_seq <= ? ORDER BY id");
        _descending = _database.Prepare("SELECT body FROM piece WHERE id BETWEEN ? AND ? AND last_seq >= ? AND first_seq <= ? ORDER BY id DESC");
        _range = _database.Prepare("SELECT first_seq FROM piece WHERE id BETWEEN ? AND ? ORDER BY id LIMIT 1");
        _lastSeq = _database.Prepare("SELECT last_seq FROM piece WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1");
        _summary = _database.Prepare("SELECT last_seq, min_ms, max_ms, raw_len, aggregates FROM piece WHERE id BETWEEN ? AND ? ORDER BY id");
        _ids = _database.Prepare("SELECT p.first_seq, i.hashes FROM ids i JOIN piece p USING(id) WHERE i.id BETWEEN ? AND ? ORDER BY i.id");
        _byTag = _database.Prepare("SELECT entity, name FROM names WHERE tag = ? ORDER BY entity DESC");
        _nameOf = _database.Prepare("SELECT name FROM names WHERE entity = ?");
        _names = _database.Prepare("SELECT entity, name FROM names WHERE entity > ? ORDER BY entity LIMIT ?");
        _states = _database.Prepare("SELECT body FROM snap WHERE id BETWEEN ? AND ?");
        _pieces = _database.Prepare("SELECT id, last_seq, first_pos, last_pos, body FROM piece WHERE id >= ? ORDER BY id");
    }

    /// <summary>The lowest and the highest number of an entity first seen here; the other way round if there is none.</summary>
    public (long First, long Last) ReadNamed()
    {
        using var first = _database.PrepareOnce("SELECT entity FROM names ORDER BY entity LIMIT 1");
        using var last = _database.PrepareOnce("SELECT entity FROM names ORDER BY entity DESC LIMIT 1");
        return first.Step() && last.Step() ? (first.Int64(0), last.Int64(0)) : (1, 0);
    }

    /// <summary>States of one entity in one run: a row's id is the entity's number above 8 bits and a count below.</summary>
    public static long FirstStateId(long entity) => entity << 8;

    public static long LastStateId(long entity) => (entity << 8) | 0xff;

    public (long FirstPosition, long LastPosition, long LastMs, long Names, long States, BloomFilter Filter) ReadMeta()
    {
        using var meta = _database.PrepareOnce("SELECT value FROM meta WHERE key = ?");
        var format = Number("format");
        if (format != 1) throw new DamagedDataException($"A run has format {format}; this version reads format 1.");
        meta.Bind(1, "filter");
        if (!meta.Step()) throw new DamagedDataException("A run has no filter.");
        var filter = BloomFilter.FromBytes(meta.Blob(0));
        meta.Reset();
        if (Number("filter_crc") != Crc32C.Compute(filter.Bytes)) throw new DamagedDataException("The checksum of a run's filter does not match.");
        return (Number("first_pos"), Number("last_pos"), Number("last_ms"), Number("names"), Number("states"), filter);

        long Number(string key)
        {
            meta.Bind(1, key);
            if (!meta.Step()) throw new DamagedDataException($"A run has no {key}.");
            var value = meta.Int64(0);
            meta.Reset();
            return value;
        }
    }

    /// <summary>The highest seq of the entity in this run; 0 if it has none here.</summary>
    public long LastSeq(long entity) => First(_lastSeq, entity);

    /// <summary>The lowest seq of the entity in this run; 0 if it has none here.</summary>
    public long FirstSeq(long entity) => First(_range, entity);

    /// <summary>Visits the entity's slices that touch <paramref name="from"/> to <paramref name="to"/>; false if the visitor had enough.</summary>
    public bool Visit<TVisitor>(long entity, long from, long to, bool descending, ref TVisitor visitor)
        where TVisitor : ISliceVisitor
    {
        var pieces = (descending ? _descending : _ascending).Bind(1, Piece.FirstId(entity)).Bind(2, Piece.LastId(entity)).Bind(3, from).Bind(4, to);
        try
        {
            while (pieces.Step())
                if (!VisitPiece(Piece.Open(pieces.Blob(0)), from, to, descending, ref visitor)) return false;
            return true;
        }
        finally
        {
            pieces.Reset();
        }
    }

    /// <summary>Visits all pieces from an entity on, in order of entity and seq; false if the visitor had enough.</summary>
    public bool VisitPieces<TVisitor>(long fromEntity, ref TVisitor visitor)
        where TVisitor : IPieceVisitor
    {
        _pieces.Bind(1, Piece.FirstId(fromEntity));
        try
        {
            while (_pieces.Step())
            {
                var entity = Piece.EntityOf(_pieces.Int64(0));
                switch (visitor.Choose(entity, _pieces.Int64(1), _pieces.Int64(2), _pieces.Int64(3)))
                {
                    case PieceChoice.Stop: return false;
                    case PieceChoice.Skip: continue;
                }

                var raw = Piece.Open(_pieces.Blob(4));
                long position = 0, ms = 0;
                while (!raw.IsEmpty)
                    if (!visitor.Visit(entity, Piece.ReadSlice(ref raw, ref position, ref ms))) return false;
            }

            return true;
        }
        finally
        {
            _pieces.Reset();
        }
    }

    public void Summarize(long entity, EntitySummary summary)
    {
        _summary.Bind(1, Piece.FirstId(entity)).Bind(2, Piece.LastId(entity));
        while (_summary.Step()) summary.Add(_summary.Int64(0), _summary.Int64(1), _summary.Int64(2), _summary.Int64(3), _summary.Blob(4));
        _summary.Reset();
    }

    /// <summary>Gives each caller-given id's hash and the seq it points to.</summary>
    public void VisitIds(long entity, Action<ulong, long> add)
    {
        _ids.Bind(1, Piece.FirstId(entity)).Bind(2, Piece.LastId(entity));
        while (_ids.Step())
        {
            var firstSeq = _ids.Int64(0);
            foreach (var packed in System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(_ids.Blob(1)))
                add(packed >> 24, firstSeq + (long)(packed & 0xff_ffff));
        }

        _ids.Reset();
    }

    /// <summary>The newest number under which the name stands here; 0 if none.</summary>
    public long FindName(NameTag tag, ReadOnlySpan<byte> name)
    {
        _byTag.Bind(1, (long)tag.High);
        try
        {
            while (_byTag.Step())
                if (_byTag.Blob(1).SequenceEqual(name)) return _byTag.Int64(0);
            return 0;
        }
        finally
        {
            _byTag.Reset();
        }
    }

    /// <summary>The newest state of this aggregate and fingerprint that covers no more than <paramref name="seqMax"/>.</summary>
    public StoredState? FindState(long entity, ReadOnlySpan<byte> aggregate, ulong fingerprint, long seqMax)
    {
        _states.Bind(1, FirstStateId(entity)).Bind(2, LastStateId(entity));
        try
        {
            StoredState? found = null;
            while (_states.Step())
            {
                var body = StateBody.Read(_states.Blob(0));
                if (body.Fingerprint != fingerprint || body.Seq > seqMax || body.Seq <= (found?.Seq ?? 0) || !body.Aggregate.SequenceEqual(aggregate)) continue;
                found = new StoredState(body.Seq, body.LastMs, body.Flags, body.State.ToArray());
            }

            return found;
        }
        finally
        {
            _states.Reset();
        }
    }

    /// <summary>Null if the entity was not first seen here.</summary>
    public EntityName? NameOf(long entity)
    {
        _nameOf.Bind(1, entity);
        var name = _nameOf.Step() ? new EntityName(_nameOf.Blob(0)) : null;
        _nameOf.Reset();
        return name;
    }

    public bool HoldsName(long entity)
    {
        _nameOf.Bind(1, entity);
        var holds = _nameOf.Step();
        _nameOf.Reset();
        return holds;
    }

    /// <summary>Names with a number above <paramref name="after"/>, in ascending order.</summary>
    public void ListNames(long after, int limit, Action<long, EntityName> add)
    {
        _names.Bind(1, after).Bind(2, limit);
        while (_names.Step()) add(_names.Int64(0), new EntityName(_names.Blob(1)));
        _names.Reset();
    }

    /// <summary>For whoever reads a whole run, as a rewrite does.</summary>
    public SqliteStatement PrepareOnce(string sql) => _database.PrepareOnce(sql);

    public void Dispose() => _database.Dispose();

    private static long First(SqliteStatement statement, long entity)
    {
        statement.Bind(1, Piece.FirstId(entity)).Bind(2, Piece.LastId(entity));
        var value = statement.Step() ? statement.Int64(0) : 0;
        statement.Reset();
        return value;
    }

    private static bool VisitPiece<TVisitor>(ReadOnlySpan<byte> raw, long from, long to, bool descending, ref TVisitor visitor)
        where TVisitor : ISliceVisitor
    {
        long position = 0, ms = 0;
        if (!descending)
        {
            while (!raw.IsEmpty)
            {
                var slice = Piece.ReadSlice(ref raw, ref position, ref ms);
                if (slice.LastSeq >= from && slice.FirstSeq <= to && !visitor.Visit(slice)) return false;
            }

            return true;
        }

        // Slices are chained forwards by deltas: note where each begins, then go back.
        var starts = new Stack<(int Left, long Position, long Ms)>();
        for (var rest = raw; !rest.IsEmpty;)
        {
            starts.Push((rest.Length, position, ms));
            Piece.ReadSlice(ref rest, ref position, ref ms);
        }

        while (starts.TryPop(out var start))
        {
            var rest = raw[(raw.Length - start.Left)..];
            (_, position, ms) = start;
            var slice = Piece.ReadSlice(ref rest, ref position, ref ms);
            if (slice.LastSeq >= from && slice.FirstSeq <= to && !visitor.Visit(slice)) return false;
        }

        return true;
    }
}
