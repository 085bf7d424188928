namespace Warp.Http.Tests.Support;

/// <summary>What a crash leaves of what was written.</summary>
internal enum DiskLoss
{
    /// <summary>Nothing is lost: the process was killed, the page cache survives.</summary>
    None,

    /// <summary>All that was not synced is lost.</summary>
    Unsynced,

    /// <summary>Of what was not synced, or whose sync failed, each sector and each directory entry is lost or kept by chance.</summary>
    SomeUnsynced,
}

/// <summary>The disk after the first calls of a trace: what a process sees, what is durable, and what stands between the two.</summary>
/// <remarks>
/// A file's bytes become durable by a sync of the file, a directory's entries by one of the directory, and by nothing else. What a failed sync
/// dropped is durable once it was written again and synced, as in Linux. Directories are never renamed here. An inode number is never used again while a trace is written (see <c>pinned</c> in <c>powerloss.c</c>).
/// </remarks>
internal sealed class DiskImage
{
    /// <summary>Disks write a sector whole or not at all; the smallest ones have 512 bytes.</summary>
    private const int SectorBytes = 512;

    private readonly Dictionary<ulong, FileState> _files = [];
    private readonly Dictionary<string, DirectoryState> _directories = new(StringComparer.Ordinal) { [""] = new DirectoryState() };

    public void Apply(DiskCall call)
    {
        switch (call.Kind)
        {
            case DiskCallKind.Created: Change(call.Name, new Entry(call.Inode, IsDirectory: false)); break;
            case DiskCallKind.DirectoryMade:
                // An earlier one of the same name is gone with all that was in it.
                _directories[call.Name] = new DirectoryState();
                Change(call.Name, new Entry(call.Inode, IsDirectory: true));
                break;
            case DiskCallKind.Unlinked or DiskCallKind.DirectoryRemoved: Change(call.Name, null); break;
            case DiskCallKind.Renamed:
                var moved = Parent(call.Name).Seen[Leaf(call.Name)];
                if (moved.IsDirectory) throw new NotSupportedException($"{call}: directories are not renamed here.");
                Change(call.Name, null);
                Change(call.NewName, moved);
                break;
            case DiskCallKind.DirectorySynced: _directories[call.Name].Sync(); break;
            case DiskCallKind.Synced: File(call.Inode).Sync(); break;
            case DiskCallKind.SyncFailed: File(call.Inode).FailSync(); break;
            default: File(call.Inode).Take(call); break;
        }
    }

    /// <summary>Writes what is left into <paramref name="target"/>, which is made.</summary>
    public void WriteTo(string target, DiskLoss loss, Random random) => WriteDirectory("", target, loss, random);

    private void WriteDirectory(string name, string target, DiskLoss loss, Random random)
    {
        Directory.CreateDirectory(target);
        if (!_directories.TryGetValue(name, out var directory)) return;
        foreach (var (leaf, entry) in directory.After(loss, random))
        {
            var path = Path.Combine(target, leaf);
            if (entry.IsDirectory) WriteDirectory(name.Length == 0 ? leaf : $"{name}/{leaf}", path, loss, random);
            else File(entry.Inode).WriteTo(path, loss, random);
        }
    }

    private void Change(string name, Entry? entry) => Parent(name).Change(Leaf(name), entry);

    private DirectoryState Parent(string name) => _directories[name.LastIndexOf('/') is >= 0 and var slash ? name[..slash] : ""];

    private static string Leaf(string name) => name[(name.LastIndexOf('/') + 1)..];

    private FileState File(ulong inode)
    {
        if (!_files.TryGetValue(inode, out var file)) _files[inode] = file = new FileState();
        return file;
    }

    private readonly record struct Entry(ulong Inode, bool IsDirectory);

    private sealed class DirectoryState
    {
        private readonly Dictionary<string, Entry> _durable = new(StringComparer.Ordinal);
        private readonly List<(string Leaf, Entry? Entry)> _pending = [];

        public Dictionary<string, Entry> Seen { get; } = new(StringComparer.Ordinal);

        public void Change(string leaf, Entry? entry)
        {
            Put(Seen, leaf, entry);
            _pending.Add((leaf, entry));
        }

        public void Sync()
        {
            foreach (var (leaf, entry) in _pending) Put(_durable, leaf, entry);
            _pending.Clear();
        }

