using System.Text.RegularExpressions;
using Warp.Http.Aggregates.Values;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Aggregates;

/// <summary>The definitions of aggregates: durable in a file of their own, read from memory.</summary>
/// <remarks>
/// Any thread. Readers take <see cref="Current"/>, one immutable set that is swapped after a change is durable; writers go one after
/// another. A definition that is gone leaves its readers to the default merge.
/// </remarks>
public sealed partial class AggregateCatalog : IDisposable
{
    /// <summary>The file's name in the data directory.</summary>
    public const string FileName = "definitions.db";

    /// <summary>What was accepted once is read again whatever the limits are now.</summary>
    private static readonly Limits StoredLimits =
        new() { ExpressionChars = int.MaxValue, TypeChars = int.MaxValue, KindChars = int.MaxValue, JsonDepth = FoldLimits.ValueDepth };

    private readonly Lock _writing = new();
    private readonly DefinitionStore _store;
    private readonly Limits _limits;
    private readonly TimeProvider _time;
    private readonly string _path;
    private readonly int _busySeconds;
    private volatile AggregateSet _current;
    private bool _isStale; // under _writing: a write failed, and the file may say more than the memory

    private AggregateCatalog(string path, DefinitionStore store, Limits limits, TimeProvider time, int busySeconds)
    {
        _path = path;
        _busySeconds = busySeconds;
        _store = store;
        _limits = limits;
        _time = time;
        _current = Load();
    }

    /// <summary>The definitions that stand now.</summary>
    public AggregateSet Current => _current;

