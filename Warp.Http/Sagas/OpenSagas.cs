using System.Collections.Concurrent;
using System.Text.Json;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Sagas;

/// <summary>Which sagas have not ended, in memory and, now and then, written down: so that a start finds them among millions that have.</summary>
/// <remarks>
/// What is written down is a number for each shard and the open sagas' ids. Invariant: of the sagas whose entity has that number or a lower one,
/// every one that has not ended is among the ids; the others are listed by name from there. It holds because a saga is entered here before its
/// first append, and because the numbers, those of sagas that have begun or that a start has gone through, are read before the ids. The first saga of all waits until something is written down.
/// </remarks>
internal sealed class OpenSagas(EntityRegistry registry, int shards, SagaAppends appends, TimeProvider time, CancellationToken stopping) : IDisposable
{
    /// <summary>What begins and ends before it is written down again: so many logs are read at a start that need not be, in some tenths of a second.</summary>
    private const int ChangesMax = 4000;

    /// <summary>When few begin and end, they are written down so often: a start goes through the names of entities that came since.</summary>
    private static readonly TimeSpan WrittenEvery = TimeSpan.FromMinutes(10);

    /// <summary>How long the shard that holds what is written down may be away before somebody is told.</summary>
    private static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(5);

    private static readonly byte[] s_entity = "warp.sagas/open"u8.ToArray();

    private readonly ConcurrentDictionary<string, Life> _open = new(StringComparer.Ordinal); // with a stuck saga's life; none while it runs
    private readonly long[] _newest = new long[shards];
    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly TaskCompletionSource _isRead = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile bool _isWritten;
    private bool _isComplete; // no saga is missing: only then may it be written down
    private long _changes;
    private long _changesWritten;
    private long _writtenAt; // a timestamp
    private int _stuck;

    /// <summary>How many are stuck.</summary>
    public int Stuck => Volatile.Read(ref _stuck);

    /// <summary>Sagas that are stuck, in order of creation within a shard.</summary>
    public List<(string Id, Life Life)> ListStuck() =>
        [.. _open.Where(saga => !saga.Value.IsNone).Select(saga => (saga.Key, saga.Value)).OrderBy(saga => saga.Value.Shard).ThenBy(saga => saga.Value.Number)];

    /// <summary>Before its log begins.</summary>
    public void Began(string id)
    {
        if (_open.TryAdd(id, default)) Interlocked.Increment(ref _changes);
    }

    /// <summary>After a saga's log began, or after all were entered that begin up to there.</summary>
    public void Newest(Life life)
    {
        ref var newest = ref _newest[life.Shard];
        for (var known = Volatile.Read(ref newest); known < life.Number;)
        {
            var seen = Interlocked.CompareExchange(ref newest, life.Number, known);
            if (seen == known) return;
            known = seen;
        }
    }

    /// <summary>After its log ended, or when it turned out that there is none.</summary>
    public void Ended(string id)
    {
        if (!_open.TryRemove(id, out var life)) return;
        if (!life.IsNone) Interlocked.Decrement(ref _stuck);
        Interlocked.Increment(ref _changes);
    }

    public void GotStuck(string id, Life life)
    {
        if (_open.TryGetValue(id, out var known) && !known.IsNone) return;
        _open[id] = life; // its owner alone changes it
        Interlocked.Increment(ref _stuck);
        Interlocked.Increment(ref _changes);
    }

    /// <summary>Ends when something is written down, from which the sagas that begin now would be found; else says why that can't be, and none must begin.</summary>
    /// <exception cref="ShardUnavailableException">Nobody can tell whether something is written down.</exception>
    public async ValueTask<AppendOutcome> EnsureWrittenAsync(Deadline deadline)
    {
        if (_isWritten) return default;
        try
        {
            await _isRead.Task.WaitAsync(WaitMax, time, stopping);
        }
        catch (TimeoutException)
        {
            throw new ShardUnavailableException("Which sagas are open can't be read.") { IsTransient = true };
        }

        return _isWritten ? default : await WriteAsync(deadline);
    }

    /// <summary>Reads what was written down last. Where nothing is, no saga ever began.</summary>
    public async Task<bool> ReadAsync(CancellationToken cancellation)
    {
        var found = await registry.FindAsync(s_entity, cancellation);
        if (found.Actor is { } actor)
        {
            using var page = await actor.ReadAsync(1, long.MaxValue, descending: true, 1, 1 << 20, cancellation);
            if (page.Count > 0) Take(page.GetEvent(0).Fields.Payload.ToArray());
        }
        else
        {
            _isComplete = true;
        }

        _isRead.TrySetResult();
        return _isWritten;
    }

