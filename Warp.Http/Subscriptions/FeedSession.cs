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
