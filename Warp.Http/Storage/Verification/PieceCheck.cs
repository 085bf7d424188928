using System.Buffers.Binary;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>Walks a run's pieces page by page and holds each to what its columns say, to the pieces before it and to the runs before it.</summary>
/// <param name="run">The run.</param>
/// <param name="seqs">What was seen of each entity before; null = the run is checked by itself.</param>
/// <param name="isAgain">The run holds positions that were checked before, as after a merge: its entities begin before what is known of them.</param>
/// <param name="tombstones">What was erased.</param>
/// <param name="idSeed">What hashes of caller-given ids are seeded with.</param>
/// <param name="onProblem">Where, and what.</param>
internal sealed class PieceCheck(Run run, SeqTable? seqs, bool isAgain, Tombstones tombstones, long idSeed, Action<string, string> onProblem) : IPieceVisitor
{
    private const int PiecesAtOnce = 2000;
    private const int BytesAtOnce = 1 << 20;

    // One bit a position: positions are used once.
    private readonly ulong[] _used = new ulong[(run.LastPosition - run.FirstPosition + 64) / 64];
    private readonly List<ulong> _ids = [];
    private RunReader? _reader; // during a step
    private SqliteStatement? _hashes; // during a step

    // Where the walk is: the entity, how many of its pieces are done, and where the last of them ended.
    private long _entity;
    private long _piecesOfEntity;
    private long _lastSeq;
    private long _lastPosition;
    private long _lastMs;

    // The page.
    private long _toSkip;
    private int _pieces;
    private int _bytes;

    // The piece that is being read.
    private bool _isOpen;
    private long _firstSeq;
    private long _claimedSeq;
    private long _claimedFirst;
    private long _claimedLast;

    private long _piecesWithIds;
    private bool _hasErased;

    public long Events { get; private set; }

    public string Where => $"entity {_entity}, piece {_piecesOfEntity}";

    /// <summary>One page of pieces; true if there is none left.</summary>
    public bool Step(RunReader reader)
    {
        using var hashes = reader.PrepareOnce("SELECT hashes FROM ids WHERE id = ?");
        (_reader, _hashes) = (reader, hashes);
        (_toSkip, _pieces, _bytes) = (_piecesOfEntity, 0, 0);
        var self = this;
        var isDone = reader.VisitPieces(_entity, 1, ref self);
        EndPiece();
        if (isDone) End(reader);
        return isDone;
    }

    public PieceChoice Choose(long id, long lastSeq, long firstPosition, long lastPosition)
    {
        EndPiece();
        var entity = Piece.EntityOf(id);
        if (entity == _entity && _toSkip > 0)
        {
            _toSkip--; // done on the page before
            return PieceChoice.Skip;
        }

        if (_pieces++ >= PiecesAtOnce || _bytes >= BytesAtOnce) return PieceChoice.Stop;
        if (entity != _entity) (_entity, _piecesOfEntity, _lastSeq, _lastPosition, _lastMs, _toSkip) = (entity, 0, 0, 0, 0, 0);
        if (id != (Piece.FirstId(entity) | _piecesOfEntity)) Tell($"Its row has the number {id - Piece.FirstId(entity)}.");
        if (tombstones.IsFenced(entity))
        {
            // It goes away at any moment; what it says matters to nobody.
            _hasErased = true;
            _piecesOfEntity++;
            return PieceChoice.Skip;
        }

        (_isOpen, _firstSeq, _claimedSeq, _claimedFirst, _claimedLast) = (true, 0, lastSeq, firstPosition, lastPosition);
        _ids.Clear();
        return PieceChoice.Read;
    }

    public bool Visit(long entity, in EntitySlice slice)
    {
        if (_firstSeq == 0) BeginPiece(slice);
        if (_lastSeq != 0 && slice.FirstSeq != _lastSeq + 1) Tell($"Seq {slice.FirstSeq} stands where {_lastSeq + 1} is due.");
        CheckPositions(slice);
        CheckEvents(slice);
        _lastSeq = slice.LastSeq;
        _lastPosition = slice.FirstPosition + slice.Count - 1;
        _lastMs = slice.CommittedMs;
        _bytes += slice.Events.Length;
        Events += slice.Count;
        return true;
    }

