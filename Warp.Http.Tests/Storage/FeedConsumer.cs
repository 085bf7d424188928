using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Tests.Storage;

/// <summary>
/// A consumer of all shards that pages by random sizes, stops inside pages, and keeps of its places nothing but the cursor's text. It checks
/// what it gets: each number's seqs without gap or repetition, one fence at most, nothing after it.
/// </summary>
internal sealed class FeedConsumer(Random random)
{
    private readonly Dictionary<(int Shard, long Entity), long> _lastSeqs = [];
    private readonly HashSet<(int Shard, long Entity)> _fenced = [];
    private string? _cursor;

    public Dictionary<(int Shard, long Entity), string> Names { get; } = [];

    public long Events { get; private set; }

    public IReadOnlyCollection<(int Shard, long Entity)> Fenced => _fenced;

    public long LastSeq(int shard, long entity) => _lastSeqs.GetValueOrDefault((shard, entity));

    /// <summary>Reads one page of one shard and goes on after it, or after some entry of it.</summary>
    /// <returns>True if the shard had nothing more.</returns>
    public bool Step(Store store, int shard)
    {
        var places = new FeedPlace[store.Shards];
        if (_cursor is not null) Cursor.TryParse(_cursor, store.StoreId, places).ShouldBeTrue(_cursor);
        using var page = store.AllShards[shard].Feed.Read(places[shard], random.Next(1, 60), random.Next(1, 40_000), random.Next(3) == 0 ? random.Next(1, 40) : FeedReader.WorkMax);
        page.ShouldNotBeNull($"{places[shard]} is not known");
        var take = random.Next(3) == 0 ? random.Next(0, page.Count + 1) : page.Count;
        for (var i = 0; i < take; i++) Accept(shard, page[i]);
        var isWhole = take == page.Count;
        if (isWhole) places[shard] = page.Next;
        else if (take > 0) places[shard] = page[take - 1].Place;
        _cursor = Cursor.Format(store.StoreId, places);
        return isWhole && page.IsCaughtUp;
    }

    public void CatchUp(Store store)
    {
        for (var shard = 0; shard < store.Shards; shard++)
            while (!Step(store, shard))
            {
            }
    }

    private void Accept(int shard, in FeedEntry entry)
    {
        var key = (shard, entry.Entity);
        var last = _lastSeqs.GetValueOrDefault(key);
        _fenced.ShouldNotContain(key, $"position {entry.Position} comes after the fence");
        if (entry.Kind == FeedEntryKind.Fence)
        {
            entry.Name.ShouldBeNull();
            entry.ReceiptId.ShouldNotBe(Guid.Empty);
            _fenced.Add(key);
            return;
        }

        entry.Event.Seq.ShouldBe(last + 1, $"{entry.Name} at {entry.Place}");
        entry.Event.RecordedAtMs.ShouldBeGreaterThan(0);
        System.Text.Encoding.UTF8.GetString(entry.Event.Fields.Payload).ShouldBe(FeedConsumer.PayloadOf(entry.Name!.ToString(), entry.Event.Seq));
        Names[key] = entry.Name!.ToString();
        _lastSeqs[key] = entry.Event.Seq;
        Events++;
    }

    public static string PayloadOf(string entity, long seq) => $$"""{"of":"{{entity}}","n":{{seq}},"pad":"{{new string('x', (int)(seq * 37 % 900))}}"}""";
}
