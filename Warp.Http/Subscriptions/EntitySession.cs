using System.Diagnostics;
using System.IO.Pipelines;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Subscriptions;

/// <summary>The stream of one entity: its place is the last seq that was sent, or passed over by the filter.</summary>
internal sealed class EntitySession(SubscriptionHub hub, EntityName name, EntityStart start, SubscriptionFilter filter, PipeWriter pipe, Action abort)
    : SubscriptionSession(hub, filter, start.Resync, pipe, abort)
{
    private readonly ShardTail _tail = hub.TailOf(name);
    private Life _life = start.Life;
    private long _lastSeq = start.LastSeq;
    private bool _isRecreated = !start.Life.IsNone && hub.TailOf(name).IsRecreated(name.Utf8, start.Life.Number);

    protected override async ValueTask CatchUpAsync()
    {
        if (_life.IsNone && !await FindLifeAsync()) return;
        while (IsGoingOn)
        {
            var page = await Hub.Reader.ReadAsync(_life, _lastSeq + 1, Pages.PageBytes);
            if (page is null)
            {
                Subscriber.Stop(SubscriptionEnd.Erased);
                return;
            }

            var isLast = page.NextSeq == 0;
            if (await SendAsync(page, page.Count, (from, slice) => Render(page, from, slice)) && isLast) return;
            await WriteProgressIfDueAsync();
        }
    }

    protected override async ValueTask AttachAsync()
    {
        _tail.Attach(Subscriber, name, _life.Number);
        while (_life.IsNone && await FindLifeAsync())
        {
            // Its first record may lie before the tail's place, which then would not know the number.
            _tail.Detach(Subscriber);
            _tail.Attach(Subscriber, name, _life.Number);
        }
    }

    protected override void Detach() => _tail.Detach(Subscriber);

    protected override bool WasSent(LiveEvent e) => e.Seq <= _lastSeq;

    protected override async ValueTask SendAsync(LiveEvent e)
    {
        if (_life.IsNone) BeginLife(e.Life);
        if (Filter.IsNone && e.Seq != _lastSeq + 1) throw new UnreachableException($"Seq {e.Seq} follows {_lastSeq} in a subscription.");
        _lastSeq = e.Seq;
        if (!Hub.IsErased(_life)) await Sse.WriteSharedAsync(e.Message);
    }

    protected override bool TryMoveOn()
    {
        var seen = Subscriber.Topic?.LastSeq ?? 0;
        if (seen <= _lastSeq || !Subscriber.IsIdle) return false;
        _lastSeq = seen;
        return true;
    }

    protected override void WriteId(JsonBuffer to) => SseText.WriteId(to, _lastSeq, _life, _isRecreated);

    protected override void WriteIdMember(JsonBuffer to)
    {
        to.Raw("\"seq\":"u8);
        to.Number(_lastSeq);
    }

    protected override void WriteFrom(JsonBuffer to) => to.Number(_lastSeq + 1);

    protected override async ValueTask WriteErasedAsync()
    {
        using var json = JsonBuffer.Rent();
        SseText.BeginControl(json, "erased"u8);
        json.Raw((byte)'{');
        if (Hub.FindErasure(name) is { } erasure)
        {
            json.Raw("\"erasedAt\":"u8);
            json.Time(erasure.ErasedAtMs);
            json.Raw(",\"receiptId\":"u8);
            json.Text(erasure.ReceiptId.ToString("N"));
        }

        json.Raw("}\n\n"u8);
        await Sse.WriteAsync(json.WrittenMemory);
    }

    /// <summary>False while there is none to follow.</summary>
    private async ValueTask<bool> FindLifeAsync()
    {
        var found = await Hub.Registry.FindAsync(name.Memory, CancellationToken.None);
        if (found.Presence == EntityPresence.Erased) Subscriber.Stop(SubscriptionEnd.Erased); // it came and went while nobody looked
        if (found.Actor is not { Life: { IsNone: false } life }) return false;
        BeginLife(life);
        return true;
    }

    private void BeginLife(Life life)
    {
        _life = life;
        _isRecreated = _tail.IsRecreated(name.Utf8, life.Number);
    }

    private (int Next, int Sent) Render(HistoryPage page, int from, JsonBuffer slice)
    {
        var sent = 0;
        var next = from;
        for (; next < page.Count; next++)
        {
            var recorded = page.GetEvent(next);
            if (!Filter.Takes(recorded.Fields, name.Kind)) continue;
            if (!HasRoom(slice, recorded.Fields)) break;
            SseText.WriteId(slice, recorded.Seq, _life, _isRecreated);
            SseText.WriteEvent(slice, recorded, _life, default);
            sent++;
        }

        if (Hub.IsErased(_life))
        {
            slice.Clear();
            return (page.Count, 0); // the next read says so, too
        }

        _lastSeq = page.GetEvent(next - 1).Seq;
        return (next, sent);
    }
}
