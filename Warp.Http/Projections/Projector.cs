using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Projections;

/// <summary>All projections: their definitions, and a loop each that keeps its table at the log's end.</summary>
/// <remarks>
/// Any thread asks. Definitions are changed one after another, so that two projections never come to one table. Split by role: this file is definitions
/// and life cycle, .Rows what others ask of the rows.
/// </remarks>
internal sealed partial class Projector : IHostedService, IErasedStore, IAggregateUser, IAsyncDisposable
{
    /// <summary>The directory below the data directory.</summary>
    public const string DirectoryName = "projections";

    /// <summary>How long a change of a definition waits for its table to be begun: a query right after it then finds it.</summary>
    private static readonly TimeSpan DecideMax = TimeSpan.FromSeconds(2);

    private readonly ProjectionContext _context;
    private readonly ProjectionCatalog _catalog;
    private readonly Limits _limits;
    private readonly ILogger _logger;
    private readonly ProjectionThread _thread = new();
    private readonly SemaphoreSlim _changing = new(1);
    private volatile Dictionary<string, ProjectionLoop> _loops = new(StringComparer.Ordinal); // replaced under _changing, never changed
    private bool _isStarted; // under _changing
    private int _isDisposed;

    public Projector(
        EntityRegistry entities, AggregateCatalog aggregates, IProjectionStore tables, IOptions<ProjectionOptions> options, IOptions<Limits> limits, TimeProvider time,
        ILogger<Projector> logger)
    {
        _context = new ProjectionContext(entities, aggregates, tables, options.Value, time);
        _limits = limits.Value;
        _logger = logger;
        _catalog = ProjectionCatalog.Open(DirectoryIn(entities.Store.DirectoryPath), time);
    }

    /// <summary>In order of name.</summary>
    public IReadOnlyList<ProjectionLoop> Loops => [.. _loops.Values.OrderBy(loop => loop.Entry.Name, StringComparer.Ordinal)];

    /// <summary>What is wrong, projection by projection; empty = nothing.</summary>
    public IReadOnlyList<string> Troubles =>
        [.. Loops.Where(loop => loop.Error is not null).Select(loop => $"Projection {loop.Entry.Name} is stopped: {loop.Error}")];

