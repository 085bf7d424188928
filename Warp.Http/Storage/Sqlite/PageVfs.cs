using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Warp.Http.Storage;

/// <summary>
/// A file system for SQLite that puts a checksum into each page it writes and refuses a page whose checksum does not match: SQLite has none of its
/// own and takes a flipped bit for an answer. It is the platform's own file system with reading and writing of databases wrapped.
/// </summary>
/// <remarks>Called by SQLite on whatever thread uses a connection. Nothing here may throw: there is native code above it.</remarks>
internal static unsafe partial class PageVfs
{
    public const string Name = "warp-pages";

    /// <summary>SQLITE_IOERR_DATA: what a page without its checksum is answered with.</summary>
    public const int IoErrorData = 10 | (32 << 8);

    public const string Library = "e_sqlite3";
    private const int Ok = 0;
    private const int Error = 1;
    private const int IoErrorShortRead = 10 | (2 << 8);
    private const int OpenMainDatabase = 0x100;
    private const int FileControlReserveBytes = 38;

    // Of a page's first bytes alone SQLite reads the header of page 1, which it reads again with the whole page.
    private const int HeaderBytes = 100;

    // Reads of parts of pages would go past the checksum; without this flag SQLite makes none.
    private const int SubpageReads = 0x8000;

    // Version 3 of the methods has memory mapping, which would go past the checksum.
    private const int MethodsVersionMax = 2;

    private static readonly Lock Wrapping = new();
    private static readonly Vfs* Original = Find(null);
    private static readonly Dictionary<nint, nint> Wrapped = [];
    private static long _pagesRead;
    private static long _pagesWritten;
    private static long _pagesDamaged;

    public static long PagesRead => Interlocked.Read(ref _pagesRead);

    public static long PagesWritten => Interlocked.Read(ref _pagesWritten);

    public static long PagesDamaged => Interlocked.Read(ref _pagesDamaged);

    /// <summary>Makes the name known to SQLite; for the life of the process.</summary>
    public static void Register()
    {
        var vfs = (Vfs*)NativeMemory.AllocZeroed((nuint)sizeof(Vfs));
        *vfs = *Original;
        vfs->Next = null;
        vfs->Name = (byte*)Marshal.StringToCoTaskMemUTF8(Name);
        vfs->Open = &Open;
        if (Register(vfs, isDefault: 0) != Ok) throw new InvalidOperationException($"SQLite did not take the file system {Name}.");
    }

