using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Warp.Http.Aggregates;
using Warp.Http.Events;
using Warp.Http.Storage;

namespace Warp.Http.Entities;

/// <summary>Folds one aggregate of one life forward over its durable events.</summary>
/// <remarks>
/// One folder at a time. Pages over the view: memtables are read where the caller stands, runs on a reader's thread.
/// Split by role: this file folds, .Stored begins at stored states and offers new ones.
/// </remarks>
internal sealed partial class StateFold
{
    /// <summary>
    /// What one page may take: it is folded under one lease of the view, so that a long fold pins no file, and on a reader's thread in one go, which others
    /// wait for. Each bound is 10 ms about.
    /// </summary>
    private const int EventsPerPage = 16_384;
    private const int BytesPerPage = 4 << 20;
    private const long WorkPerPage = 2 * FoldLimits.Steps;

    /// <summary>This object and the aggregate's name.</summary>
    private const int BaseBytes = 160;

    private readonly EntityActor _actor;
    private readonly EntityLife _life;
    private readonly string _aggregate;
    private readonly byte[] _aggregateUtf8;
    private readonly AggregateEntry? _entry;
    private readonly DefaultOwner _default;
    private readonly long _number; // 0 while the life's first append is in flight
    private FoldState _state;
    private bool _hasEvents;
    private long _lastMs;

    public StateFold(EntityActor actor, EntityLife life, string aggregate, AggregateSet definitions)
    {
        (_actor, _life, _aggregate) = (actor, life, aggregate);
        _aggregateUtf8 = Encoding.UTF8.GetBytes(aggregate);
        _entry = definitions.Find(aggregate);
        _default = definitions.OwnerOfDefault(actor.Name.Kind, aggregate);
        _number = life.Number;
        _fingerprint = FingerprintOf(_entry?.Definition, _default);
        _state = FoldState.Create(_entry?.Definition, actor.Name, actor.Shard.LifeOf(_number));
    }

    /// <summary>The entity's seq that it is folded to, events of other aggregates included.</summary>
    public long Covered { get; private set; }

    public FoldState State => _state;

    /// <summary>A defined aggregate has its initial state before any event; an undefined one exists through its events.</summary>
    public bool Exists => _entry is not null || _hasEvents;

    /// <summary>True if the entity has an event of the aggregate.</summary>
    public bool HasEvents => _hasEvents;

    public long Bytes => BaseBytes + _state.SizeEstimate;

    /// <summary>True if these definitions fold as the ones it was made with.</summary>
    public bool IsOf(AggregateSet definitions) =>
        ReferenceEquals(definitions.Find(_aggregate), _entry) && definitions.OwnerOfDefault(_actor.Name.Kind, _aggregate) == _default;

    /// <summary>Folds up to <paramref name="seq"/>, which must be durable. Cancelled, it ends after the page it is at, and may be gone on with.</summary>
    /// <returns>Null, or the event that does not fold.</returns>
    public async ValueTask<FoldFailure?> AdvanceAsync(long seq, long untilMs, CancellationToken cancellation)
    {
        while (Covered < seq)
        {
            cancellation.ThrowIfCancellationRequested();
            var before = Covered;
            if (!TryFoldPage(seq, untilMs, mayReadDisk: false, out var failure))
                failure = await _actor.Readers.RunAsync(() => !cancellation.IsCancellationRequested && TryFoldPage(seq, untilMs, mayReadDisk: true, out var onDisk) ? onDisk : null);
            if (failure is not null) return failure;
            if (Covered == before && !cancellation.IsCancellationRequested) return null; // the rest was recorded later than asked for
        }

        return null;
    }

    /// <summary>
    /// The same for the drainer, a page at a time: false if there is more to fold, and then it goes on on a reader's thread, behind those who wait for one.
    /// </summary>
    public bool TryAdvance(long seq, bool mayReadDisk, out FoldFailure? failure)
    {
        failure = null;
        return Covered >= seq || (TryFoldPage(seq, long.MaxValue, mayReadDisk, out failure) && (Covered >= seq || failure is not null));
    }

    /// <summary>Folds events that are not durable yet, right behind what was folded.</summary>
    public FoldFailure? ApplyInFlight(EncodedEvents events, ReadOnlySpan<byte> key, long firstSeq, long nowMs)
    {
        if (Covered != firstSeq - 1) throw new InvalidOperationException($"A state covers seq {Covered}; seq {firstSeq} does not follow.");
        var rest = events.Bytes;
        for (var i = 0; i < events.Count; i++)
        {
            var e = EventRecord.Read(ref rest);
            if (!IsMine(e.Aggregate)) continue;
            if (Apply(new RecordedEvent(firstSeq + i, nowMs, e, key, i)) is { } failure) return failure;
        }

        Covered = firstSeq + events.Count - 1;
        _lastMs = nowMs;
        return null;
    }

