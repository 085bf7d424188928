using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using Microsoft.Win32.SafeHandles;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>
/// Writes one run: entities in ascending order of number, slices in ascending order of seq, names. <see cref="Finish"/> makes the file durable;
/// it counts only once the catalog names it.
/// </summary>
/// <remarks>Used by the maintenance thread alone. journal_mode=OFF: an unfinished file is deleted at start, so it needs no rollback.</remarks>
internal sealed class RunBuilder : IDisposable
{
    /// <summary>Dirty bytes between two syncs: larger bursts stall commits beside it (measured: 5.6 ms at most with 4 MiB).</summary>
    private const int SyncEveryBytes = 4 * 1024 * 1024;

    private readonly SqliteDatabase _database;
    private readonly SqliteStatement _insertPiece;
    private readonly SqliteStatement _insertIds;
    private readonly SqliteStatement _insertName;
    private readonly SqliteStatement _insertState;
    private readonly SafeFileHandle _file;
    private readonly long _idSeed;
    private readonly ArrayBufferWriter<byte> _body = new(Piece.RawBytesMax + 4096);
    private readonly List<ulong> _ids = [];
    private readonly AggregateNames _aggregates = new();
    private readonly List<NameTag> _tags = [];

    private long _lastStateId;
    private long _states;
    private long _entity;
    private int _ordinal;
    private long _firstSeq;
    private long _nextSeq;
    private long _firstPosition;
    private long _lastPosition;
    private long _lastSeq;
    private long _firstMs;
    private long _position;
    private long _ms;
    private int _unsynced;
    private bool _finished;

    public RunBuilder(string directory, long runId, long idSeed)
    {
        Path = PathOf(directory, runId);
        _idSeed = idSeed;
        File.Delete(Path);
        _database = SqliteDatabase.OpenOrCreateChecked(Path);
        _database.Execute("PRAGMA page_size=4096; PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF");
        _database.Execute(
            """
            CREATE TABLE meta(key TEXT PRIMARY KEY, value NOT NULL);
            CREATE TABLE piece(id INTEGER PRIMARY KEY, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, first_pos INTEGER NOT NULL,
              last_pos INTEGER NOT NULL, min_ms INTEGER NOT NULL, max_ms INTEGER NOT NULL, raw_len INTEGER NOT NULL, aggregates BLOB NOT NULL, body BLOB NOT NULL);
            CREATE TABLE ids(id INTEGER PRIMARY KEY, hashes BLOB NOT NULL);
            CREATE TABLE names(entity INTEGER PRIMARY KEY, tag INTEGER NOT NULL, name BLOB NOT NULL);
            CREATE TABLE snap(id INTEGER PRIMARY KEY, body BLOB NOT NULL);
            BEGIN;
            """);
        _insertPiece = _database.Prepare("INSERT INTO piece VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
        _insertIds = _database.Prepare("INSERT INTO ids VALUES(?, ?)");
        _insertName = _database.Prepare("INSERT INTO names VALUES(?, ?, ?)");
        _insertState = _database.Prepare("INSERT INTO snap VALUES(?, ?)");
        _file = File.OpenHandle(Path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
    }

    public string Path { get; }

    public long Events { get; private set; }

    public static string PathOf(string directory, long id) => System.IO.Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"run-{id}.db"));

    public void AddName(long entity, NameTag tag, ReadOnlySpan<byte> name)
    {
        _insertName.Bind(1, entity).Bind(2, (long)tag.High).Bind(3, name).Run();
        _tags.Add(tag);
    }

    /// <summary>Adds a stored state; entities come in ascending order, the states of one in any.</summary>
    public void AddState(long entity, ReadOnlySpan<byte> body)
    {
        var id = RunReader.FirstStateId(entity);
        if (_lastStateId >= id) id = _lastStateId + 1;
        if (id > RunReader.LastStateId(entity)) return; // a state saves time and nothing else
        _insertState.Bind(1, id).Bind(2, body).Run();
        _lastStateId = id;
        _states++;
        SyncNowAndThen(body.Length);
    }