    /// <summary>Before the first page of a new database is written: leaves room for the checksum.</summary>
    public static void Reserve(SQLitePCL.sqlite3 database)
    {
        var bytes = PageChecksum.ReservedBytes;
        if (FileControl(database.DangerousGetHandle(), null, FileControlReserveBytes, &bytes) != Ok)
            throw new InvalidOperationException("SQLite did not reserve bytes for the checksum of pages.");
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Open(Vfs* vfs, byte* path, VfsFile* file, int flags, int* outFlags)
    {
        var code = Original->Open(Original, path, file, flags, outFlags);
        if (code == Ok && (flags & OpenMainDatabase) != 0) file->Methods = Wrap(file->Methods);
        return code;
    }

    private static Methods* Wrap(Methods* original)
    {
        lock (Wrapping)
        {
            // A platform has a few sets of methods, one for each way of locking; each is wrapped once.
            if (Wrapped.TryGetValue((nint)original, out var known)) return (Methods*)known;
            var wrapped = (WrappedMethods*)NativeMemory.AllocZeroed((nuint)sizeof(WrappedMethods));
            wrapped->Methods = *original;
            wrapped->Original = original;
            wrapped->Methods.Version = Math.Min(original->Version, MethodsVersionMax);
            wrapped->Methods.Read = &Read;
            wrapped->Methods.Write = &Write;
            wrapped->Methods.DeviceCharacteristics = &DeviceCharacteristics;
            Wrapped[(nint)original] = (nint)wrapped;
            return &wrapped->Methods;
        }
    }

    private static Methods* OriginalOf(VfsFile* file) => ((WrappedMethods*)file->Methods)->Original;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Read(VfsFile* file, byte* to, int bytes, long offset)
    {
        var original = OriginalOf(file);
        var code = original->Read(file, to, bytes, offset);
        if (code == IoErrorShortRead) return IsBeyondEnd(original, file, offset) ? code : Damaged();
        if (code != Ok || offset + bytes <= HeaderBytes) return code;
        if (offset % PageChecksum.PageBytes != 0 || bytes % PageChecksum.PageBytes != 0) return Damaged(); // what is no whole page cannot be checked
        for (var at = 0; at < bytes; at += PageChecksum.PageBytes)
        {
            Interlocked.Increment(ref _pagesRead);
            var number = ((offset + at) / PageChecksum.PageBytes) + 1;
            if (!PageChecksum.IsIntact(new ReadOnlySpan<byte>(to + at, PageChecksum.PageBytes), number)) return Damaged();
        }

        return Ok;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Write(VfsFile* file, byte* from, int bytes, long offset)
    {
        if (offset % PageChecksum.PageBytes != 0 || bytes % PageChecksum.PageBytes != 0) return Error; // SQLite writes whole pages
        for (var at = 0; at < bytes; at += PageChecksum.PageBytes)
        {
            // The page is the cache's own; SQLite does not look at the reserved bytes.
            PageChecksum.Fill(new Span<byte>(from + at, PageChecksum.PageBytes), ((offset + at) / PageChecksum.PageBytes) + 1);
            Interlocked.Increment(ref _pagesWritten);
        }

        return OriginalOf(file)->Write(file, from, bytes, offset);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int DeviceCharacteristics(VfsFile* file) => OriginalOf(file)->DeviceCharacteristics(file) & ~SubpageReads;

    /// <summary>A new file's pages are not there yet; a page that is there in part was cut, and SQLite would take zeros for the rest.</summary>
    private static bool IsBeyondEnd(Methods* original, VfsFile* file, long offset)
    {
        long size;
        return original->FileSize(file, &size) == Ok && offset >= size;
    }

    private static int Damaged()
    {
        Interlocked.Increment(ref _pagesDamaged);
        return IoErrorData;
    }

    [LibraryImport(Library, EntryPoint = "sqlite3_vfs_find")]
    private static partial Vfs* Find(byte* name);

    [LibraryImport(Library, EntryPoint = "sqlite3_vfs_register")]
    private static partial int Register(Vfs* vfs, int isDefault);

    [LibraryImport(Library, EntryPoint = "sqlite3_file_control")]
    private static partial int FileControl(nint database, byte* schema, int operation, void* argument);

    /// <summary>sqlite3_vfs, version 3 (sqlite.org/c3ref/vfs.html).</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Vfs
    {
        public int Version;
        public int FileBytes;
        public int PathBytesMax;
        public Vfs* Next;
        public byte* Name;
        public void* AppData;
        public delegate* unmanaged[Cdecl]<Vfs*, byte*, VfsFile*, int, int*, int> Open;
        public FifteenPointers Others;
    }

    /// <summary>sqlite3_file: the platform's own fields follow.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct VfsFile
    {
        public Methods* Methods;
    }

    /// <summary>sqlite3_io_methods, version 3 (sqlite.org/c3ref/io_methods.html).</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct Methods
    {
        public int Version;
        public nint Close;
        public delegate* unmanaged[Cdecl]<VfsFile*, byte*, int, long, int> Read;
        public delegate* unmanaged[Cdecl]<VfsFile*, byte*, int, long, int> Write;
        public nint Truncate;
        public nint Sync;
        public delegate* unmanaged[Cdecl]<VfsFile*, long*, int> FileSize;
        public nint Lock;
        public nint Unlock;
        public nint CheckReservedLock;
        public nint FileControl;
        public nint SectorSize;
        public delegate* unmanaged[Cdecl]<VfsFile*, int> DeviceCharacteristics;
        public SixPointers SharedMemoryAndMapping;
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct WrappedMethods
    {
        public Methods Methods; // first: SQLite's pointer to it is a pointer to this
        public Methods* Original;
    }

    [InlineArray(15)]
    private struct FifteenPointers
    {
        private nint _first;
    }

    [InlineArray(6)]
    private struct SixPointers
    {
        private nint _first;
    }
}