    /// <summary>A fold that goes on by itself from here.</summary>
    public StateFold Fork()
    {
        var fork = (StateFold)MemberwiseClone();
        fork._state = _state.Clone();
        return fork;
    }

    public StateSnapshot Render(long seq, AggregateSet? definitions)
    {
        var state = new ArrayBufferWriter<byte>(256);
        _state.Render(state);
        var body = RenderBody(seq, _entry?.Version, state.WrittenSpan, out var stateAt);
        var life = _actor.Shard.LifeOf(_life.Number);
        var version = _entry?.Version;
        return new StateSnapshot
        {
            Seq = seq,
            DefinitionVersion = version,
            ETag = string.Create(CultureInfo.InvariantCulture, $"\"{seq}.{life}.{version ?? 0}\""),
            State = body.AsMemory(stateAt, state.WrittenCount),
            Body = body,
            Definitions = definitions,
            BeganAt = BeganAt,
        };
    }

    private byte[] RenderBody(long seq, int? version, ReadOnlySpan<byte> state, out int stateAt)
    {
        var body = new ArrayBufferWriter<byte>(state.Length + 160);
        using var json = new Utf8JsonWriter(body, new JsonWriterOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        json.WriteStartObject();
        json.WriteString("entity"u8, _actor.Name.Utf8);
        json.WriteString("aggregate"u8, _aggregateUtf8);
        json.WriteNumber("seq"u8, seq);
        if (version is { } defined) json.WriteNumber("definitionVersion"u8, defined);
        else json.WriteNull("definitionVersion"u8);
        json.WritePropertyName("state"u8);
        json.Flush();
        stateAt = body.WrittenCount;
        json.WriteRawValue(state, skipInputValidation: true);
        if (_lastMs > 0) json.WriteString("updatedAt"u8, Rfc3339.Format(_lastMs));
        else json.WriteNull("updatedAt"u8); // the state before the first event
        json.WriteEndObject();
        json.Flush();
        return body.WrittenSpan.ToArray();
    }

    /// <summary>Folds a page, one event at least. False if that stands in a run and this thread must not read one.</summary>
    private bool TryFoldPage(long seq, long untilMs, bool mayReadDisk, out FoldFailure? failure)
    {
        using var lease = _actor.Shard.Views.Lease();
        failure = null;
        if (!mayReadDisk && (lease.View.FirstSeqInMemory(_life.Number) > Covered + 1 || IsStoredStateWorthIt(seq))) return false;
        if (IsStoredStateWorthIt(seq)) BeginAtStoredState(lease.View, seq, untilMs);
        var visitor = new Visitor(this, seq, untilMs);
        lease.View.Visit(_life.Number, Covered + 1, seq, descending: false, ref visitor);
        failure = visitor.Failure;
        return true;
    }

    /// <summary>Folds an event that <see cref="IsMine"/>.</summary>
    private FoldFailure? Apply(in RecordedEvent e)
    {
        if (_default == DefaultOwner.Contested && e.Fields.Aggregate.IsEmpty)
        {
            return FoldFailure.OfEvent(e.Seq, $"The event names no aggregate, and besides {_aggregate} another one claims the kind as default.");
        }

        if (_state.Apply(e) is { } failure) return failure;
        _hasEvents = true;
        return null;
    }

    private bool IsMine(ReadOnlySpan<byte> aggregate) => aggregate.IsEmpty ? _default != DefaultOwner.Other : aggregate.SequenceEqual(_aggregateUtf8);

    private struct Visitor(StateFold fold, long until, long untilMs) : ISliceVisitor
    {
        private int _events;
        private long _bytes;
        private long _workAtStart = -1;

        public FoldFailure? Failure { get; private set; }

        private readonly bool IsFull => _events >= EventsPerPage || _bytes >= BytesPerPage || fold._state.Work - _workAtStart >= WorkPerPage;

        public bool Visit(in EntitySlice slice)
        {
            if (slice.CommittedMs > untilMs) return false;
            if (slice.FirstSeq > fold.Covered + 1) throw new DamagedDataException($"An entity's history has seq {slice.FirstSeq} where {fold.Covered + 1} is due.") { IsGap = true };
            if (_workAtStart < 0) _workAtStart = fold._state.Work;
            var rest = slice.Events;
            var seq = slice.FirstSeq;
            for (; seq <= fold.Covered; seq++) EventRecord.Skip(ref rest);
            for (; seq <= slice.LastSeq && seq <= until && !IsFull; seq++)
            {
                var before = rest.Length;
                var e = EventRecord.Read(ref rest);
                if (fold.IsMine(e.Aggregate))
                {
                    var index = slice.IndexInAppend + (int)(seq - slice.FirstSeq);
                    Failure = fold.Apply(new RecordedEvent(seq, slice.CommittedMs, e, slice.Key, index));
                    if (Failure is not null) return false;
                }

                fold.Covered = seq;
                fold._lastMs = slice.CommittedMs;
                _events++;
                _bytes += before - rest.Length;
            }

            return !IsFull;
        }
    }
}
