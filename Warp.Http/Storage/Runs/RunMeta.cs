namespace Warp.Http.Storage;

/// <summary>What a run says about itself.</summary>
internal sealed record RunMeta
{
    /// <summary>2: compact heads, tags as row ids, states, checksums in pages.</summary>
    public const int Format = 2;

    public required long FirstPosition { get; init; }

    public required long LastPosition { get; init; }

    /// <summary>What the pieces' times count from; positions count from <see cref="FirstPosition"/>.</summary>
    public required long BaseMs { get; init; }

    /// <summary>The latest group commit in it, Unix milliseconds.</summary>
    public required long LastMs { get; init; }

    public required long Events { get; init; }

    public required long Names { get; init; }

    public required long States { get; init; }

    /// <summary>Tags that stand beside their own place because another has it: two lives or two names with the same 64 bits.</summary>
    public required long DisplacedTags { get; init; }

    public RunBases Bases => new(FirstPosition, BaseMs);

    public static RunMeta Read(SqliteDatabase database)
    {
        using var meta = database.PrepareOnce("SELECT value FROM meta WHERE key = ?");
        var format = Number("format");
        if (format != Format) throw new DamagedDataException($"A run has format {format}; this version reads format {Format}.");
        return new RunMeta
        {
            FirstPosition = Number("first_pos"),
            LastPosition = Number("last_pos"),
            BaseMs = Number("base_ms"),
            LastMs = Number("last_ms"),
            Events = Number("events"),
            Names = Number("names"),
            States = Number("states"),
            DisplacedTags = Number("displaced"),
        };

        long Number(string key)
        {
            meta.Bind(1, key);
            if (!meta.Step()) throw new DamagedDataException($"A run has no {key}.");
            var value = meta.Int64(0);
            meta.Reset();
            return value;
        }
    }

    /// <summary>Apart, for it may have megabytes and only the run itself needs it, not each reader.</summary>
    public static BloomFilter ReadFilter(SqliteDatabase database)
    {
        using var meta = database.PrepareOnce("SELECT value FROM meta WHERE key = 'filter'");
        return meta.Step() ? BloomFilter.FromBytes(meta.Blob(0)) : throw new DamagedDataException("A run has no filter.");
    }

    public void Write(SqliteDatabase database, BloomFilter filter)
    {
        using var meta = database.PrepareOnce("INSERT INTO meta VALUES(?, ?)");
        meta.Bind(1, "format").Bind(2, Format).Run();
        meta.Bind(1, "first_pos").Bind(2, FirstPosition).Run();
        meta.Bind(1, "last_pos").Bind(2, LastPosition).Run();
        meta.Bind(1, "base_ms").Bind(2, BaseMs).Run();
        meta.Bind(1, "last_ms").Bind(2, LastMs).Run();
        meta.Bind(1, "events").Bind(2, Events).Run();
        meta.Bind(1, "names").Bind(2, Names).Run();
        meta.Bind(1, "states").Bind(2, States).Run();
        meta.Bind(1, "displaced").Bind(2, DisplacedTags).Run();
        meta.Bind(1, "filter").Bind(2, filter.Bytes).Run();
    }
}