    private void BeginPiece(in EntitySlice slice)
    {
        _firstSeq = slice.FirstSeq;
        if (slice.FirstPosition != _claimedFirst) Tell($"It begins at position {slice.FirstPosition}; the row says {_claimedFirst}.");
        if (_lastSeq != 0) return;
        var known = seqs?[_entity] ?? slice.FirstSeq - 1;
        if (slice.FirstSeq > known + 1 && seqs is { HasHoles: false }) Tell($"The entity goes on with seq {slice.FirstSeq} where {known + 1} is due.");
        if (slice.FirstSeq <= known && !isAgain) Tell($"The entity goes on with seq {slice.FirstSeq}, though {known} stands before this run.");
        if (seqs is not null && slice.FirstSeq == 1 && !_reader!.HoldsName(_entity) && !tombstones.IsFenced(_entity)) Tell("The entity begins here and has no name here.");
    }

    /// <summary>The piece before is complete: is it what its row says, and are its ids those of its events?</summary>
    private void EndPiece()
    {
        if (!_isOpen) return;
        _isOpen = false;
        if (_lastSeq != _claimedSeq || _lastPosition != _claimedLast)
            Tell($"It ends with seq {_lastSeq} at position {_lastPosition}; the row says {_claimedSeq} at {_claimedLast}.");
        if (seqs is not null && _lastSeq > seqs[_entity]) seqs[_entity] = _lastSeq;
        CheckIds();
        _piecesOfEntity++;
    }

    private void CheckPositions(in EntitySlice slice)
    {
        var last = slice.FirstPosition + slice.Count - 1;
        if (slice.FirstPosition < run.FirstPosition || last > run.LastPosition)
        {
            Tell($"Positions {slice.FirstPosition} to {last} lie outside the run's {run.FirstPosition} to {run.LastPosition}.");
            return;
        }

        if (slice.FirstPosition <= _lastPosition) Tell($"Position {slice.FirstPosition} of a later event is not behind {_lastPosition}.");
        if (slice.CommittedMs < _lastMs || slice.CommittedMs > run.Meta.LastMs) Tell($"Seq {slice.FirstSeq} was committed at {slice.CommittedMs} ms, out of order.");
        for (var position = slice.FirstPosition; position <= last; position++)
            if (!TryUse(position)) Tell($"Position {position} is used twice.");
    }

    private void CheckEvents(in EntitySlice slice)
    {
        if (!slice.Key.IsEmpty && slice.IndexInAppend == 0) AddId(EventIdHash.OfKey(slice.Key, idSeed), slice.FirstSeq);
        var rest = slice.Events;
        for (var i = 0; i < slice.Count; i++)
        {
            var e = EventRecord.Read(ref rest);
            if (e.Type.IsEmpty || e.Payload.IsEmpty) Tell($"Seq {slice.FirstSeq + i} has no type or no payload.");
            if (!e.Id.IsEmpty) AddId(EventIdHash.OfId(e.Id, idSeed), slice.FirstSeq + i);
        }

        if (!rest.IsEmpty) Tell($"{rest.Length} bytes stand behind the events of seq {slice.FirstSeq}.");
    }

    private void AddId(ulong hash, long seq) => _ids.Add((hash << 24) | (ulong)(seq - _firstSeq));

    private void CheckIds()
    {
        _ids.Sort();
        _hashes!.Bind(1, Piece.FirstId(_entity) | _piecesOfEntity);
        var indexed = _hashes.Step() ? _hashes.Blob(0) : default;
        var isRight = indexed.Length == _ids.Count * sizeof(ulong);
        for (var i = 0; isRight && i < _ids.Count; i++) isRight = BinaryPrimitives.ReadUInt64LittleEndian(indexed[(i * sizeof(ulong))..]) == _ids[i];
        _hashes.Reset();
        if (!isRight) Tell("The index of caller-given ids is not that of its events.");
        if (_ids.Count > 0) _piecesWithIds++;
    }

    private void End(RunReader reader)
    {
        if (_hasErased || tombstones.Any) return; // what was erased leaves holes
        using var count = reader.PrepareOnce("SELECT (SELECT count(*) FROM ids), (SELECT value FROM meta WHERE key = 'events')");
        count.Step();
        if (count.Int64(0) != _piecesWithIds) onProblem("ids", $"The index has the ids of {count.Int64(0)} pieces; {_piecesWithIds} have some.");
        if (count.Int64(1) != Events) onProblem("meta", $"The run counts {count.Int64(1)} events; {Events} are there.");
        var due = run.LastPosition - run.FirstPosition + 1;
        if (Events != due) onProblem("pieces", $"Nothing was ever erased, but of {due} positions {due - Events} have no event.");
    }

    private bool TryUse(long position)
    {
        var at = position - run.FirstPosition;
        ref var word = ref _used[at >> 6];
        var bit = 1UL << (int)(at & 63);
        if ((word & bit) != 0) return false;
        word |= bit;
        return true;
    }

    private void Tell(string what) => onProblem(Where, what);
}