    /// <summary>Adds the sagas of a shard that began after what is written down; each may have ended.</summary>
    public async Task<List<string>> ScanAsync(int shard, CancellationToken cancellation)
    {
        const int Page = 10_000;
        var added = new List<string>();
        var listed = new List<ListedEntity>();
        var after = new Life(shard, Volatile.Read(ref _newest[shard]));
        do
        {
            listed.Clear();
            after = await registry.ListShardAsync(SagaIds.Kind.ToArray(), after, Page, listed, cancellation);
            foreach (var saga in listed)
            {
                var id = SagaIds.IdOf(saga.Name.Utf8);
                Began(id);
                added.Add(id);
            }
        }
        while (listed.Count == Page);

        if (after.Number > Volatile.Read(ref _newest[shard])) Interlocked.Increment(ref _changes); // the next start need not go through them again
        Newest(after);
        return added;
    }

    public IReadOnlyCollection<string> Ids => [.. _open.Keys];

    /// <summary>Every shard that serves was scanned: from now on it may be written down.</summary>
    public void IsComplete() => Volatile.Write(ref _isComplete, true);

    /// <summary>Writes down what is open, if much has changed, or something a while ago: each time is an event that stays for good.</summary>
    public Task WriteIfDueAsync()
    {
        var isDue = Volatile.Read(ref _changes) - Volatile.Read(ref _changesWritten) >= ChangesMax || time.GetElapsedTime(Volatile.Read(ref _writtenAt)) >= WrittenEvery;
        return isDue ? WriteIfChangedAsync() : Task.CompletedTask;
    }

    /// <summary>Writes down what is open, if that has changed.</summary>
    public async Task WriteIfChangedAsync()
    {
        if (_isWritten && Volatile.Read(ref _isComplete) && Volatile.Read(ref _changes) != Volatile.Read(ref _changesWritten))
        {
            using var deadline = new Deadline(WaitMax, time, stopping);
            if (await WriteAsync(deadline) is { Status: not AppendStatus.Appended and var status })
                throw new ShardUnavailableException($"Which sagas are open could not be written down: {status}.") { IsTransient = true };
        }
    }

    public void Dispose() => _writing.Dispose();

    private async Task<AppendOutcome> WriteAsync(Deadline deadline)
    {
        await _writing.WaitAsync();
        try
        {
            var changes = Volatile.Read(ref _changes);
            if (!Volatile.Read(ref _isComplete) || (_isWritten && changes == _changesWritten)) return default;
            var outcome = await appends.SendAsync(Command());
            if (SagaAppends.IsPassing(outcome.Status)) outcome = await appends.RetryAsync(outcome, this, static self => self.SendAsync(), deadline);
            if (outcome.Status != AppendStatus.Appended) return outcome;
            Volatile.Write(ref _changesWritten, changes);
            Volatile.Write(ref _writtenAt, time.GetTimestamp());
            _isWritten = true;
            return outcome;
        }
        finally
        {
            _writing.Release();
        }
    }

    private ValueTask<AppendOutcome> SendAsync() => appends.SendAsync(Command());

    private AppendCommand Command()
    {
        using var json = JsonBuffer.Rent();
        json.Raw("{\"after\":["u8);
        for (var i = 0; i < shards; i++) // the numbers before the ids: see the invariant
        {
            if (i > 0) json.Raw((byte)',');
            json.Number(Volatile.Read(ref _newest[i]));
        }

        json.Raw("],\"open\":["u8);
        var isFirst = true;
        foreach (var (id, _) in _open)
        {
            if (!isFirst) json.Raw((byte)',');
            isFirst = false;
            json.Text(id);
        }

        json.Raw("]}"u8);
        var command = AppendCommand.Rent();
        command.SetEntity(s_entity);
        command.Events.Add(new EventFields { Type = "Checkpoint"u8, SchemaVersion = 1, Payload = json.Written });
        command.Events.Seal();
        return command;
    }

    private void Take(byte[] payload)
    {
        using var document = JsonDocument.Parse(payload);
        var shard = 0;
        foreach (var number in document.RootElement.GetProperty("after"u8).EnumerateArray()) Newest(new Life(shard++, number.GetInt64()));
        foreach (var id in document.RootElement.GetProperty("open"u8).EnumerateArray()) Began(id.GetString()!);
        _isWritten = true;
    }
}