    /// <summary>Adds the next slice; one that is larger than a piece is split between events.</summary>
    public void Add(long entity, in EntitySlice slice)
    {
        if (entity != _entity)
        {
            FlushPiece();
            if (entity <= _entity) throw new InvalidOperationException("Entities must be added in ascending order.");
            _entity = entity;
            _ordinal = 0;
            _nextSeq = 0;
        }

        // Loss here would be silent, so the order is checked where it is written and again where it is read.
        if (_nextSeq != 0 && slice.FirstSeq != _nextSeq)
            throw new DamagedDataException($"Sealing found seq {slice.FirstSeq} of an entity where {_nextSeq} was due.");
        _nextSeq = slice.LastSeq + 1;
        Events += slice.Count;

        var rest = slice.Events;
        var first = 0;
        while (first < slice.Count)
        {
            var (count, bytes) = FittingEvents(rest, slice.Count - first, Piece.RawBytesMax - _body.WrittenCount);
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

    /// <summary>Copies a piece, its ids and nothing else from another run as they are.</summary>
    public void CopyPiece(SqliteStatement row, ReadOnlySpan<byte> idHashes)
    {
        for (var column = 0; column < 8; column++) _insertPiece.Bind(column + 1, row.Int64(column));
        _insertPiece.Bind(9, row.Blob(8)).Bind(10, row.Blob(9)).Run();
        if (!idHashes.IsEmpty) _insertIds.Bind(1, row.Int64(0)).Bind(2, idHashes).Run();
        Events += row.Int64(2) - row.Int64(1) + 1;
        SyncNowAndThen(row.Blob(9).Length);
    }

    /// <summary>Writes filter and meta, and makes the file and its directory entry durable.</summary>
    public void Finish(long firstPosition, long lastPosition, long lastMs)
    {
        FlushPiece();
        var filter = new BloomFilter(_tags.Count);
        foreach (var tag in _tags) filter.Add(tag.High);
        _database.Execute("CREATE INDEX names_tag ON names(tag)");
        using var meta = _database.PrepareOnce("INSERT INTO meta VALUES(?, ?)");
        meta.Bind(1, "format").Bind(2, 1).Run();
        meta.Bind(1, "first_pos").Bind(2, firstPosition).Run();
        meta.Bind(1, "last_pos").Bind(2, lastPosition).Run();
        meta.Bind(1, "last_ms").Bind(2, lastMs).Run();
        meta.Bind(1, "events").Bind(2, Events).Run();
        meta.Bind(1, "names").Bind(2, _tags.Count).Run();
        meta.Bind(1, "states").Bind(2, _states).Run();
        meta.Bind(1, "filter").Bind(2, filter.Bytes).Run();
        meta.Bind(1, "filter_crc").Bind(2, Crc32C.Compute(filter.Bytes)).Run(); // a bit that is lost there would hide an entity
        _database.Execute("COMMIT");
        RandomAccess.FlushToDisk(_file);
        DirectorySync.Flush(System.IO.Path.GetDirectoryName(Path)!);
        _finished = true;
    }

    public void Dispose()
    {
        _file.Dispose();
        _database.Dispose();
        if (!_finished) File.Delete(Path); // on a full disk each try would leave one more
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
            if (events.Length - rest.Length > room && (fitting > 0 || _body.WrittenCount > 0)) return (fitting, events.Length - before);
            fitting++;
        }

        return (fitting, events.Length - rest.Length);
    }

    private void AddFitting(in EntitySlice slice)
    {
        if (_body.WrittenCount == 0)
        {
            _body.Write(stackalloc byte[Piece.HeaderBytes]);
            _firstSeq = slice.FirstSeq;
            _firstPosition = slice.FirstPosition;
            _firstMs = slice.CommittedMs;
            _position = 0;
            _ms = 0;
        }

        Piece.WriteSlice(_body, slice, ref _position, ref _ms);
        _lastPosition = slice.FirstPosition + slice.Count - 1;
        _lastSeq = slice.LastSeq;
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
    private void AddId(ulong hash, long seq) => _ids.Add((hash << 24) | (ulong)(seq - _firstSeq));

    private void FlushPiece()
    {
        if (_body.WrittenCount == 0) return;
        var id = Piece.FirstId(_entity) | (long)_ordinal++;
        var body = System.Runtime.InteropServices.MemoryMarshal.AsMemory(_body.WrittenMemory).Span;
        Piece.Seal(body);
        _insertPiece.Bind(1, id).Bind(2, _firstSeq).Bind(3, _lastSeq).Bind(4, _firstPosition).Bind(5, _lastPosition)
            .Bind(6, _firstMs).Bind(7, _ms).Bind(8, body.Length - Piece.HeaderBytes).Bind(9, _aggregates.Bytes).Bind(10, body).Run();
        if (_ids.Count > 0)
        {
            _ids.Sort();
            var hashes = new byte[_ids.Count * sizeof(ulong)];
            for (var i = 0; i < _ids.Count; i++) BinaryPrimitives.WriteUInt64LittleEndian(hashes.AsSpan(i * sizeof(ulong)), _ids[i]);
            _insertIds.Bind(1, id).Bind(2, hashes).Run();
            _ids.Clear();
        }

        SyncNowAndThen(body.Length);
        _body.ResetWrittenCount();
        _aggregates.Clear();
    }

    private void SyncNowAndThen(int bytes)
    {
        _unsynced += bytes;
        if (_unsynced < SyncEveryBytes) return;
        _unsynced = 0;
        RandomAccess.FlushToDisk(_file);
    }
}
