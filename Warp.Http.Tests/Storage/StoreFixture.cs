using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Warp.Http.Aggregates;
using Warp.Http.Entities;
using Warp.Http.Erasure;
using Warp.Http.Events;
using Warp.Http.Sagas;
using Warp.Http.Storage;

namespace Warp.Http.Tests.Storage;

/// <summary>A store on real files with everything that stands on it up to erasure, without HTTP.</summary>
internal sealed class StoreFixture : IDisposable
{
    private bool _disposed;

    public StoreFixture(StoreOptions options, long memoryBytes = 1L << 28, Limits? limits = null, TimeProvider? time = null, int storeStateEvents = 8192)
    {
        var clock = time ?? TimeProvider.System;
        var bounds = limits ?? new Limits();
        Store = new Store(Options.Create(options), clock, NullLogger<Store>.Instance);
        Definitions = AggregateCatalog.Open(Store.DirectoryPath, bounds, clock);
        var entities = Options.Create(new EntityOptions { MemoryBytes = memoryBytes, StoreStateEvents = storeStateEvents });
        Registry = new EntityRegistry(Store, Definitions, entities, Options.Create(bounds), clock, NullLogger<EntityRegistry>.Instance);
        Passivation = new Passivation(Registry, clock);
        Erasure = new EraseService(Registry, Store, [new PartyErasure(Registry, Store)], clock);
    }

    public Store Store { get; }

    public AggregateCatalog Definitions { get; }

    public EntityRegistry Registry { get; }

    public Passivation Passivation { get; }

    public EraseService Erasure { get; }

    public Shard Shard => Store.AllShards[0];

    public View View => Shard.Views.Current;

    /// <summary>Small enough that a test sees several runs, quick enough that fsync is not what it measures.</summary>
    public static StoreOptions Small(
        string directory, Action<StoreStep>? atStep = null, int sealBytes = 64 * 1024, Durability durability = Durability.Os,
        int shards = 1, TimeSpan? sealAfter = null, int mergeFanOut = MergePolicy.FanOut) => new()
        {
            DataDirectory = directory,
            Shards = shards,
            Durability = durability,
            SealBytes = sealBytes,
            SealAfter = sealAfter ?? TimeSpan.FromHours(1),
            FreeBytesMin = 0,
            MergeFanOut = mergeFanOut,
            AtStep = atStep,
        };

    public Task<AppendOutcome> AppendAsync(string entity, params TestEvent[] events) => AppendAsync(new TestAppend(entity, events));

    public async Task<AppendOutcome> AppendAsync(TestAppend append)
    {
        var command = append.ToCommand();
        var outcome = await Registry.AppendAsync(command);
        command.Return();

        // The outcome comes on a pool item that completes other appends behind it: a test must not do its work there.
        await Task.Yield();
        return outcome;
    }

    public ValueTask<FoundEntity> FindAsync(string entity) => Registry.FindAsync(Bytes(entity), CancellationToken.None);

    public async Task<EntityActor> ActorAsync(string entity)
    {
        var found = await FindAsync(entity);
        found.Presence.ShouldBe(EntityPresence.Alive, entity);
        return found.Actor!;
    }

    /// <summary>The whole history, page by page; null if the entity is not alive.</summary>
    public async Task<List<StoredEvent>?> HistoryAsync(
        string entity, bool descending = false, int pageEvents = 1000, long from = 1, long to = long.MaxValue)
    {
        var found = await FindAsync(entity);
        if (found.Actor is not { } actor) return null;
        var history = new List<StoredEvent>();
        while (true)
        {
            using var page = await actor.ReadAsync(from, to, descending, pageEvents, 1 << 20, CancellationToken.None);
            for (var i = 0; i < page.Count; i++) history.Add(StoredEvent.Of(page.GetEvent(i), actor.Life));
            if (page.NextSeq == 0) return history;
            if (descending) to = page.NextSeq;
            else from = page.NextSeq;
        }
    }

    public async Task<string?> StateAsync(string entity, string aggregate = AggregateSet.DefaultName)
    {
        var found = await FindAsync(entity);
        if (found.Actor is null) return null;
        var result = await found.Actor.GetStateAsync(aggregate, CancellationToken.None);
        return result.Snapshot is { } snapshot ? Encoding.UTF8.GetString(snapshot.State.Span) : result.Status.ToString();
    }

    public async Task<List<string>> ListAsync(int limit = int.MaxValue) =>
        [.. (await Registry.ListAsync(default, default, limit, CancellationToken.None)).Select(listed => listed.Name.ToString())];

    public async Task<EraseReceipt?> EraseAsync(string entity) => await Erasure.EraseAsync(Bytes(entity), CancellationToken.None);

    /// <summary>A new journal is begun and all before it is sealed into a run.</summary>
    public async Task SealAsync()
    {
        var before = View.Active;
        if (before.IsEmpty) return;
        await Support.Eventually.BecomesTrueAsync("the memtable is sealed", () =>
        {
            // A rotation without a prepared journal does nothing, so it is asked for until it happens.
            if (ReferenceEquals(View.Active, before)) Shard.Enqueue(new Rotation());
            return !View.Memtables.Contains(before);
        }, TimeSpan.FromSeconds(30));
    }

    /// <summary>A new journal is begun; what was before it may be sealed or not.</summary>
    public async Task RotateAsync()
    {
        var before = View.Active;
        await Support.Eventually.BecomesTrueAsync("a new journal is begun", () =>
        {
            if (Shard.Damage is not null) return true; // found by the seal that the rotation was for
            if (ReferenceEquals(View.Active, before)) Shard.Enqueue(new Rotation());
            return !ReferenceEquals(View.Active, before);
        });
    }

    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    public void Dispose()
    {
        if (_disposed) return; // some tests close it themselves to open the directory anew
        _disposed = true;
        Store.Dispose();
        Definitions.Dispose();
        Passivation.Dispose();
    }

    internal sealed class Rotation : CommitItem
    {
        public Rotation() => Kind = CommitKind.Rotate;

        public override void Complete()
        {
        }
    }
}
