using System.Buffers.Binary;
using System.Text;

namespace Warp.Http.Tests.Support;

internal enum DiskCallKind
{
    Created = 'C',
    Written = 'W',
    Sized = 'T',
    Synced = 'S',
    SyncFailed = 'F',
    DirectoryMade = 'M',
    DirectorySynced = 'D',
    Renamed = 'R',
    Unlinked = 'U',
    DirectoryRemoved = 'X',
}

/// <summary>One call that changed the disk, as <c>powerloss-trace.h</c> writes it down.</summary>
/// <param name="Kind">What it did.</param>
/// <param name="Inode">Of the file or directory.</param>
/// <param name="Name">Relative to the root, of what was created, removed or renamed (where from).</param>
/// <param name="NewName">Where it was renamed to.</param>
/// <param name="Offset">Where it was written, or the new size.</param>
/// <param name="Data">What was written.</param>
/// <param name="End">The trace's length when the call was done.</param>
internal sealed record DiskCall(DiskCallKind Kind, ulong Inode, string Name, string NewName, long Offset, ReadOnlyMemory<byte> Data, long End)
{
    private const int HeaderBytes = 32;

    /// <summary>True for the calls that make something durable; between two of them a power cut leaves the same.</summary>
    public bool IsSync => Kind is DiskCallKind.Synced or DiskCallKind.DirectorySynced;

    public override string ToString() => Kind switch
    {
        DiskCallKind.Written => $"{Kind} {Data.Length} bytes at {Offset} of {Inode}",
        DiskCallKind.Sized => $"{Kind} {Inode} to {Offset}",
        DiskCallKind.Renamed => $"{Kind} {Name} to {NewName}",
        _ => $"{Kind} {(Name.Length > 0 ? Name : Inode)}",
    };

    /// <summary>All calls of a trace, in the order in which they happened; of one that is being written, those that stand in it wholly.</summary>
    public static List<DiskCall> ReadAll(string path)
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var trace = new byte[file.Length];
        file.ReadExactly(trace);
        var calls = new List<DiskCall>();
        for (var at = 0; at + HeaderBytes <= trace.Length;)
        {
            var header = trace.AsSpan(at, HeaderBytes);
            var nameBytes = BinaryPrimitives.ReadInt32LittleEndian(header[4..]);
            var dataBytes = BinaryPrimitives.ReadInt32LittleEndian(header[24..]);
            if (at + HeaderBytes + nameBytes + dataBytes > trace.Length) break;
            var names = Encoding.UTF8.GetString(trace, at + HeaderBytes, nameBytes).Split('\0');
            var data = trace.AsMemory(at + HeaderBytes + nameBytes, dataBytes);
            at += HeaderBytes + nameBytes + dataBytes;
            calls.Add(new DiskCall((DiskCallKind)header[0], BinaryPrimitives.ReadUInt64LittleEndian(header[8..]),
                names[0], names.Length > 1 ? names[1] : "", BinaryPrimitives.ReadInt64LittleEndian(header[16..]), data, at));
        }

        return calls;
    }
}
