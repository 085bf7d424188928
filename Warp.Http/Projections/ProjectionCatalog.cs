using Warp.Http.Aggregates;
using Warp.Http.Aggregates.Values;
using Warp.Http.Events;

namespace Warp.Http.Projections;

/// <summary>A named definition as it stands now. Another version is another object.</summary>
/// <param name="Version">From 1; goes on where it was if the name was deleted and is defined again.</param>
public sealed record ProjectionEntry(string Name, int Version, ProjectionDefinition Definition, long CreatedAtMs, long UpdatedAtMs);

/// <summary>The definitions of projections: durable in a file of their own, whatever store the tables stand in.</summary>
/// <remarks>Any thread reads; the projector writes, one call after another.</remarks>
internal sealed class ProjectionCatalog : IDisposable
{
    public const string FileName = "definitions.db";

    /// <summary>What was accepted once is read again whatever the limits are now.</summary>
    public static readonly Limits StoredLimits = new() { ExpressionChars = int.MaxValue, KindChars = int.MaxValue, JsonDepth = FoldLimits.ValueDepth };

    private readonly DefinitionStore _store;
    private readonly TimeProvider _time;
    private volatile Dictionary<string, ProjectionEntry> _current; // replaced, never changed

    private ProjectionCatalog(string path, DefinitionStore store, TimeProvider time)
    {
        _store = store;
        _time = time;
        _current = store.ReadCurrent().Select(row => EntryOf(path, row.Latest, row.CreatedAtMs)).ToDictionary(entry => entry.Name, StringComparer.Ordinal);
    }

    /// <summary>In order of name.</summary>
    public IReadOnlyList<ProjectionEntry> All => [.. _current.Values.OrderBy(entry => entry.Name, StringComparer.Ordinal)];

    /// <exception cref="DefinitionStoreException">The file is damaged, locked, of another format, or can't be created.</exception>
    public static ProjectionCatalog Open(string directory, TimeProvider time)
    {
        var path = Path.Combine(directory, FileName);
        var store = DefinitionStore.Open(path, busySeconds: 5);
        try
        {
            return new ProjectionCatalog(path, store, time);
        }
        catch
        {
            store.Dispose();
            throw;
        }
    }

    /// <summary>The rule that a name breaks, or null.</summary>
    public static string? NameError(string name) =>
        AggregateCatalog.NameError(name) is null ? null : $"A projection's name matches [A-Za-z][A-Za-z0-9_.-]* and has at most {Limits.NameChars} characters.";

    public ProjectionEntry? Find(string name) => _current.GetValueOrDefault(name);

    /// <summary>The entry that stands if a body is JSON-equal to it.</summary>
    public ProjectionEntry? FindEqual(string name, ReadOnlySpan<byte> body) =>
        Find(name) is { } standing && JsonEquality.AreEqual(standing.Definition.Source.Span, body) ? standing : null;

    /// <summary>On return the new version is durable.</summary>
    /// <exception cref="DefinitionStoreException">It can't be written; whether it was is unknown until the next start, and putting it again is safe.</exception>
    public ProjectionEntry Put(string name, ProjectionDefinition definition)
    {
        var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        var version = _store.Add(name, now, definition.Source.ToArray());
        var entry = new ProjectionEntry(name, version, definition, Find(name)?.CreatedAtMs ?? now, now);
        _current = new Dictionary<string, ProjectionEntry>(_current, StringComparer.Ordinal) { [name] = entry };
        return entry;
    }

    public void Delete(string name)
    {
        _store.Delete(name);
        var left = new Dictionary<string, ProjectionEntry>(_current, StringComparer.Ordinal);
        left.Remove(name);
        _current = left;
    }

    public void Dispose() => _store.Dispose();

    private static ProjectionEntry EntryOf(string path, StoredDefinition stored, long createdAtMs)
    {
        var definition = ProjectionDefinition.Parse(stored.Body, StoredLimits, out var errors)
            ?? throw new DefinitionStoreException($"Version {stored.Version} of {stored.Name} in {path} is no projection: {errors[0].Path}: {errors[0]}");
        return new ProjectionEntry(stored.Name, stored.Version, definition, createdAtMs, stored.WrittenAtMs);
    }
}
