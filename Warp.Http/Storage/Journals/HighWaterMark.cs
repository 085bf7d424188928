using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>What the mark remembers of the last durable row.</summary>
internal readonly record struct MarkRecord(long Position, long JournalId, int RowOrdinal, ulong RowHash, Guid BootId);

/// <summary>
/// A small file outside the journal that says how far the journal must reach: two 4 KiB slots written alternately. SQLite drops a damaged WAL's
/// tail silently; against the mark it is noticed. Slot: <c>magic u32 | format u32 | turn u64 | position i64 | journal i64 | ordinal i32 | pad u32 |
/// rowHash u64 | bootId 16 | crc32c u32</c>.
/// </summary>
/// <remarks>Written by the writer's thread after the fsync and before the acknowledgement, so that it is never ahead of the journal.</remarks>
internal sealed class HighWaterMark : IDisposable
{
    private const int SlotBytes = 4096;
    private const int RecordBytes = 72;
    private const uint Magic = 0x4b4d5257; // "WRMK"
    private const uint Format = 1;

    private readonly SafeFileHandle _file;
    private readonly byte[] _slot = new byte[RecordBytes];
    private readonly Guid _bootId;
    private long _turn;
    private MarkRecord? _written; // writer's thread only

    public HighWaterMark(string path)
    {
        _bootId = CurrentBootId();
        _file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read);
        try
        {
            if (RandomAccess.GetLength(_file) < 2 * SlotBytes) Allocate();
            Latest = ReadLatest();
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    /// <summary>What stood in the file when it was opened; null in a new shard, or where it was given up.</summary>
    public MarkRecord? Latest { get; private set; }

    public bool SameBoot => Latest?.BootId == _bootId;

    /// <summary>A seam: called between a record's reaching the file and its being known to have; what it throws, the write throws.</summary>
    public Action? AtWritten { get; init; }

    public void Write(long position, long journalId, int rowOrdinal, ulong rowHash)
    {
        WriteSlot(position, journalId, rowOrdinal, rowHash);
        AtWritten?.Invoke();
        _written = new MarkRecord(position, journalId, rowOrdinal, rowHash, _bootId);
    }

    /// <summary>Writes the last one that succeeded again, over one that failed and may have reached the file nevertheless.</summary>
    public void Rewrite()
    {
        if ((_written ?? Latest) is { } last) WriteSlot(last.Position, last.JournalId, last.RowOrdinal, last.RowHash);
        else Forget();
    }

    /// <summary>Nothing is known to be acknowledged: what a power cut took is given up.</summary>
    public void Forget()
    {
        Latest = null;
        RandomAccess.Write(_file, new byte[2 * SlotBytes], 0);
    }

    private void WriteSlot(long position, long journalId, int rowOrdinal, ulong rowHash)
    {
        _turn++;
        var slot = _slot.AsSpan();
        BinaryPrimitives.WriteUInt32LittleEndian(slot, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(slot[4..], Format);
        BinaryPrimitives.WriteInt64LittleEndian(slot[8..], _turn);
        BinaryPrimitives.WriteInt64LittleEndian(slot[16..], position);
        BinaryPrimitives.WriteInt64LittleEndian(slot[24..], journalId);
        BinaryPrimitives.WriteInt32LittleEndian(slot[32..], rowOrdinal);
        BinaryPrimitives.WriteUInt64LittleEndian(slot[40..], rowHash);
        _bootId.TryWriteBytes(slot[48..], bigEndian: true, out _);
        BinaryPrimitives.WriteUInt32LittleEndian(slot[64..], Crc32C.Compute(slot[..64]));
        RandomAccess.Write(_file, _slot, (_turn & 1) * SlotBytes);
    }

    /// <summary>Each second and at rotation: a power cut may set the mark back by that much, never forward.</summary>
    public void Flush() => RandomAccess.FlushToDisk(_file);

    public void Dispose() => _file.Dispose();

    /// <summary>What is wrong with a mark, also while it is written; null = nothing. One record may be torn, and both may be empty still.</summary>
    public static string? Check(string path)
    {
        if (!File.Exists(path)) return "The file is missing.";
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        if (RandomAccess.GetLength(file) < 2 * SlotBytes) return "The file is cut off.";
        var slot = new byte[RecordBytes];
        var isEmpty = true;
        for (var i = 0; i < 2; i++)
        {
            RandomAccess.Read(file, slot, i * SlotBytes);
            if (BinaryPrimitives.ReadUInt32LittleEndian(slot) == Magic && BinaryPrimitives.ReadUInt32LittleEndian(slot.AsSpan(64)) == Crc32C.Compute(slot.AsSpan(0, 64)))
                return null;
            isEmpty &= !slot.AsSpan().ContainsAnyExcept((byte)0);
        }

        return isEmpty ? null : "Neither of its two records is whole.";
    }

    private MarkRecord? ReadLatest()
    {
        MarkRecord? latest = null;
        var buffer = new byte[RecordBytes];
        for (var i = 0; i < 2; i++)
        {
            if (RandomAccess.Read(_file, buffer, i * SlotBytes) < RecordBytes) continue;
            var slot = buffer.AsSpan();
            if (BinaryPrimitives.ReadUInt32LittleEndian(slot) != Magic
                || BinaryPrimitives.ReadUInt32LittleEndian(slot[64..]) != Crc32C.Compute(slot[..64])) continue; // torn: the other slot holds
            var turn = BinaryPrimitives.ReadInt64LittleEndian(slot[8..]);
            if (turn <= _turn) continue;
            _turn = turn;
            latest = new MarkRecord(
                BinaryPrimitives.ReadInt64LittleEndian(slot[16..]), BinaryPrimitives.ReadInt64LittleEndian(slot[24..]),
                BinaryPrimitives.ReadInt32LittleEndian(slot[32..]), BinaryPrimitives.ReadUInt64LittleEndian(slot[40..]), new Guid(slot[48..64], bigEndian: true));
        }

        return latest;
    }

    // Both slots get their blocks now: a full disk must not keep a commit from being marked.
    private void Allocate()
    {
        RandomAccess.Write(_file, new byte[2 * SlotBytes], 0);
        RandomAccess.FlushToDisk(_file);
    }

    private static Guid CurrentBootId()
    {
        const string LinuxBootId = "/proc/sys/kernel/random/boot_id";
        if (!File.Exists(LinuxBootId)) return Guid.Empty; // elsewhere every start counts as the same boot: the stricter reading
        return Guid.Parse(File.ReadAllText(LinuxBootId).Trim());
    }
}
