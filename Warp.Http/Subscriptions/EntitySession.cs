using System.Diagnostics;
using System.IO.Pipelines;
using Warp.Http.Entities;
using Warp.Http.Events;

namespace Warp.Http.Subscriptions;

/// <summary>The stream of one entity: its place is the last seq that was sent, or passed over by the filter.</summary>
internal sealed class EntitySession(SubscriptionHub hub, EntityName name, EntityStart start, SubscriptionFilter filter, PipeWriter pipe, Action abort)
    : SubscriptionSession(hub, filter, pipe, abort)
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
            using var page = await Hub.Reader.ReadAsync(_life, _lastSeq + 1);
            if (page is null) Subscriber.Stop(SubscriptionEnd.Erased);
            if (page is null or { Count: 0 }) return;
            await SendAsync(page);
            if (page.NextSeq == 0) return;
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

    protected override Action? FindProgress()
    {
        var seen = Subscriber.Topic?.LastSeq ?? 0;
        return seen > _lastSeq ? () => _lastSeq = seen : null;
    }

    protected override void WriteId(JsonBuffer to) => SseText.WriteId(to, _lastSeq, _life, _isRecreated);

    protected override void WriteIdMember(JsonBuffer to)
    {
        to.Raw("\"seq\":"u8);
        to.Number(_lastSeq);
    }

    protected override async ValueTask WriteResyncAsync()
    {
        if (start.Resync is null) return;
        using var json = JsonBuffer.Rent();
        WriteId(json);
        SseText.BeginControl(json, "resync"u8);
        json.Raw("{\"reason\":"u8);
        json.Text(start.Resync);
        json.Raw(",\"from\":"u8);
        json.Number(_lastSeq + 1);
        json.Raw("}\n\n"u8);
        await Sse.WriteAsync(json.WrittenMemory);
    }

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

    private async ValueTask SendAsync(HistoryPage page)
    {
        using var json = JsonBuffer.Rent();
        for (var next = 0; next < page.Count && IsGoingOn;)
        {
            json.Clear();
            var (to, sent) = Render(page, next, json);
            if (Hub.IsErased(_life)) return;
            await Sse.WriteAsync(json.WrittenMemory);
            SubscriptionMetrics.Sent.Add(sent);
            _lastSeq = page.GetEvent(to - 1).Seq;
            next = to;
        }
    }

    private (int Next, int Sent) Render(HistoryPage page, int from, JsonBuffer json)
    {
        var sent = 0;
        var next = from;
        for (; next < page.Count && json.Length < SseWriter.SliceBytes; next++)
        {
            var recorded = page.GetEvent(next);
            if (!Filter.Takes(recorded.Fields, name.Kind)) continue;
            SseText.WriteId(json, recorded.Seq, _life, _isRecreated);
            SseText.WriteEvent(json, recorded, _life, default);
            sent++;
        }

        return (next, sent);
    }
}