        public Dictionary<string, Entry> After(DiskLoss loss, Random random)
        {
            if (loss == DiskLoss.None) return Seen;
            if (loss == DiskLoss.Unsynced) return _durable;
            var kept = new Dictionary<string, Entry>(_durable, StringComparer.Ordinal);
            foreach (var (leaf, entry) in _pending)
                if (random.Next(2) == 0) Put(kept, leaf, entry);
            return kept;
        }

        private static void Put(Dictionary<string, Entry> entries, string leaf, Entry? entry)
        {
            if (entry is { } added) entries[leaf] = added;
            else entries.Remove(leaf);
        }
    }

    private enum Fate
    {
        /// <summary>Seen; the next sync makes it durable.</summary>
        Dirty,

        /// <summary>It was synced, behind something whose sync failed.</summary>
        Durable,

        /// <summary>Its sync failed, and the system took it for clean then: no later sync writes it, only writing it again does.</summary>
        Dropped,
    }

    private sealed class FileState
    {
        private readonly Bytes _seen = new();
        private readonly Bytes _durable = new(); // before any of _since
        private readonly List<(DiskCall Call, Fate Fate)> _since = [];

        public void Take(DiskCall call)
        {
            Do(_seen, call);
            _since.Add((call, Fate.Dirty));
        }

        public void Sync()
        {
            if (_since.Exists(done => done.Fate == Fate.Dropped))
            {
                // A file's size is none of its pages: it is what is seen as soon as a sync succeeds.
                _since.Add((new DiskCall(DiskCallKind.Sized, 0, "", "", _seen.Span.Length, default, 0), Fate.Dirty));
                Turn(Fate.Durable);
                return;
            }

            foreach (var (call, _) in _since) Do(_durable, call);
            _since.Clear();
        }

        public void FailSync() => Turn(Fate.Dropped);

        public void WriteTo(string path, DiskLoss loss, Random random)
        {
            var left = loss == DiskLoss.None ? _seen : Left(loss == DiskLoss.SomeUnsynced ? random : null);
            System.IO.File.WriteAllBytes(path, left.Span);
        }

        private void Turn(Fate fate)
        {
            for (var i = 0; i < _since.Count; i++)
                if (_since[i].Fate == Fate.Dirty) _since[i] = (_since[i].Call, fate);
        }

        /// <param name="random">What of the rest is kept; null = nothing.</param>
        private Bytes Left(Random? random)
        {
            var kept = _durable.Copy();
            var chance = random?.NextDouble() ?? 0;
            var isCutLost = false;
            foreach (var (call, fate) in _since)
            {
                if (fate == Fate.Durable)
                {
                    Do(kept, call);
                    isCutLost = false;
                }
                else if (random is not null && !isCutLost)
                {
                    Some(kept, call, random, chance, out isCutLost);
                }
            }

            return kept;
        }

        /// <param name="isCutLost">The file was cut and is not: what is written then stands in blocks that only the cut file has, so it is lost with it.</param>
        private static void Some(Bytes kept, DiskCall call, Random random, double chance, out bool isCutLost)
        {
            isCutLost = false;
            if (call.Kind == DiskCallKind.Sized)
            {
                if (random.NextDouble() < chance) kept.Resize(call.Offset);
                else isCutLost = call.Offset < kept.Span.Length;
                return;
            }

            for (var at = 0; at < call.Data.Length;)
            {
                var bytes = (int)Math.Min(SectorBytes - ((call.Offset + at) % SectorBytes), call.Data.Length - at);
                if (random.NextDouble() < chance) kept.Write(call.Offset + at, call.Data.Span.Slice(at, bytes));
                at += bytes;
            }
        }

        private static void Do(Bytes bytes, DiskCall call)
        {
            if (call.Kind == DiskCallKind.Sized) bytes.Resize(call.Offset);
            else bytes.Write(call.Offset, call.Data.Span);
        }
    }

    /// <summary>Bytes that grow; what was never written is zero.</summary>
    private sealed class Bytes
    {
        private byte[] _bytes = [];
        private int _length;

        public ReadOnlySpan<byte> Span => _bytes.AsSpan(0, _length);

        public Bytes Copy() => new() { _bytes = Span.ToArray(), _length = _length };

        public void Write(long offset, ReadOnlySpan<byte> data)
        {
            var end = checked((int)offset + data.Length);
            if (end > _length) Resize(end);
            data.CopyTo(_bytes.AsSpan((int)offset));
        }

        public void Resize(long length)
        {
            if (length > _bytes.Length) Array.Resize(ref _bytes, (int)Math.Max(length, 2L * _bytes.Length));
            if (length < _length) _bytes.AsSpan((int)length, _length - (int)length).Clear();
            _length = (int)length;
        }
    }
}