    /// <summary>The directory for definitions and the embedded store's file, made if it is not there.</summary>
    public static string DirectoryIn(string dataDirectory)
    {
        var path = Path.Combine(dataDirectory, DirectoryName);
        if (OperatingSystem.IsWindows()) Directory.CreateDirectory(path);
        else Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    public ProjectionLoop? Find(string name) => _loops.GetValueOrDefault(name);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken);
        try
        {
            _isStarted = true;
            foreach (var entry in _catalog.All) Run(entry);
            ProjectionMetrics.Started(this);
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <remarks>A host may stop what its container has disposed already.</remarks>
    public Task StopAsync(CancellationToken cancellationToken) => Volatile.Read(ref _isDisposed) != 0 ? Task.CompletedTask : StopLoopsAsync(cancellationToken);

    /// <summary>Defines a projection or replaces its definition; on return it is durable, and its table is begun unless something keeps it from that.</summary>
    /// <param name="name">A name that <see cref="ProjectionCatalog.NameError"/> accepts.</param>
    /// <param name="body">UTF-8 JSON.</param>
    /// <exception cref="ProjectionStoreException">The store can't be asked whose the table's name is; nothing was changed.</exception>
    public async Task<ProjectionPut> PutAsync(string name, ReadOnlyMemory<byte> body, CancellationToken cancellation)
    {
        // Compiled before anybody waits for it.
        var definition = ProjectionDefinition.Parse(body.Span, _limits, out var errors);
        if (definition is null) return new ProjectionPut(PutStatus.Invalid, null, errors, null);
        ProjectionPut outcome;
        ProjectionLoop loop;
        await _changing.WaitAsync(cancellation);
        try
        {
            if (_catalog.FindEqual(name, body.Span) is { } same) return new ProjectionPut(PutStatus.Unchanged, same, [], null);
            if (await WhoHasAsync(name, definition.Table, cancellation) is { } taken) return new ProjectionPut(PutStatus.Invalid, null, [], taken);
            var status = _catalog.Find(name) is null ? PutStatus.Created : PutStatus.Replaced;
            outcome = new ProjectionPut(status, _catalog.Put(name, definition), [], null);
            if (Find(name) is { } known) known.Replace(outcome.Entry!);
            else Run(outcome.Entry!);
            loop = Find(name)!;
        }
        finally
        {
            _changing.Release();
        }

        await loop.WhenDecidedAsync(outcome.Entry!.Version, DecideMax, cancellation);
        return outcome;
    }

    /// <summary>Drops a projection's tables and forgets it; false if there is none of that name.</summary>
    /// <exception cref="ProjectionStoreException">The tables can't be dropped now: the projection goes on.</exception>
    public async Task<bool> DeleteAsync(string name, CancellationToken cancellation)
    {
        await _changing.WaitAsync(cancellation);
        try
        {
            if (_catalog.Find(name) is not { } entry || Find(name) is not { } loop) return false;
            await loop.StopAsync();
            Forget(name);
            try
            {
                foreach (var table in await _context.Tables.ReadTablesAsync(CancellationToken.None))
                    if (string.Equals(table.Projection, name, StringComparison.Ordinal)) await _context.Tables.DropAsync(table, CancellationToken.None);
                _catalog.Delete(name); // last: whatever comes before it, the tables are made again
            }
            catch
            {
                if (_isStarted) Run(entry);
                throw;
            }

            return true;
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <remarks>The container knows it by several names, and disposes it by each.</remarks>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) != 0) return;
        await StopLoopsAsync(CancellationToken.None);
        foreach (var loop in _loops.Values) loop.Dispose();
        _changing.Dispose();
        _thread.Dispose();
        _catalog.Dispose();
    }

    private async Task StopLoopsAsync(CancellationToken cancellationToken)
    {
        await _changing.WaitAsync(cancellationToken);
        try
        {
            _isStarted = false;
            ProjectionMetrics.Stopped(this);
            await Task.WhenAll(_loops.Values.Select(loop => loop.StopAsync()));
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Whose a table's name is, if it is not this projection's.</summary>
    private async ValueTask<string?> WhoHasAsync(string name, string table, CancellationToken cancellation)
    {
        var other = _catalog.All.FirstOrDefault(entry =>
            !string.Equals(entry.Name, name, StringComparison.Ordinal) && string.Equals(entry.Definition.Table, table, StringComparison.OrdinalIgnoreCase));
        if (other is not null) return $"The table {table} is the projection {other.Name}'s.";
        var owner = await _context.Tables.FindNameAsync(table, cancellation);
        if (!owner.IsTaken || string.Equals(owner.Projection, name, StringComparison.Ordinal)) return null;
        return owner.Projection is null
            ? $"There is a table {table} that no projection made; it is left alone."
            : $"The table {table} is still the projection {owner.Projection}'s, whose new one is being built.";
    }

    private void Run(ProjectionEntry entry)
    {
        var loop = new ProjectionLoop(_context, entry, _logger);
        _loops = new Dictionary<string, ProjectionLoop>(_loops, StringComparer.Ordinal) { [entry.Name] = loop };
        if (_isStarted) loop.Start(_thread);
    }

    private void Forget(string name)
    {
        var left = new Dictionary<string, ProjectionLoop>(_loops, StringComparer.Ordinal);
        left.Remove(name);
        _loops = left;
    }
}

/// <summary>What became of a definition that was put.</summary>
/// <param name="Errors">What is wrong with the body; empty unless invalid.</param>
/// <param name="Taken">Whose the table's name is, if it is somebody else's.</param>
internal sealed record ProjectionPut(PutStatus Status, ProjectionEntry? Entry, IReadOnlyList<DefinitionError> Errors, string? Taken);
