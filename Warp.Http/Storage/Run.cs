using System.Collections.Concurrent;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>
/// An immutable file of sealed events that covers a contiguous range of positions. Read by any thread, each with a connection of its own.
/// </summary>
/// <remarks>
/// Counted by the views that hold it; the last release closes it and, if it was retired, unlinks the file. So a page in progress never
/// finds its file gone, and getting rid of data waits for pages only.
/// </remarks>
internal sealed class Run : IDisposable
{
    /// <summary>Idle connections kept open; more are opened while more threads read and closed afterwards.</summary>
    private const int IdleReadersMax = 4;

    private readonly ConcurrentBag<RunReader> _idle = [];
    private readonly BloomFilter _filter;
    private int _references;
    private TaskCompletionSource? _gone;

    private Run(long id, string path, RunReader first)
    {
        Id = id;
        Path = path;
        (FirstPosition, LastPosition, LastMs, Names, _filter) = first.ReadMeta();
        Bytes = new FileInfo(path).Length;
        _idle.Add(first);
    }

    public long Id { get; }

    public string Path { get; }

    public long FirstPosition { get; }

    public long LastPosition { get; }

    /// <summary>The latest group commit in it, Unix milliseconds.</summary>
    public long LastMs { get; }

    /// <summary>Entities first seen in this run.</summary>
    public long Names { get; }

    public long Bytes { get; }

    public static Run Open(string directory, long id)
    {
        var path = RunBuilder.PathOf(directory, id);
        if (!File.Exists(path)) throw new DamagedDataException($"{System.IO.Path.GetFileName(path)} is named by the catalog but is not there.");
        var reader = new RunReader(path);
        try
        {
            return new Run(id, path, reader);
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>False = no entity with this tag was first seen here; no file is touched.</summary>
    public bool MayHold(NameTag tag) => _filter.MayContain(tag.High);

    public RunReader Rent() => _idle.TryTake(out var reader) ? reader : new RunReader(Path);

    public void Return(RunReader reader)
    {
        if (_idle.Count >= IdleReadersMax) reader.Dispose();
        else _idle.Add(reader);
    }

    public void AddReference() => Interlocked.Increment(ref _references);

    public void RemoveReference()
    {
        if (Interlocked.Decrement(ref _references) == 0) Dispose();
    }

    /// <summary>To be unlinked when the last view lets go of it; the task tells when that is done.</summary>
    public Task Retire()
    {
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _gone, gone);
        return gone.Task;
    }

    public void Dispose()
    {
        while (_idle.TryTake(out var reader)) reader.Dispose();
        if (Volatile.Read(ref _gone) is not { } gone) return;
        try
        {
            File.Delete(Path);
            gone.SetResult();
        }
        catch (IOException e)
        {
            // The catalog no longer names the file, so the next start deletes it; whoever waits for its end must know now.
            gone.SetException(e);
        }
    }
}
