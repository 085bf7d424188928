namespace Warp.Http.Storage;

/// <summary>SKETCH. A shard refuses reads or writes: damaged or its disk fails.</summary>
public sealed class ShardUnavailableException(string message) : Exception(message)
{
    public bool IsTransient { get; init; }
}

/// <summary>SKETCH: all shards of a data directory.</summary>
public sealed class Store
{
    public ulong StoreId => throw new NotSupportedException();
    public int Shards => throw new NotSupportedException();
    /// <summary>fsync or os.</summary>
    public string Durability => throw new NotSupportedException();
    public string SqliteVersion => throw new NotSupportedException();
    /// <summary>The opaque cursor of every shard's durable position; the string is shared between calls while no position moves.</summary>
    public string CurrentCursor => throw new NotSupportedException();
    /// <summary>Null when every shard serves; else the parts in trouble, for readiness.</summary>
    public IReadOnlyList<string> Troubles => throw new NotSupportedException();
    /// <summary>True if at least one shard takes appends and reads.</summary>
    public bool IsServing => throw new NotSupportedException();
}
