using System.Collections.Concurrent;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>
/// An immutable file of sealed events that covers a contiguous range of positions. Read by any thread, each with a connection of its own.
/// </summary>
/// <remarks>
/// Counted by the views that hold it; the last release closes it and, if it was retired, unlinks the file. So a page in progress never
/// finds its file gone, and getting rid of data waits for pages only. In a shard found damaged meanwhile the file stays.
/// </remarks>
internal sealed class Run : IDisposable
{
    /// <summary>Idle connections kept open; more are opened while more threads read and closed afterwards.</summary>
    private const int IdleReadersMax = 4;

    private readonly ConcurrentBag<RunReader> _idle = [];
    private readonly BloomFilter _filter;
    private readonly Action<DamagedDataException> _onDamage;
    private int _references;
    private long _reads;
    private volatile bool _closed;
    private Retirement? _retirement;

    private Run(long id, string path, RunReader first, Action<DamagedDataException> onDamage)
    {
        Id = id;
        Path = path;
        _onDamage = onDamage;
        Meta = first.Meta;
        _filter = first.ReadFilter();
        (FirstNamed, LastNamed) = first.ReadNamed();
        Bytes = new FileInfo(path).Length;
        _idle.Add(first);
    }

    public long Id { get; }

    public string Path { get; }

    public RunMeta Meta { get; }

    public long FirstPosition => Meta.FirstPosition;

    public long LastPosition => Meta.LastPosition;

    /// <summary>The lowest number of an entity first seen in this run; above <see cref="LastNamed"/> if there is none.</summary>
    public long FirstNamed { get; }

    public long LastNamed { get; }

    public long Bytes { get; }

    /// <summary>Times that it was looked into.</summary>
    internal long Reads => Interlocked.Read(ref _reads);

    /// <param name="directory">The shard's.</param>
    /// <param name="id">The file's number.</param>
    /// <param name="onDamage">Told of damage that any later read finds, on the reader's thread.</param>
    public static Run Open(string directory, long id, Action<DamagedDataException> onDamage)
    {
        var path = RunBuilder.PathOf(directory, id);
        if (!File.Exists(path)) throw new DamagedDataException($"{System.IO.Path.GetFileName(path)} is named by the catalog but is not there.");
        var reader = new RunReader(path);
        try
        {
            return new Run(id, path, reader, onDamage);
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>Opens a run that was just built and is nobody's yet. If that fails its file goes: each try would leave one more.</summary>
    public static Run OpenBuilt(string directory, long id, Action<DamagedDataException> onDamage)
    {
        try
        {
            return Open(directory, id, onDamage);
        }
        catch
        {
            File.Delete(RunBuilder.PathOf(directory, id));
            throw;
        }
    }

    /// <summary>True if the filter in a file is the one in use.</summary>
    public bool HasFilter(BloomFilter filter) => filter.Bytes.SequenceEqual(_filter.Bytes);

    /// <summary>False = no entity with this tag was first seen here; no file is touched.</summary>
    public bool MayHold(NameTag tag) => _filter.MayContain(tag.High);

    /// <summary>
    /// The one way to read it: with a connection that nobody else uses meanwhile. Whoever reads holds a lease of a view with this run.
    /// Damage is told to the shard before it is thrown.
    /// </summary>
    /// <param name="state">Handed to <paramref name="read"/>.</param>
    /// <param name="read">Reads.</param>
    /// <param name="isFromDisk">With a connection that has read nothing yet: what others have cached may no longer be what is in the file.</param>
    public T Read<TState, T>(TState state, Func<RunReader, TState, T> read, bool isFromDisk = false)
        where TState : allows ref struct
    {
        // A closed run's file may be gone, which must not look like damage: to get here without a lease is a bug.
        ObjectDisposedException.ThrowIf(_closed, this);
        StorageMetrics.RunReads.Add(1);
        Interlocked.Increment(ref _reads);
        RunReader? reader = null;
        try
        {
            if (isFromDisk || !_idle.TryTake(out reader)) reader = new RunReader(Path);
            var result = read(reader, state);
            Return(reader);
            return result;
        }
        catch (Exception e)
        {
            // Its statements may stand anywhere; it is not used again.
            reader?.Dispose();
            if (e is not (DamagedDataException { IsGap: false } or InvalidDataException)) throw;
            var damage = Named(e as DamagedDataException ?? new DamagedDataException(e.Message, e));
            _onDamage(damage);
            if (ReferenceEquals(damage, e)) throw;
            throw damage;
        }
    }

    public void AddReference() => Interlocked.Increment(ref _references);

    public void RemoveReference()
    {
        if (Interlocked.Decrement(ref _references) == 0) Dispose();
    }

    /// <summary>To be unlinked when the last view lets go of it; the task tells when that is done.</summary>
    /// <param name="mayUnlink">Asked then: readers may hold it until long after the shard was found damaged. If not, the task never ends.</param>
    public Task Retire(Func<bool> mayUnlink)
    {
        var gone = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Volatile.Write(ref _retirement, new Retirement(gone, mayUnlink));
        return gone.Task;
    }

    public void Dispose()
    {
        _closed = true;
        while (_idle.TryTake(out var reader)) reader.Dispose();
        if (Volatile.Read(ref _retirement) is not { } retirement || !retirement.MayUnlink()) return;
        try
        {
            File.Delete(Path);
            retirement.Gone.SetResult();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The catalog no longer names the file, so the next start deletes it; whoever waits for its end tries again before.
            retirement.Gone.SetException(e);
        }
    }

    /// <summary>Whoever hears of damage hears where.</summary>
    private DamagedDataException Named(DamagedDataException damage)
    {
        if (damage.File is not null) return damage; // where several runs are read at once it need not be this one
        var name = System.IO.Path.GetFileName(Path);
        return new DamagedDataException($"{name}: {damage.Message}", damage) { File = name };
    }

    private void Return(RunReader reader)
    {
        if (_idle.Count >= IdleReadersMax) reader.Dispose();
        else _idle.Add(reader);
    }

    private sealed record Retirement(TaskCompletionSource Gone, Func<bool> MayUnlink);
}
