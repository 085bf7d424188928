using System.Diagnostics;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Subscriptions;

/// <content>What the loop does with a record, under the gate. A record that nobody wants costs a look-up by number.</content>
internal sealed partial class ShardTail
{
    private void Show(long entity, ReadOnlySpan<byte> name, in EntitySlice slice)
    {
        if (!name.IsEmpty) Meet(entity, name);
        if (_topics.TryGetValue(entity, out var topic)) ShowToTopic(topic, slice);
        if (_ofAll.Count > 0) ShowToAll(entity, slice);
    }

    /// <summary>The entity's first record: who waited for its name follows its number from here on.</summary>
    private void Meet(long entity, ReadOnlySpan<byte> name)
    {
        if (_ofAll.Count > 0) _names.Add(entity, name);
        if (_awaited.Count == 0 || !_awaited.GetAlternateLookup<ReadOnlySpan<byte>>().Remove(name, out _, out var awaited)) return;
        if (_topics.TryGetValue(entity, out var known))
        {
            // Somebody found the entity and attached by its number before its first record came by here.
            known.Subscribers.AddRange(awaited.Subscribers);
            foreach (var subscriber in awaited.Subscribers) subscriber.Topic = known;
            return;
        }

        awaited.Number = entity;
        awaited.IsRecreated = IsRecreated(name, entity);
        _topics.Add(entity, awaited);
    }

    private void ShowToTopic(EntityTopic topic, in EntitySlice slice)
    {
        if (topic.LastSeq != 0 && slice.FirstSeq != topic.LastSeq + 1)
            throw new UnreachableException($"An entity's seq {slice.FirstSeq} follows {topic.LastSeq}.");
        var isErased = shard.Tombstones.IsFenced(topic.Number); // its fence comes soon
        var life = shard.LifeOf(topic.Number);
        var events = slice.Events;
        for (var i = 0; i < slice.Count && !isErased && topic.Subscribers.Count > 0; i++)
        {
            var fields = EventRecord.Read(ref events);
            LiveEvent? rendered = null;
            for (var s = topic.Subscribers.Count - 1; s >= 0; s--)
            {
                var subscriber = topic.Subscribers[s];
                if (!subscriber.Filter.Takes(fields, topic.Name.Kind)) continue;
                rendered ??= Render(topic, life, slice, i, fields);
                if (Push(subscriber, rendered)) continue;
                RemoveAt(topic.Subscribers, s);
                subscriber.Topic = null;
            }
        }

        topic.LastSeq = slice.LastSeq;
        if (topic.Subscribers.Count == 0) Forget(topic);
    }

    private void ShowToAll(long entity, in EntitySlice slice)
    {
        if (shard.Tombstones.IsFenced(entity) || _names.Find(entity) is not { } name) return;
        var events = slice.Events;
        for (var i = 0; i < slice.Count && _ofAll.Count > 0; i++)
        {
            var fields = EventRecord.Read(ref events);
            LiveEvent? rendered = null;
            for (var s = _ofAll.Count - 1; s >= 0; s--)
            {
                var subscriber = _ofAll[s];
                if (!subscriber.Filter.TakesKind(name.Utf8) || !subscriber.Filter.Takes(fields, name.Kind)) continue;
                rendered ??= Render(name, shard.LifeOf(entity), slice, i, fields);
                if (!Push(subscriber, rendered)) RemoveAt(_ofAll, s);
            }
        }
    }

    /// <summary>
    /// The entity was erased. Who waits for its name ends, too: where the life had no record, or has one that lies before this tail's place, no topic
    /// has its number. A fence that comes by here is younger than whoever waits, for they were attached when the name had no tombstone.
    /// </summary>
    private void End(long entity, NameTag tag)
    {
        _names.Forget(entity);
        if (_topics.Remove(entity, out var topic)) End(topic);
        foreach (var (name, awaited) in _awaited)
        {
            if (awaited.Tag != tag) continue;
            _awaited.Remove(name);
            End(awaited);
            return;
        }
    }

    private void End(EntityTopic topic)
    {
        _attached -= topic.Subscribers.Count;
        foreach (var subscriber in topic.Subscribers)
        {
            subscriber.Topic = null;
            End(subscriber, SubscriptionEnd.Erased);
        }
    }

    private bool Push(Subscriber subscriber, LiveEvent e)
    {
        var taken = subscriber.TryPush(e, out var wake);
        if (wake) WakeBatch.Add(ref _wakes, subscriber, lane);
        return taken;
    }

    private void RemoveAt(List<Subscriber> subscribers, int index)
    {
        subscribers[index] = subscribers[^1];
        subscribers.RemoveAt(subscribers.Count - 1);
        _attached--;
    }

    private static LiveEvent Render(EntityTopic topic, Life life, in EntitySlice slice, int index, EventFields fields)
    {
        var recorded = Recorded(slice, index, fields);
        using var json = JsonBuffer.Rent();
        SseText.WriteId(json, recorded.Seq, life, topic.IsRecreated);
        SseText.WriteEvent(json, recorded, life, default);
        return new LiveEvent(life, recorded.Seq, slice.FirstPosition + index, json.Written.ToArray());
    }

    private static LiveEvent Render(EntityName name, Life life, in EntitySlice slice, int index, EventFields fields)
    {
        var recorded = Recorded(slice, index, fields);
        using var json = JsonBuffer.Rent();
        SseText.WriteEvent(json, recorded, life, name.Utf8);
        return new LiveEvent(life, recorded.Seq, slice.FirstPosition + index, json.Written.ToArray());
    }

    private static RecordedEvent Recorded(in EntitySlice slice, int index, EventFields fields) =>
        new(slice.FirstSeq + index, slice.CommittedMs, fields, slice.Key, slice.IndexInAppend + index);

    private readonly struct Visitor(ShardTail tail) : IRecordVisitor
    {
        public void VisitAppend(long entity, ReadOnlySpan<byte> name, in EntitySlice slice) => tail.Show(entity, name, slice);

        public void VisitFence(long entity, NameTag tag) => tail.End(entity, tag);
    }
}
