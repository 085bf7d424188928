using System.IO.Pipelines;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Subscriptions;

/// <summary>The stream of all entities: its place is a vector, a place for each shard.</summary>
/// <param name="places">Where it begins; the session's own from here on.</param>
/// <param name="resync">Why the client's place can't be kept; null = it is.</param>
internal sealed class FeedSession(SubscriptionHub hub, FeedPlace[] places, string? resync, SubscriptionFilter filter, PipeWriter pipe, Action abort)
    : SubscriptionSession(hub, filter, pipe, abort)
{
    /// <summary>The client's place is one that this store never gave out.</summary>
    public const string Unknown = "unknown";

    /// <summary>The client's place lies behind the end of the log, as after a restore.</summary>
    public const string Ahead = "ahead";

    private const int PageEntries = 1000;
    private const int PageBytes = 256 * 1024;

    /// <summary>Shards are read in turns, a page each, until none has more.</summary>
    protected override async ValueTask CatchUpAsync()
    {
        for (var hasMore = true; hasMore;)
        {
            hasMore = false;
            for (var shard = 0; shard < places.Length && IsGoingOn; shard++) hasMore |= !await ReadPageAsync(shard);
            await WriteProgressIfDueAsync();
            if (!IsGoingOn) return;
        }
    }

    protected override ValueTask AttachAsync()
    {
        foreach (var tail in Hub.Tails) tail.Attach(Subscriber);
        return ValueTask.CompletedTask;
    }

    protected override void Detach()
    {
        foreach (var tail in Hub.Tails) tail.Detach(Subscriber);
    }

    protected override bool WasSent(LiveEvent e) => e.Position <= places[e.Life.Shard].Position;

    protected override async ValueTask SendAsync(LiveEvent e)
    {
        places[e.Life.Shard] = FeedPlace.At(e.Position);
        if (Hub.IsErased(e.Life)) return;
        using (var json = JsonBuffer.Rent())
        {
            WriteId(json);
            await Sse.WriteAsync(json.WrittenMemory);
        }

        await Sse.WriteAsync(e.Message);
    }

    protected override Action? FindProgress()
    {
        var seen = new FeedPlace[places.Length];
        var hasMoved = false;
        for (var shard = 0; shard < seen.Length; shard++)
        {
            var position = Hub.Tails[shard].Position;
            hasMoved |= position > places[shard].Position;
            seen[shard] = FeedPlace.At(Math.Max(position, places[shard].Position));
        }

        return hasMoved ? () => seen.CopyTo(places, 0) : null;
    }

    protected override void WriteId(JsonBuffer to) => SseText.WriteId(to, Hub.StoreId, places);

    protected override void WriteIdMember(JsonBuffer to)
    {
        to.Raw("\"cursor\":"u8);
        to.Text(Cursor.Format(Hub.StoreId, places));
    }

    protected override async ValueTask WriteResyncAsync()
    {
        if (resync is null) return;
        using var json = JsonBuffer.Rent();
        WriteId(json);
        SseText.BeginControl(json, "resync"u8);
        json.Raw("{\"reason\":"u8);
        json.Text(resync);
        json.Raw(",\"from\":"u8);
        json.Text(Cursor.Format(Hub.StoreId, places));
        json.Raw("}\n\n"u8);
        await Sse.WriteAsync(json.WrittenMemory);
    }

    /// <summary>An erasure ends no stream of all entities.</summary>
    protected override ValueTask WriteErasedAsync() => ValueTask.CompletedTask;

    /// <summary>True if the shard has nothing more.</summary>
    private async ValueTask<bool> ReadPageAsync(int shard)
    {
        using var page = await Hub.ReadFeedAsync(shard, places[shard], PageEntries, PageBytes);
        using var json = JsonBuffer.Rent();
        for (var next = 0; next < page.Count && IsGoingOn;)
        {
            json.Clear();
            var (to, sent) = Render(page, shard, next, json);
            await Sse.WriteAsync(json.WrittenMemory);
            SubscriptionMetrics.Sent.Add(sent);
            next = to;
        }

        if (!IsGoingOn) return true;
        places[shard] = page.Next;
        return page.IsCaughtUp;
    }

    private (int Next, int Sent) Render(FeedPage page, int shard, int from, JsonBuffer json)
    {
        var sent = 0;
        var next = from;
        for (; next < page.Count && json.Length < SseWriter.SliceBytes; next++)
        {
            var entry = page[next];
            places[shard] = entry.Place;
            if (entry.Kind == FeedEntryKind.Fence || entry.Name is not { } name || !Filter.TakesKind(name.Utf8)) continue;
            var life = new Life(shard, entry.Entity);
            var recorded = entry.Event;
            if (!Filter.Takes(recorded.Fields, name.Kind) || Hub.IsErased(life)) continue;
            WriteId(json);
            SseText.WriteEvent(json, recorded, life, name.Utf8);
            sent++;
        }

        return (next, sent);
    }
}
