using System.IO.Hashing;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Warp.Http.Events;

namespace Warp.Http.Storage;

/// <summary>All shards of a data directory.</summary>
public sealed class Store : IDisposable
{
    /// <summary>SQLite 3.7.0 to 3.51.2 can corrupt a WAL that is reset while another connection writes; https://www.sqlite.org/wal.html.</summary>
    private static readonly Version SqliteMin = new(3, 51, 3);

    /// <summary>A start is not kept longer; what is left is for the verification behind it.</summary>
    private static readonly TimeSpan VerifyAtStartMax = TimeSpan.FromSeconds(1);

    private readonly DataDirectory _directory;
    private readonly Shard[] _shards;
    private CachedCursor _cursor = new([], "");

    public Store(IOptions<StoreOptions> options, TimeProvider time, ILogger<Store> logger)
    {
        if (SqliteDatabase.LibraryVersion < SqliteMin)
            throw new DataDirectoryException($"SQLite {SqliteDatabase.LibraryVersion} is loaded; at least {SqliteMin} is needed.");
        Options = options.Value;
        _directory = DataDirectory.Open(Options, time);
        Readers = new ReaderPool(Math.Max(2, Environment.ProcessorCount));
        _shards = new Shard[_directory.Shards];
        try
        {
            for (var i = 0; i < _shards.Length; i++) _shards[i] = new Shard(i, _directory, Options, time, logger);
            // All are read before any is changed: what keeps one of them from being opened leaves the others as they were, too.
            foreach (var shard in _shards) shard.Read();
            OpenFiles.Check(DirectoryPath, Shards);
            foreach (var shard in _shards) shard.Prepare();
            foreach (var shard in _shards) shard.Start();
            Verification = new Verification(this, time, logger);
            VerifyNewest(time);
        }
        catch
        {
            Dispose();
            throw;
        }

        ConnectionsMax = OpenFiles.ForConnections();
        StorageMetrics.Opened(this);
    }

    /// <summary>Changes only when a backup is restored: cursors of before are then foreign.</summary>
    public ulong StoreId => _directory.StoreId;

    public string DirectoryPath => _directory.Path;

    public int Shards => _shards.Length;

    /// <summary>As configured: <c>fsync</c> or <c>os</c>.</summary>
    public string Durability => Options.Durability == Storage.Durability.Os ? "os" : "fsync";

    public string SqliteVersion => SqliteDatabase.LibraryVersion.ToString();

    /// <summary>Every shard's durable position in the form that clients see. The string is shared while no position moves.</summary>
    public string CurrentCursor
    {
        get
        {
            var cached = Volatile.Read(ref _cursor);
            return IsCurrent(cached) ? cached.Text : MakeCursor();
        }
    }

    /// <summary>What is wrong, part by part; empty = nothing.</summary>
    public IReadOnlyList<string> Troubles => [.. _shards.Select(s => s.Trouble).Append(Verification.Trouble).OfType<string>()];

    public Verification Verification { get; }

    /// <summary>True if at least one shard takes reads.</summary>
    public bool IsServing => _shards.Any(s => s.Damage is null);

    /// <summary>How many connections clients may have, so that the store has files left; null = the system sets no limit.</summary>
    public long? ConnectionsMax { get; }

    internal StoreOptions Options { get; }

    internal long BytesToVerify => _shards.Sum(ShardCheck.BytesOf);

    internal ReaderPool Readers { get; }

    internal ReadOnlySpan<Shard> AllShards => _shards;

    internal long IdSeed => EventIdHash.SeedOf(_directory.NameSecret);

    internal NameTag TagOf(ReadOnlySpan<byte> name) => NameTag.Of(name, _directory.NameSecret);

    /// <summary>The shard that a name belongs to for ever: a hash of the name over the fixed number of shards.</summary>
    internal Shard ShardOf(ReadOnlySpan<byte> name)
    {
        if (_shards.Length == 1) return _shards[0];
        var hash = XxHash3.HashToUInt64(name);
        return _shards[(int)Math.BigMul(hash, (ulong)_shards.Length, out _)];
    }

    /// <summary>Commits what is queued, then closes all files.</summary>
    public void Dispose()
    {
        Verification?.Dispose(); // it reads what is closed next
        StorageMetrics.Closed(this);
        foreach (var shard in _shards) shard?.Stop();
        Readers.Dispose(); // what still reads needs the views
        foreach (var shard in _shards) shard?.Dispose();
        _directory.Dispose();
    }

    internal void CheckShard(int index, VerifyLog log) => new ShardCheck(_shards[index], this, log).Check();

    internal string? CheckManifest() => _directory.CheckManifest();

    internal string? CheckSecret() => _directory.CheckSecret();

    /// <summary>What was written last was read least: bits that flipped there are found before anything is answered from them.</summary>
    private void VerifyNewest(TimeProvider time)
    {
        using var limit = new CancellationTokenSource(VerifyAtStartMax);
        var log = new VerifyLog(time.GetUtcNow(), isPaced: false, limit.Token);
        foreach (var shard in _shards)
            if (shard.CanBeVerified) new ShardCheck(shard, this, log).CheckNewest(Options.VerifyAtStartBytes / _shards.Length);
    }

    private bool IsCurrent(CachedCursor cached)
    {
        if (cached.Positions.Length != _shards.Length) return false;
        for (var i = 0; i < _shards.Length; i++)
            if (cached.Positions[i] != _shards[i].DurablePosition) return false;
        return true;
    }

    private string MakeCursor()
    {
        var positions = new long[_shards.Length];
        for (var i = 0; i < positions.Length; i++) positions[i] = _shards[i].DurablePosition;
        var cursor = new CachedCursor(positions, Cursor.Format(StoreId, Array.ConvertAll(positions, FeedPlace.At)));
        Volatile.Write(ref _cursor, cursor);
        return cursor.Text;
    }

    private sealed record CachedCursor(long[] Positions, string Text);
}
