using System.IO.Pipelines;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Subscriptions;

/// <summary>The stream of all entities: its place is a vector, a place for each shard.</summary>
/// <param name="places">Where it begins; the session's own from here on.</param>
internal sealed class FeedSession(SubscriptionHub hub, FeedPlace[] places, string? resync, SubscriptionFilter filter, PipeWriter pipe, Action abort)
    : SubscriptionSession(hub, filter, resync, pipe, abort)
{
    private const int PageEntries = 1000;

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

    protected override bool TryMoveOn()
    {
        var seen = Array.ConvertAll(Hub.Tails, tail => tail.Position);
        if (!Subscriber.IsIdle) return false;
        var hasMoved = false;
        for (var shard = 0; shard < seen.Length; shard++)
        {
            if (seen[shard] <= places[shard].Position) continue;
            places[shard] = FeedPlace.At(seen[shard]);
            hasMoved = true;
        }

        return hasMoved;
    }

    protected override void WriteId(JsonBuffer to) => SseText.WriteId(to, Hub.StoreId, places);

    protected override void WriteIdMember(JsonBuffer to)
    {
        to.Raw("\"cursor\":"u8);
        to.Text(Cursor.Format(Hub.StoreId, places));
    }

    protected override void WriteFrom(JsonBuffer to) => to.Text(Cursor.Format(Hub.StoreId, places));

    /// <summary>An erasure ends no stream of all entities.</summary>
    protected override ValueTask WriteErasedAsync() => ValueTask.CompletedTask;

    /// <summary>True if the shard has nothing more.</summary>
    private async ValueTask<bool> ReadPageAsync(int shard)
    {
        var page = await Hub.ReadFeedAsync(shard, places[shard], PageEntries, Pages.PageBytes);
        var (next, isLast) = (page.Next, page.IsCaughtUp);
        if (!await SendAsync(page, page.Count, (from, slice) => Render(page, shard, from, slice))) return false;
        if (!IsGoingOn) return true;
        places[shard] = next;
        return isLast;
    }

    private (int Next, int Sent) Render(FeedPage page, int shard, int from, JsonBuffer slice)
    {
        var sent = 0;
        var next = from;
        for (; next < page.Count; next++)
        {
            var entry = page[next];
            var isWanted = IsWanted(entry, shard);
            if (isWanted && !HasRoom(slice, entry.Event.Fields)) break;
            places[shard] = entry.Place;
            if (!isWanted) continue;
            WriteId(slice);
            SseText.WriteEvent(slice, entry.Event, new Life(shard, entry.Entity), entry.Name!.Utf8);
            sent++;
        }

        return (next, sent);
    }

    /// <summary>A fence has no name, and ends no stream of all entities.</summary>
    private bool IsWanted(in FeedEntry entry, int shard) =>
        entry.Name is { } name && Filter.TakesKind(name.Utf8) && Filter.Takes(entry.Event.Fields, name.Kind) && !Hub.IsErased(new Life(shard, entry.Entity));
}
