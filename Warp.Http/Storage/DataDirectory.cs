using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Warp.Http.Storage;

/// <summary>
/// The data directory: locked, with a manifest of what never changes, and the store's secret.
/// <c>manifest.json</c>, <c>lock</c>, <c>keys/names.key</c>, <c>shards/000/…</c>.
/// </summary>
internal sealed partial class DataDirectory : IDisposable
{
    private const int FormatVersion = 2;
    private const int SecretBytes = 32;

    private readonly FileStream _lock;
    private readonly Manifest _manifest;

    private DataDirectory(string path, FileStream held, Manifest manifest, byte[] nameSecret)
    {
        Path = path;
        _lock = held;
        _manifest = manifest;
        StoreId = Convert.ToUInt64(manifest.StoreId, 16);
        Shards = manifest.Shards;
        NameSecret = nameSecret;
    }

    public string Path { get; }

    public ulong StoreId { get; }

    public int Shards { get; }

    /// <summary>Keys the HMAC under which names are looked up and tombstones kept; without it a tombstone says nothing about a name.</summary>
    public byte[] NameSecret { get; }

    public static DataDirectory Open(StoreOptions options, TimeProvider time)
    {
        var path = System.IO.Path.GetFullPath(options.DataDirectory);
        try
        {
            CreatePrivate(path);
            var held = Lock(path);
            try
            {
                var manifest = ReadManifest(path) ?? CreateManifest(path, options, time);
                if (options.Shards is { } wanted && wanted != manifest.Shards)
                    throw new DataDirectoryException($"The data directory {path} has {manifest.Shards} shard(s), fixed when it was created; Warp__Shards says {wanted}.");
                return new DataDirectory(path, held, manifest, ReadSecret(path, manifest));
            }
            catch
            {
                held.Dispose();
                throw;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw DataDirectoryException.Of($"The data directory {path} cannot be used", e);
        }
    }

    /// <summary>What is wrong with the manifest on disk; null = nothing. In service nobody reads it again, the next start does.</summary>
    public string? CheckManifest()
    {
        try
        {
            if (ReadManifest(Path) is not { } manifest) return "The file is missing.";
            return manifest == _manifest ? null : "It is not what it was at the start.";
        }
        catch (DataDirectoryException e)
        {
            return e.Message;
        }
    }

    /// <summary>What is wrong with the store's secret on disk; null = nothing.</summary>
    public string? CheckSecret()
    {
        try
        {
            return ReadSecret(Path, _manifest).AsSpan().SequenceEqual(NameSecret) ? null : "It is not what it was at the start: after the next one no entity could be found.";
        }
        catch (DataDirectoryException e)
        {
            return e.Message;
        }
    }

    public string ShardPath(int shard)
    {
        CreatePrivate(System.IO.Path.Combine(Path, "shards"));
        var path = System.IO.Path.Combine(Path, "shards", shard.ToString("D3"));
        CreatePrivate(path);
        return path;
    }

    public void Dispose() => _lock.Dispose();

    private static FileStream Lock(string path)
    {
        try
        {
            return new FileStream(System.IO.Path.Combine(path, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (SystemErrors.IsFileInUse(e))
        {
            throw new DataDirectoryException($"The data directory {path} is in use by another process.", e);
        }
    }

    private static Manifest? ReadManifest(string path)
    {
        var file = System.IO.Path.Combine(path, "manifest.json");
        if (!File.Exists(file)) return null;
        Manifest? manifest;
        try
        {
            manifest = JsonSerializer.Deserialize(File.ReadAllBytes(file), ManifestJson.Default.Manifest);
        }
        catch (JsonException e)
        {
            throw new DataDirectoryException($"{file} cannot be read: {e.Message}", e);
        }

        if (manifest is { Format: not FormatVersion, Checksum: null })
            throw new DataDirectoryException($"{file} has format {manifest.Format}; this version reads format {FormatVersion}.");
        if (manifest is null || !string.Equals(manifest.Checksum, manifest.ComputeChecksum(), StringComparison.Ordinal))
            throw new DataDirectoryException($"{file} is damaged: its checksum does not match. Restore it from a copy of the data directory.");
        if (manifest.Format != FormatVersion) throw new DataDirectoryException($"{file} has format {manifest.Format}; this version reads format {FormatVersion}.");
        return manifest;
    }

    private static Manifest CreateManifest(string path, StoreOptions options, TimeProvider time)
    {
        // Data without its manifest is not a new store: a new secret would make every stored name unfindable.
        if (Directory.Exists(System.IO.Path.Combine(path, "shards")))
            throw new DataDirectoryException($"{path} has shards but no manifest.json; restore the manifest, or point Warp__DataDirectory at an empty directory.");
        CreatePrivate(System.IO.Path.Combine(path, "keys"));
        var secret = RandomNumberGenerator.GetBytes(SecretBytes);
        WriteDurably(System.IO.Path.Combine(path, "keys", "names.key"), secret);
        var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(sizeof(ulong)));
        var manifest = new Manifest(FormatVersion, id, options.ShardsForNewDirectory, time.GetUtcNow(), ChecksumOf(secret));
        manifest = manifest with { Checksum = manifest.ComputeChecksum() };
        WriteDurably(System.IO.Path.Combine(path, "manifest.json"), JsonSerializer.SerializeToUtf8Bytes(manifest, ManifestJson.Default.Manifest));
        return manifest;
    }

    private static byte[] ReadSecret(string path, Manifest manifest)
    {
        var file = System.IO.Path.Combine(path, "keys", "names.key");
        var secret = File.Exists(file) ? File.ReadAllBytes(file) : [];
        if (secret.Length != SecretBytes)
            throw new DataDirectoryException($"{file} is missing or not {SecretBytes} bytes long; without it no entity can be found. Restore it from where keys/ is kept.");
        if (!string.Equals(ChecksumOf(secret), manifest.NamesKeyChecksum, StringComparison.Ordinal))
            throw new DataDirectoryException($"{file} is damaged or belongs to another store; with it no entity can be found. Restore it from where keys/ is kept.");
        return secret;
    }

    /// <summary>Eight bytes of SHA-256, which say nothing about 32 random ones.</summary>
    private static string ChecksumOf(ReadOnlySpan<byte> content) => Convert.ToHexStringLower(SHA256.HashData(content).AsSpan(0, sizeof(ulong)));

    /// <summary>Written beside, synced and renamed: the file is there whole or not at all.</summary>
    private static void WriteDurably(string file, byte[] content)
    {
        var beside = file + ".new";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using (var stream = new FileStream(beside, options))
        {
            stream.Write(content);
            stream.Flush(flushToDisk: true);
        }

        File.Move(beside, file, overwrite: true);
        DirectorySync.Flush(System.IO.Path.GetDirectoryName(file)!);
    }

    private static void CreatePrivate(string path)
    {
        if (Directory.Exists(path)) return;
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
        else Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        DirectorySync.Flush(System.IO.Path.GetDirectoryName(path)!);
    }

    /// <summary>What never changes. A flipped bit in the number of shards or in the id would be believed, so the members have a checksum.</summary>
    internal sealed record Manifest(int Format, string StoreId, int Shards, DateTimeOffset CreatedAt, string? NamesKeyChecksum = null, string? Checksum = null)
    {
        public string ComputeChecksum() =>
            ChecksumOf(System.Text.Encoding.UTF8.GetBytes(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{Format}|{StoreId}|{Shards}|{CreatedAt:O}|{NamesKeyChecksum}")));
    }

    [JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
    [JsonSerializable(typeof(Manifest))]
    private sealed partial class ManifestJson : JsonSerializerContext;
}
