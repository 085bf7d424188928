using System.Collections.Concurrent;

namespace Warp.Http.Endpoints;

/// <summary>Some lines that stand together in a <see cref="LineQueue"/>, with the commands they are posted by. Pooled whole: a line rents nothing.</summary>
internal sealed class LineSegment
{
    /// <summary>As many as complete together.</summary>
    public const int Size = 32;

    /// <summary>
    /// 16,384 commands: four streams at full depth. Some 15 MB, and beside that the buffers that they keep for events: 64 MiB where lines had 4 KiB.
    /// </summary>
    private const int PooledMax = 512;

    private static readonly ConcurrentQueue<LineSegment> Pool = new();

    public StreamLine[] Lines { get; } = new StreamLine[Size];

    public LineSegment? Next { get; set; }

    public static LineSegment Rent() => Pool.TryDequeue(out var segment) ? segment : new LineSegment();

    /// <summary>All its commands are reset.</summary>
    public void Return()
    {
        Next = null;
        if (Pool.Count < PooledMax) Pool.Enqueue(this);
    }
}
