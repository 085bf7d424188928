using Warp.Http.Entities;

namespace Warp.Http.Endpoints;

/// <summary>The lines of one stream that are posted and not yet answered, in order, at most <paramref name="linesMax"/>.</summary>
/// <remarks>
/// One loop adds, one removes; neither takes a lock, and neither looks at the other's count while the one it saw last will do. A line is written
/// before the count that shows it, a segment is linked before the count that leads into it. Who finds nothing waits at <see cref="Added"/>, who
/// finds no room at <see cref="Removed"/>; the other side wakes it after a batch, not after a line.
/// </remarks>
internal sealed class LineQueue(int linesMax) : IDisposable
{
    private readonly LineSegment _first = LineSegment.Rent();
    private LineSegment? _tail; // adding loop only, as the next two
    private int _tailAt;
    private long _removedSeen;

    private LineSegment? _head; // removing loop only, as the next two
    private int _headAt;
    private long _addedSeen;

    private long _added; // written by the adding loop
    private long _removed; // written by the removing loop

    /// <summary>The removing loop waits here.</summary>
    public WakeUp Added { get; } = new();

    /// <summary>The adding loop waits here.</summary>
    public WakeUp Removed { get; } = new();

    /// <summary>Adding loop: whether another line may be added.</summary>
    public bool HasRoom
    {
        get
        {
            if (_added - _removedSeen < linesMax) return true;
            _removedSeen = Volatile.Read(ref _removed);
            return _added - _removedSeen < linesMax;
        }
    }

    /// <summary>Adding loop: the place of the next line, to be filled before <see cref="Add"/>.</summary>
    public ref StreamLine Free
    {
        get
        {
            ref var line = ref (_tail ??= _first).Lines[_tailAt];
            line.Command ??= new AppendCommand();
            return ref line;
        }
    }

    /// <summary>Removing loop: whether a line is there.</summary>
    public bool HasLine
    {
        get
        {
            if (_removed < _addedSeen) return true;
            _addedSeen = Volatile.Read(ref _added);
            return _removed < _addedSeen;
        }
    }

    /// <summary>Removing loop: the oldest line.</summary>
    public ref StreamLine Oldest => ref (_head ??= _first).Lines[_headAt];

    public void Add()
    {
        if (++_tailAt == LineSegment.Size)
        {
            var next = LineSegment.Rent();
            _tail!.Next = next;
            _tail = next;
            _tailAt = 0;
        }

        Volatile.Write(ref _added, _added + 1);
    }

    /// <summary>Removing loop: the oldest line is answered, and its command under way no more.</summary>
    public void Remove()
    {
        ref var line = ref Oldest;
        line.Command!.Reset();
        line.Problem = null;
        line.Entity = null;
        if (++_headAt == LineSegment.Size)
        {
            var left = _head!;
            _head = left.Next;
            _headAt = 0;
            left.Return();
        }

        Volatile.Write(ref _removed, _removed + 1);
    }

    /// <summary>After both loops have ended. A command is given back only when nobody holds it any more.</summary>
    public void Dispose()
    {
        if (_added == _removed) (_head ?? _first).Return();
        Added.Dispose();
        Removed.Dispose();
    }
}
