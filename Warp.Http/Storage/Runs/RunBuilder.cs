using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>
/// Writes one run: entities in ascending order of number, slices in ascending order of seq, names, states. <see cref="Finish"/> makes the file
/// durable; it counts only once the catalog names it.
/// </summary>
/// <remarks>
/// Used by one thread. journal_mode=OFF: an unfinished file is deleted at start, so it needs no rollback.
/// Split by role: this file holds pieces and the file itself, .Index names, tags and states.
/// </remarks>
internal sealed partial class RunBuilder : IDisposable
{
    /// <summary>Dirty bytes between two syncs: larger bursts stall commits beside it (measured: 5.6 ms at most with 4 MiB).</summary>
    private const int SyncEveryBytes = 4 * 1024 * 1024;

    private readonly SqliteDatabase _database;
    private readonly SqliteStatement _insertPiece;
    private readonly SqliteStatement _insertIds;
    private readonly SqliteStatement _insertName;
    private readonly SqliteStatement _insertTag;
    private readonly SqliteStatement _insertState;
    private readonly SafeFileHandle _file;
    private readonly PieceCompressor? _compressor;
    private readonly RunBases _bases;
    private readonly long _idSeed;
    private readonly ArrayBufferWriter<byte> _raw = new(Piece.RawBytesMax + 4096);
    private readonly ArrayBufferWriter<byte> _head = new(256);
    private readonly List<ulong> _ids = [];
    private readonly AggregateNames _aggregates = new();

    private long _entity;
    private int _ordinal;
    private SliceChain _first; // where the pending piece begins
    private SliceChain _end; // where the entity's next slice is due; seq 0 before its first
    private long _lastPosition;
    private int _unsynced;
    private bool _finished;

    /// <param name="directory">The shard's.</param>
    /// <param name="runId">The file's number.</param>
    /// <param name="idSeed">What hashes of caller-given ids are seeded with.</param>
    /// <param name="bases">The run's first position and a time not later than its first event's.</param>
    /// <param name="compresses">Sealing does not, merging does.</param>
    public RunBuilder(string directory, long runId, long idSeed, RunBases bases, bool compresses = false)
    {
        Path = PathOf(directory, runId);
        (_idSeed, _bases) = (idSeed, bases);
        File.Delete(Path);
        _database = SqliteDatabase.OpenOrCreateChecked(Path);
        _database.Execute("PRAGMA page_size=4096; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
        _database.Execute(
            """
            CREATE TABLE meta(key TEXT PRIMARY KEY, value NOT NULL);
            CREATE TABLE piece(id INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, head BLOB NOT NULL, body BLOB NOT NULL);
            CREATE TABLE ids(id INTEGER PRIMARY KEY, hashes BLOB NOT NULL);
            CREATE TABLE names(entity INTEGER PRIMARY KEY, name BLOB NOT NULL);
            CREATE TABLE tag(id INTEGER PRIMARY KEY, entity INTEGER NOT NULL);
            CREATE TABLE snap(id INTEGER PRIMARY KEY, body BLOB NOT NULL);
            BEGIN;
            """);
        _insertPiece = _database.Prepare("INSERT INTO piece VALUES(?, ?, ?, ?)");
        _insertIds = _database.Prepare("INSERT INTO ids VALUES(?, ?)");
        _insertName = _database.Prepare("INSERT INTO names VALUES(?, ?)");
        _insertTag = _database.Prepare("INSERT INTO tag VALUES(?, ?)");
        _insertState = _database.Prepare("INSERT INTO snap VALUES(?, ?)");
        _compressor = compresses ? new PieceCompressor() : null;
        _file = File.OpenHandle(Path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
    }

    public string Path { get; }

    public long Events { get; private set; }

    public static string PathOf(string directory, long id) => System.IO.Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"run-{id}.db"));

    /// <summary>Adds the next slice; one that is larger than a piece is split between events.</summary>
    public void Add(long entity, in EntitySlice slice)
    {
        Expect(entity, new SliceChain(slice.FirstSeq, slice.FirstPosition, slice.CommittedMs));
        var rest = slice.Events;
        var first = 0;
        while (first < slice.Count)
        {
            var (count, bytes) = FittingEvents(rest, slice.Count - first, Piece.RawBytesMax - _raw.WrittenCount);
            if (count == 0)
            {
                FlushPiece();
                continue;
            }

            AddFitting(new EntitySlice
            {
                FirstSeq = slice.FirstSeq + first,
                Count = count,
                FirstPosition = slice.FirstPosition + first,
                CommittedMs = slice.CommittedMs,
                IndexInAppend = slice.IndexInAppend + first,
                Key = slice.Key,
                Events = rest[..bytes],
            });
            rest = rest[bytes..];
            first += count;
        }
    }

    /// <summary>Adds a piece of another run as it is, with its ids' hashes; its events are not looked at.</summary>
    public void AddPiece(long entity, in PieceHead head, ReadOnlySpan<byte> body, ReadOnlySpan<byte> idHashes)
    {
        Expect(entity, head.Start);
        FlushPiece();
        head.Check(body); // it gets a new checksum, which must not cover up damage
        _first = head.Start;
        _end = new SliceChain(head.LastSeq + 1, head.LastPosition + 1, head.LastMs);
        if (head.Codec == PieceCodec.Plain) InsertRaw(body, head.Aggregates, idHashes);
        else Insert(head.Codec, head.RawLength, head.Aggregates, body, idHashes);
    }

    /// <summary>All events were added: <see cref="Events"/> counts what was written.</summary>
    public void EndEvents() => FlushPiece();

