using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Events;
using Warp.Http.Projections;
using Warp.Http.Storage;
using Warp.Http.Tests.Storage;
using Warp.Http.Tests.Support;

namespace Warp.Http.Tests.Projections;

/// <summary>A log with a projector over it, both on real files, without HTTP. The projector can be stopped and started anew.</summary>
internal sealed class ProjectionFixture : IAsyncDisposable
{
    private readonly ProjectionOptions _options;
    private readonly Func<string, IProjectionStore> _makeStore;
    private readonly TimeProvider _time;
    private IProjectionStore? _tables;

    public ProjectionFixture(StoreOptions store, ProjectionOptions? options = null, Func<string, IProjectionStore>? makeStore = null, TimeProvider? time = null)
    {
        Log = new StoreFixture(store);
        _options = options ?? new ProjectionOptions();
        _time = time ?? TimeProvider.System;
        _makeStore = makeStore ?? (path => new SqliteProjectionStore(path));
    }

    public StoreFixture Log { get; }

    public Projector Projector { get; private set; } = null!;

    /// <summary>The embedded store's file.</summary>
    public string TablesPath => Path.Combine(Log.Store.DirectoryPath, "projections", "projections.db");

    public async Task<ProjectionFixture> StartAsync()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(TablesPath)!);
        _tables = _makeStore(TablesPath);
        Projector = new Projector(
            Log.Registry, Log.Definitions, _tables, Options.Create(_options), Options.Create(new Limits()), _time, NullLogger<Projector>.Instance);
        await Projector.StartAsync(CancellationToken.None);
        return this;
    }

    public async Task StopAsync()
    {
        if (_tables is null) return;
        await Projector.DisposeAsync();
        await _tables.DisposeAsync();
        _tables = null;
    }

    public async Task RestartAsync()
    {
        await StopAsync();
        await StartAsync();
    }

    public async Task<ProjectionPut> PutAsync(string name, string body) => await Projector.PutAsync(name, Encoding.UTF8.GetBytes(body), CancellationToken.None);

    public async Task DefineAsync(string name, string body)
    {
        var outcome = await PutAsync(name, body);
        outcome.Errors.ShouldBeEmpty();
        outcome.Taken.ShouldBeNull();
    }

    public void DefineAggregate(string name, string body) => Log.Definitions.Put(name, Encoding.UTF8.GetBytes(body)).Errors.ShouldBeEmpty();

    /// <summary>Waits until the projection is live and has all that is durable by now.</summary>
    public async Task CatchUpAsync(string name, TimeSpan? within = null)
    {
        var watermark = Array.ConvertAll(Log.Store.AllShards.ToArray(), shard => FeedPlace.At(shard.DurablePosition));
        try
        {
            await Eventually.BecomesTrueAsync(
                "the projection is live at the log's end",
                () => Projector.Find(name) is { State: ProjectionState.Live, Places: { } places } && places.Zip(watermark).All(pair => pair.First.Position >= pair.Second.Position),
                within ?? TimeSpan.FromSeconds(30));
        }
        catch (TimeoutException late)
        {
            throw new TimeoutException($"{late.Message} {Projector.Find(name)?.Describe()}", late);
        }
    }

    public List<string> Select(string sql) => SqliteFile.Select(TablesPath, sql);

    /// <summary>The rows after everything that is durable by now.</summary>
    public async Task<List<string>> RowsAsync(string projection, string sql)
    {
        await CatchUpAsync(projection);
        return Select(sql);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        Log.Dispose();
    }
}