    /// <summary>Opens or creates the file in the data directory, which must exist.</summary>
    /// <exception cref="DefinitionStoreException">The file is damaged, locked, of another format, or can't be created.</exception>
    /// <param name="busySeconds">How long to wait for another process that reads the file, such as a person with the sqlite3 shell; 0
    /// waits for ever.</param>
    public static AggregateCatalog Open(string dataDirectory, Limits limits, TimeProvider time, int busySeconds = 5)
    {
        var path = Path.Combine(dataDirectory, FileName);
        var store = DefinitionStore.Open(path, busySeconds);
        try
        {
            return new AggregateCatalog(path, store, limits, time, busySeconds);
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>The rule that a name breaks, or null: <c>[A-Za-z][A-Za-z0-9_.-]{0,63}</c>.</summary>
    public static string? NameError(string name) =>
        NamePattern().IsMatch(name)
            ? null
            : $"An aggregate's name matches [A-Za-z][A-Za-z0-9_.-]* and has at most {Limits.NameChars} characters.";

    /// <summary>What is wrong with the file, read anew from the disk and held against the memory; null = nothing.</summary>
    /// <exception cref="StorageException">It can't be got at, locked as by a person with the sqlite3 shell: nothing is known of what it holds.</exception>
    public string? Check()
    {
        lock (_writing)
        {
            if (!File.Exists(_path)) return "The file is missing.";
            try
            {
                Refresh();
                using var store = DefinitionStore.Open(_path, _busySeconds);
                var stored = store.ReadCurrent();
                var isSame = stored.Count == _current.All.Length && stored.All(s => _current.Find(s.Latest.Name) is { } entry
                    && entry.Version == s.Latest.Version && entry.Definition.Source.Span.SequenceEqual(s.Latest.Body));
                return isSame ? null : "It does not hold the definitions that are in use.";
            }
            catch (DefinitionStoreException e)
            {
                // Who may read the report need not know where the data lie.
                var what = e.Message.Replace(_path, FileName, StringComparison.Ordinal);
                return e.IsDamage ? what : throw new StorageException(what, e) { IsTransient = e.IsTransient };
            }
        }
    }

    /// <summary>Defines an aggregate or replaces its definition; on return it is durable, and readers see it.</summary>
    /// <param name="name">A name that <see cref="NameError"/> accepts.</param>
    /// <param name="body">UTF-8 JSON; copied.</param>
    /// <exception cref="DefinitionStoreException">It can't be written; whether it was is unknown, and putting it again is safe.</exception>
    public PutOutcome Put(string name, ReadOnlySpan<byte> body)
    {
        if (NameError(name) is { } error) throw new ArgumentException(error, nameof(name));

        // Compiled before the lock: a large body keeps nobody waiting.
        var definition = AggregateDefinition.Parse(body, _limits, out var errors);
        if (definition is null) return new PutOutcome(PutStatus.Invalid, Entry: null, errors);
        lock (_writing)
        {
            Refresh();
            var standing = _current.Find(name);
            if (standing is not null && JsonEquality.AreEqual(standing.Definition.Source.Span, body))
                return new PutOutcome(PutStatus.Unchanged, standing, []);
            var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
            var version = Write(() => _store.Add(name, now, definition.Source.ToArray()));
            var entry = new AggregateEntry(name, version, definition, standing?.CreatedAtMs ?? now, now);
            _current = new AggregateSet(_current.All.Where(other => !IsNamed(other, name)).Append(entry));
            return new PutOutcome(standing is null ? PutStatus.Created : PutStatus.Replaced, entry, []);
        }
    }

    /// <summary>Removes a definition, unless something uses it.</summary>
    /// <param name="users">Who is asked; null asks nobody.</param>
    /// <exception cref="DefinitionStoreException">It can't be written; whether it was is unknown.</exception>
    public DeleteOutcome Delete(string name, IEnumerable<IAggregateUser>? users = null)
    {
        lock (_writing)
        {
            Refresh();
            if (_current.Find(name) is null) return new DeleteOutcome(DeleteStatus.NotDefined, []);
            string[] uses = users is null ? [] : [.. users.SelectMany(user => user.UsersOf(name)).Order(StringComparer.Ordinal)];
            if (uses.Length > 0) return new DeleteOutcome(DeleteStatus.InUse, uses);
            Write(() =>
            {
                _store.Delete(name);
                return 0;
            });
            _current = new AggregateSet(_current.All.Where(other => !IsNamed(other, name)));
            return new DeleteOutcome(DeleteStatus.Deleted, []);
        }
    }

    /// <summary>The versions of a definition since its name was last deleted, newest first; none if it isn't defined.</summary>
    /// <remarks>Read from the file beside whoever writes: nobody waits for who looks at what was.</remarks>
    /// <param name="before">Only versions before this one.</param>
    /// <param name="bytesMax">Of bodies, beyond the first.</param>
    /// <exception cref="DefinitionStoreException">The file can't be read.</exception>
    public AggregateVersions ReadVersions(string name, int before = int.MaxValue, int countMax = int.MaxValue, long bytesMax = long.MaxValue)
    {
        using var store = DefinitionStore.OpenToRead(_path, _busySeconds);
        var page = store.ReadVersions(name, before, countMax, bytesMax, out var hasMore);
        var versions = page.ConvertAll(stored => new AggregateVersion(stored.Version, stored.WrittenAtMs, stored.Body));
        return new AggregateVersions(versions, hasMore ? versions[^1].Version : null);
    }

    public void Dispose()
    {
        lock (_writing) _store.Dispose();
    }

    private void Refresh()
    {
        if (!_isStale) return;
        _current = Load();
        _isStale = false;
    }

    private T Write<T>(Func<T> write)
    {
        // Set first: whatever way the write fails, the next writer looks at what the file holds.
        _isStale = true;
        var result = write();
        _isStale = false;
        return result;
    }

    private AggregateSet Load() => new(_store.ReadCurrent().Select(row =>
    {
        var (stored, createdAtMs) = row;
        var definition = AggregateDefinition.Parse(stored.Body, StoredLimits, out var errors)
            ?? throw new DefinitionStoreException(
                $"Version {stored.Version} of {stored.Name} in {_path} is no definition: {errors[0].Path}: {errors[0]}")
            { IsDamage = true };
        return new AggregateEntry(stored.Name, stored.Version, definition, createdAtMs, stored.WrittenAtMs);
    }));

    private static bool IsNamed(AggregateEntry entry, string name) => string.Equals(entry.Name, name, StringComparison.Ordinal);

    [GeneratedRegex(@"\A[A-Za-z][A-Za-z0-9_.-]{0,63}\z", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex NamePattern();
}
