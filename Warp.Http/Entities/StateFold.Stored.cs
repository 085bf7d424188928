using System.Buffers;
using System.IO.Hashing;
using System.Text.Json;
using Warp.Http.Aggregates;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <content>Stored states: where a fold begins, so that it need not go through the whole history, and what it leaves for later ones.</content>
internal sealed partial class StateFold
{
    /// <summary>Raised when the same definition comes to fold the same events otherwise: states stored before are then of no use.</summary>
    private const byte Semantics = 2;

    /// <summary>Bytes of a stored state for each event since the one before: a large state is stored less often, so that it costs less than the events.</summary>
    private const int StateBytesPerEvent = 16;

    /// <summary>A group commit's size: a larger state would hold up the appends behind it.</summary>
    private const int StateBytesMax = 4 << 20;

    private const byte HasEventsFlag = 1;

    private readonly ulong _fingerprint;
    private long _storedSeq; // of the newest stored state known to this fold; 0 = none
    private long _soughtFor; // the seq for which a stored state was sought last

    /// <summary>The entity's seq at which it began: 0, or that of a stored state.</summary>
    public long BeganAt { get; private set; }

    private int StoreEvents => _actor.StoreStateEvents;

    /// <summary>
    /// Offers the state to the shard's writer if it is <paramref name="eventsMin"/> events past the newest stored one, and small against them.
    /// Only of durable events, and only at the end of what there is: an older state stored later would hide a newer one.
    /// </summary>
    /// <param name="eventsMin">Events between two states.</param>
    /// <param name="rendered">The state as <see cref="FoldState.Render"/> writes it, if it is there already; else empty.</param>
    public void Offer(int eventsMin, ReadOnlySpan<byte> rendered = default)
    {
        var events = Covered - _storedSeq;
        if (events < eventsMin || !Exists) return;
        if (rendered.IsEmpty)
        {
            var state = new ArrayBufferWriter<byte>(256);
            _state.Render(state);
            rendered = state.WrittenSpan;
        }

        if (rendered.Length > Math.Min(events * StateBytesPerEvent, StateBytesMax)) return;
        var stored = new StateBody
        {
            Seq = Covered,
            LastMs = _lastMs,
            Flags = _hasEvents ? HasEventsFlag : (byte)0,
            Fingerprint = _fingerprint,
            Aggregate = _aggregateUtf8,
            State = rendered,
        };
        var body = new byte[stored.Size];
        stored.Write(body);
        _storedSeq = Covered;
        _actor.Shard.Enqueue(new StateOffer(_life, Covered, body));
        EntityMetrics.StatesOffered.Add(1);
    }

    /// <summary>Everything that decides how an aggregate folds: its definition or none, and whose the events are that name no aggregate.</summary>
    internal static ulong FingerprintOf(AggregateDefinition? definition, DefaultOwner owner)
    {
        Span<byte> parts = stackalloc byte[3 + sizeof(ulong)];
        parts[0] = Semantics;
        parts[1] = (byte)owner;
        parts[2] = definition is null ? (byte)0 : (byte)1;
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(parts[3..], definition?.Fingerprint ?? 0);
        return XxHash3.HashToUInt64(parts);
    }

    /// <summary>Asked once for each seq that is folded to: finding a state may read every run, folding half as many events costs the same.</summary>
    private bool IsStoredStateWorthIt(long seq) => _soughtFor != seq && seq - Covered >= StoreEvents / 2;

    private void BeginAtStoredState(View view, long seq, long untilMs)
    {
        _soughtFor = seq;
        var seqMax = seq;
        while (view.TryFindState(_life.Number, _aggregateUtf8, _fingerprint, seqMax, out var stored) && stored.Seq > Covered)
        {
            _storedSeq = Math.Max(_storedSeq, stored.Seq);
            if (stored.LastMs <= untilMs)
            {
                Restore(stored);
                return;
            }

            seqMax = stored.Seq - 1; // one from before the time asked for may stand in an older run
        }
    }

    private void Restore(in StoredState stored)
    {
        try
        {
            _state = FoldState.Restore(_entry?.Definition, _actor.Name, _actor.Shard.LifeOf(_number), stored.Seq, stored.State.Span);
        }
        catch (JsonException e)
        {
            throw new DamagedDataException("A stored state is not JSON.", e);
        }

        Covered = stored.Seq;
        BeganAt = stored.Seq;
        _hasEvents = (stored.Flags & HasEventsFlag) != 0;
        _lastMs = stored.LastMs;
    }
}