    /// <summary>Writes names' tags, filter and meta, and makes the file and its directory entry durable.</summary>
    public void Finish(long lastPosition, long lastMs)
    {
        FlushPiece();
        if (_lastPosition > lastPosition) throw new DamagedDataException($"A run up to position {lastPosition} was given an event at {_lastPosition}.");
        var filter = FinishTags();
        new RunMeta
        {
            FirstPosition = _bases.Position,
            LastPosition = lastPosition,
            BaseMs = _bases.Ms,
            LastMs = lastMs,
            Events = Events,
            Names = _names,
            States = _states,
            DisplacedTags = _displacedTags,
        }.Write(_database, filter);
        _database.Execute("COMMIT");
        RandomAccess.FlushToDisk(_file);
        DirectorySync.Flush(System.IO.Path.GetDirectoryName(Path)!);
        _finished = true;
    }

    public void Dispose()
    {
        _file.Dispose();
        _database.Dispose();
        _compressor?.Dispose();
        if (!_finished) File.Delete(Path); // on a full disk each try would leave one more
    }

    /// <summary>Loss here would be silent, so the order is checked where it is written and again where it is read.</summary>
    private void Expect(long entity, SliceChain start)
    {
        if (entity != _entity)
        {
            FlushPiece();
            if (entity <= _entity) throw new InvalidOperationException("Entities must be added in ascending order.");
            _entity = entity;
            _ordinal = 0;
            _end = new SliceChain(0, _bases.Position, _bases.Ms);
        }

        if (_end.Seq != 0 && start.Seq != _end.Seq) throw new DamagedDataException($"A run was given seq {start.Seq} of an entity where {_end.Seq} was due.");
        if (start.Position < _end.Position || start.Ms < _end.Ms)
            throw new DamagedDataException($"A run was given position {start.Position} of an entity where {_end.Position} or later was due.");
    }

    /// <summary>How many of the next events fit into <paramref name="room"/>; into an empty piece at least one always fits.</summary>
    private (int Count, int Bytes) FittingEvents(ReadOnlySpan<byte> events, int count, int room)
    {
        if (events.Length <= room) return (count, events.Length);
        var fitting = 0;
        var rest = events;
        while (fitting < count)
        {
            var before = rest.Length;
            EventRecord.Skip(ref rest);
            if (events.Length - rest.Length > room && (fitting > 0 || _raw.WrittenCount > 0)) return (fitting, events.Length - before);
            fitting++;
        }

        return (fitting, events.Length - rest.Length);
    }

    private void AddFitting(in EntitySlice slice)
    {
        if (_raw.WrittenCount == 0) _first = _end = new SliceChain(slice.FirstSeq, slice.FirstPosition, slice.CommittedMs);
        Piece.WriteSlice(_raw, slice, ref _end);
        CollectIdsAndAggregates(slice);
    }

    private void CollectIdsAndAggregates(in EntitySlice slice)
    {
        if (!slice.Key.IsEmpty && slice.IndexInAppend == 0) AddId(EventIdHash.OfKey(slice.Key, _idSeed), slice.FirstSeq);
        var rest = slice.Events;
        for (var i = 0; i < slice.Count; i++)
        {
            var e = EventRecord.Read(ref rest);
            if (!e.Id.IsEmpty) AddId(EventIdHash.OfId(e.Id, _idSeed), slice.FirstSeq + i);
            _aggregates.Add(e.Aggregate);
        }
    }

    // The hash above, the event's place in the piece below: a hit needs one read to be verified. A piece holds fewer than 2^24 events.
    private void AddId(ulong hash, long seq) => _ids.Add((hash << 24) | (ulong)(seq - _first.Seq));

    private void FlushPiece()
    {
        if (_raw.WrittenCount == 0) return;
        _ids.Sort();
        InsertRaw(_raw.WrittenSpan, _aggregates.Bytes, MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(_ids)));
        _ids.Clear();
        _raw.ResetWrittenCount();
        _aggregates.Clear();
    }

    private void InsertRaw(ReadOnlySpan<byte> raw, ReadOnlySpan<byte> aggregates, ReadOnlySpan<byte> idHashes)
    {
        var compressed = _compressor is null ? default : _compressor.Compress(raw);
        if (compressed.IsEmpty) Insert(PieceCodec.Plain, raw.Length, aggregates, raw, idHashes);
        else Insert(PieceCodec.Zstd, raw.Length, aggregates, compressed, idHashes);
    }

    private void Insert(PieceCodec codec, int rawLength, ReadOnlySpan<byte> aggregates, ReadOnlySpan<byte> body, ReadOnlySpan<byte> idHashes)
    {
        var id = Piece.FirstId(_entity) | (long)_ordinal++;
        if (id > Piece.LastId(_entity)) throw new InvalidOperationException("An entity has more pieces in one run than a run can number.");
        _head.ResetWrittenCount();
        PieceHead.Write(_head, codec, _first, _end, _bases, rawLength, aggregates, body);
        _insertPiece.Bind(1, id).Bind(2, _end.Seq - 1).Bind(3, _head.WrittenSpan).Bind(4, body).Run();
        if (!idHashes.IsEmpty) _insertIds.Bind(1, id).Bind(2, idHashes).Run();
        Events += _end.Seq - _first.Seq;
        _lastPosition = Math.Max(_lastPosition, _end.Position - 1);
        SyncNowAndThen(body.Length + idHashes.Length);
    }

    private void SyncNowAndThen(int bytes)
    {
        _unsynced += bytes;
        if (_unsynced < SyncEveryBytes) return;
        _unsynced = 0;
        RandomAccess.FlushToDisk(_file);
    }
}
