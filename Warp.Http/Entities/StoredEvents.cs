using Warp.Http.Aggregates.Values;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>Looks at a life's stored events one by one, for the comparison with an append that may be a replay.</summary>
internal sealed class StoredEvents(View view, EntityLife life) : IDisposable
{
    /// <summary>Read at once; replays are compared in ascending order.</summary>
    private const int PageBytes = 1 << 20;

    private HistoryPage? _page;
    private long _first;

    public bool HasId(long seq, ReadOnlySpan<byte> id) => Get(seq).Fields.Id.SequenceEqual(id);

    public bool HasKey(long seq, ReadOnlySpan<byte> key, int index)
    {
        var e = Get(seq);
        return e.IndexInAppend == index && e.IdempotencyKey.SequenceEqual(key);
    }

    /// <summary>True if the event was given no id, so that its own follows from life and seq.</summary>
    public bool HasGeneratedId(long seq)
    {
        var e = Get(seq);
        return e.Fields.Id.IsEmpty && e.IdempotencyKey.IsEmpty;
    }

    /// <summary>True if the events from first to last are one whole append: the first begins it, and none after the last belongs to it.</summary>
    public bool IsWholeAppend(long first, long last)
    {
        for (var seq = first; seq <= last; seq++)
            if (Get(seq).IndexInAppend != seq - first) return false;
        return last == life.DurableSeq || Get(last + 1).IndexInAppend == 0; // an append becomes durable as a whole
    }

    /// <summary>The contract's "same content": type, payload JSON-equal, aggregate as sent, schemaVersion.</summary>
    public bool HasSameContent(long seq, in EventFields sent)
    {
        if (seq > life.DurableSeq) return false;
        var stored = Get(seq).Fields;
        return stored.Type.SequenceEqual(sent.Type) && stored.Aggregate.SequenceEqual(sent.Aggregate) && stored.SchemaVersion == sent.SchemaVersion
            && JsonEquality.AreEqual(stored.Payload, sent.Payload);
    }

    public void Dispose() => _page?.Dispose();

    private RecordedEvent Get(long seq)
    {
        if (_page is null || seq < _first || seq >= _first + _page.Count)
        {
            _page?.Dispose();
            _page = HistoryPage.Read(view, life.Number, seq, life.DurableSeq, descending: false, int.MaxValue, PageBytes);
            _first = seq;
        }

        return _page.GetEvent((int)(seq - _first));
    }
}
