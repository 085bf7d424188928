using System.ComponentModel.DataAnnotations;

namespace Warp.Http.Storage;

/// <summary>What an acknowledged append has survived.</summary>
public enum Durability
{
    /// <summary>On disk (fsync) before the reply: survives a power cut.</summary>
    Fsync,

    /// <summary>In the kernel before the reply: survives kill -9; a power cut may take the last moments.</summary>
    Os,
}

/// <summary>Where and how the store keeps its data (<c>Warp</c>).</summary>
public sealed class StoreOptions
{
    public const string Section = "Warp";

    /// <summary>Holds <c>shards/</c> and <c>keys/</c>; created with mode 0700 and locked against a second process.</summary>
    [Required]
    public string DataDirectory { get; init; } = "./data";

    /// <summary>Fixed when the directory is created; null = 1 up to 4 processors, then one for every 4.</summary>
    [Range(1, 256)]
    public int? Shards { get; init; }

    public Durability Durability { get; init; } = Durability.Fsync;

    /// <summary>
    /// Bytes of unsealed events at which a journal is rotated and its memtable sealed into a run. Appends go on while that is sealed; where sealing
    /// is behind they go on up to four times this in all (<c>warp_unsealed_bytes</c>), then they wait. A shard's memory for events is therefore at
    /// most four times this, and an index of 32 bytes an append and 60 more an entity; a start reads as much, as a rule about twice this.
    /// </summary>
    [Range(64 * 1024, 1 << 30)]
    public int SealBytes { get; init; } = 32 * 1024 * 1024;

    /// <summary>Unsealed bytes at which a shard's writer waits for sealing: one memtable being sealed, and three times its size meanwhile.</summary>
    internal long UnsealedBytesMax => 4L * SealBytes;

    /// <summary>The longest time that events stay unsealed.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "1.00:00:00")]
    public TimeSpan SealAfter { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Bytes of appends that may wait for one shard's writer; one more is refused with 503 <c>overloaded</c>.</summary>
    [Range(1 << 20, 1 << 30)]
    public int QueuedBytesMax { get; init; } = 64 * 1024 * 1024;

    /// <summary>With less than this free on the disk, appends are refused with 507, so that sealing and erasing still have room.</summary>
    [Range(0, long.MaxValue)]
    public long FreeBytesMin { get; init; } = 128L * 1024 * 1024;

    /// <summary>Bytes of the newest runs whose checksums and events are checked before a start ends; 0 = none.</summary>
    [Range(0, long.MaxValue)]
    public long VerifyAtStartBytes { get; init; } = 128L * 1024 * 1024;

    /// <summary>After a start, everything is verified once in the background.</summary>
    public bool VerifyInBackground { get; init; } = true;

    /// <summary>Neighbouring runs of a level that are merged into one. A seam: tests lower it to see many merges.</summary>
    internal int MergeFanOut { get; init; } = MergePolicy.FanOut;

    /// <summary>Called at each step, on the thread that takes it; what it throws, the step throws. Null = nobody looks.</summary>
    internal Action<StoreStep>? AtStep { get; init; }

    /// <summary>The shard count for a new directory.</summary>
    public int ShardsForNewDirectory => Shards ?? Math.Max(1, Environment.ProcessorCount / 4);
}
