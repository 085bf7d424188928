using System.Runtime.InteropServices;
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
    /// <summary>What to do with the next piece, judged by its head.</summary>
    PieceChoice Choose(long id, long lastSeq, long firstPosition, long lastPosition);

    /// <summary>False = enough.</summary>
    bool Visit(long entity, in EntitySlice slice);
}

/// <summary>One connection to a run with its prepared statements. Used by one thread at a time.</summary>
/// <remarks>Split by role, as its builder is: this file holds pieces and ids, .Index names, tags and states.</remarks>
internal sealed partial class RunReader : IDisposable
{
    private readonly SqliteDatabase _database;
    private readonly RunBases _bases;
    private readonly PieceOpener _opener = new();
    private readonly SqliteStatement _last;
    private readonly SqliteStatement _lastSeqOf;
    private readonly SqliteStatement _ascending;
    private readonly SqliteStatement _descending;
    private readonly SqliteStatement _heads;
    private readonly SqliteStatement _ids;
    private readonly SqliteStatement _tags;
    private readonly SqliteStatement _nameOf;
    private readonly SqliteStatement _names;
    private readonly SqliteStatement _states;
    private readonly SqliteStatement _pieces;
    private readonly SqliteStatement _bodyOf;

    public RunReader(string path)
    {
        FileName = Path.GetFileName(path);
        _database = SqliteDatabase.OpenImmutable(path);
        try
        {
            // The system caches the file; this keeps the upper pages of the trees. Many runs times a few readers each have one.
            _database.Execute("PRAGMA cache_size=-256");
            Meta = RunMeta.Read(_database);
            _bases = Meta.Bases;
            _last = _database.Prepare("SELECT id, last_seq FROM piece WHERE id BETWEEN ? AND ? ORDER BY id DESC LIMIT 1");
            _lastSeqOf = _database.Prepare("SELECT last_seq FROM piece WHERE id = ?");
            _ascending = _database.Prepare("SELECT last_seq, head, body FROM piece WHERE id BETWEEN ? AND ? ORDER BY id");
            _descending = _database.Prepare("SELECT last_seq, head, body FROM piece WHERE id BETWEEN ? AND ? ORDER BY id DESC");
            _heads = _database.Prepare("SELECT last_seq, head FROM piece WHERE id BETWEEN ? AND ? ORDER BY id");
            _ids = _database.Prepare("SELECT p.last_seq, p.head, i.hashes FROM ids i JOIN piece p USING(id) WHERE i.id BETWEEN ? AND ? ORDER BY i.id");
            _tags = _database.Prepare("SELECT t.id, t.entity, n.name FROM tag t LEFT JOIN names n ON n.entity = t.entity WHERE t.id >= ? ORDER BY t.id");
            _nameOf = _database.Prepare("SELECT name FROM names WHERE entity = ?");
            _names = _database.Prepare("SELECT entity, name FROM names WHERE entity > ? ORDER BY entity LIMIT ?");
            _states = _database.Prepare("SELECT body FROM snap WHERE id BETWEEN ? AND ?");
            _pieces = _database.Prepare("SELECT id, last_seq, head FROM piece WHERE id >= ? ORDER BY id");
            _bodyOf = _database.Prepare("SELECT body FROM piece WHERE id = ?");
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public RunMeta Meta { get; }

    public string FileName { get; }

    public BloomFilter ReadFilter() => RunMeta.ReadFilter(_database);

    /// <summary>The highest seq of the entity in this run; 0 if it has none here.</summary>
    public long LastSeq(long entity) => LastPiece(entity).LastSeq;

    /// <summary>Visits the entity's slices that touch <paramref name="from"/> to <paramref name="to"/>; false if the visitor had enough.</summary>
    public bool Visit<TVisitor>(long entity, long from, long to, bool descending, ref TVisitor visitor)
        where TVisitor : ISliceVisitor
    {
        var (lastId, lastSeq) = LastPiece(entity);
        if (lastSeq == 0 || lastSeq < from) return true;
        var firstId = Piece.FirstId(entity);
        var pieces = descending
            ? _descending.Bind(1, firstId).Bind(2, to >= lastSeq ? lastId : FirstReaching(firstId, lastId, to))
            : _ascending.Bind(1, FirstReaching(firstId, lastId, from)).Bind(2, lastId);
        try
        {
            while (pieces.Step())
            {
                var head = PieceHead.Read(pieces.Blob(1), pieces.Int64(0), _bases);
                if (descending ? head.LastSeq < from : head.FirstSeq > to) return true;
                if (!VisitPiece(_opener.Open(head, pieces.Blob(2)), head.Start, from, to, descending, ref visitor)) return false;
                if (descending ? head.FirstSeq <= from : head.LastSeq >= to) return true; // the next row would be read for nothing
            }

            return true;
        }
        finally
        {
            pieces.Reset();
        }
    }

    /// <summary>
    /// Visits all pieces, in order of entity and seq, from the one on in which an entity reaches a seq; false if the visitor had enough.
    /// </summary>
    public bool VisitPieces<TVisitor>(long fromEntity, long fromSeq, ref TVisitor visitor)
        where TVisitor : IPieceVisitor
    {
        var firstId = Piece.FirstId(fromEntity);
        if (fromSeq > 1)
        {
            var (lastId, lastSeq) = LastPiece(fromEntity);
            if (lastSeq > 0) firstId = lastSeq < fromSeq ? lastId + 1 : FirstReaching(firstId, lastId, fromSeq);
        }

        _pieces.Bind(1, firstId);
        try
        {
            while (_pieces.Step())
            {
                var entity = Piece.EntityOf(_pieces.Int64(0));
                var head = PieceHead.Read(_pieces.Blob(2), _pieces.Int64(1), _bases);
                switch (visitor.Choose(_pieces.Int64(0), head.LastSeq, head.FirstPosition, head.LastPosition))
                {
                    case PieceChoice.Stop: return false;
                    case PieceChoice.Skip: continue;
                }

                // A row is read as far as its last column that is asked for: the body is asked for apart.
                _bodyOf.Bind(1, _pieces.Int64(0));
                if (!_bodyOf.Step()) throw new DamagedDataException("A piece is gone from a run.");
                var raw = _opener.Open(head, _bodyOf.Blob(0));
                var chain = head.Start;
                while (!raw.IsEmpty)
                    if (!visitor.Visit(entity, Piece.ReadSlice(ref raw, ref chain))) return false;
                _bodyOf.Reset();
            }

            return true;
        }
        finally
        {
            _bodyOf.Reset();
            _pieces.Reset();
        }
    }

    /// <summary>What heads alone tell of the entity.</summary>
    public void Summarize(long entity, EntitySummary summary)
    {
        _heads.Bind(1, Piece.FirstId(entity)).Bind(2, Piece.LastId(entity));
        try
        {
            while (_heads.Step())
            {
                var head = PieceHead.Read(_heads.Blob(1), _heads.Int64(0), _bases);
                summary.Add(head.LastSeq, head.FirstMs, head.LastMs, head.RawLength, head.Aggregates);
            }
        }
        finally
        {
            _heads.Reset();
        }
    }

    /// <summary>Gives each caller-given id's hash and the seq it points to.</summary>
    public void VisitIds(long entity, Action<ulong, long> add)
    {
        _ids.Bind(1, Piece.FirstId(entity)).Bind(2, Piece.LastId(entity));
        try
        {
            while (_ids.Step())
            {
                var firstSeq = PieceHead.Read(_ids.Blob(1), _ids.Int64(0), _bases).FirstSeq;
                foreach (var packed in MemoryMarshal.Cast<byte, ulong>(_ids.Blob(2))) add(packed >> 24, firstSeq + (long)(packed & 0xff_ffff));
            }
        }
        finally
        {
            _ids.Reset();
        }
    }

    /// <summary>For whoever goes through a whole table, as a merge does.</summary>
    public SqliteStatement PrepareOnce(string sql) => _database.PrepareOnce(sql);

    public void Dispose()
    {
        _opener.Dispose();
        _database.Dispose();
    }

    private (long Id, long LastSeq) LastPiece(long entity)
    {
        _last.Bind(1, Piece.FirstId(entity)).Bind(2, Piece.LastId(entity));
        var found = _last.Step() ? (_last.Int64(0), _last.Int64(1)) : default;
        _last.Reset();
        return found;
    }

    /// <summary>
    /// The first piece that reaches a seq, by halving: ordinals have no gaps, so one seq of an entity of many pieces costs a few rows' heads and
    /// one body. The last piece is known to reach it.
    /// </summary>
    private long FirstReaching(long low, long high, long seq)
    {
        while (low < high)
        {
            var middle = low + ((high - low) / 2);
            if (LastSeqOf(middle) < seq) low = middle + 1;
            else high = middle;
        }

        return low;
    }

    private long LastSeqOf(long id)
    {
        _lastSeqOf.Bind(1, id);
        try
        {
            return _lastSeqOf.Step() ? _lastSeqOf.Int64(0) : throw new DamagedDataException("An entity's pieces in a run have a gap.");
        }
        finally
        {
            _lastSeqOf.Reset();
        }
    }

    private static bool VisitPiece<TVisitor>(ReadOnlySpan<byte> raw, SliceChain chain, long from, long to, bool descending, ref TVisitor visitor)
        where TVisitor : ISliceVisitor
    {
        if (!descending)
        {
            while (!raw.IsEmpty)
            {
                var slice = Piece.ReadSlice(ref raw, ref chain);
                if (slice.FirstSeq > to) return true;
                if (slice.LastSeq >= from && !visitor.Visit(slice)) return false;
            }

            return true;
        }

        // Slices are chained forwards by deltas: note where each begins, then go back.
        var starts = new Stack<(int Left, SliceChain Chain)>();
        for (var rest = raw; !rest.IsEmpty;)
        {
            starts.Push((rest.Length, chain));
            Piece.ReadSlice(ref rest, ref chain);
        }

        while (starts.TryPop(out var start))
        {
            var rest = raw[(raw.Length - start.Left)..];
            chain = start.Chain;
            var slice = Piece.ReadSlice(ref rest, ref chain);
            if (slice.LastSeq >= from && slice.FirstSeq <= to && !visitor.Visit(slice)) return false;
        }

        return true;
    }
}
